-- What would have taken a municipality over the cut of the average group: for each of its own figures the nearest value
-- that is enough, with everything else as it is. Most figures have none, so most municipalities have few rows or none.
with decimals as (
    select distinct
        i.round,
        i.indicator,
        case when r.grades = 'pooled' then 0 else i.grade end as grade_key,
        i.direction,
        i.decimals
    from {{ ref('stg_rule_indicators') }} as i
    inner join {{ ref('stg_rounds') }} as r on i.round = r.round
),

-- The one that a municipality must stay before, or come before: the first or the last place of the others.
rivals as (
    select
        own.round,
        own.municipality_code,
        rival.municipality_code as rival_code,
        rival.risk_share as rival_share,
        rival.absolute_hit_share,
        rival.pupils
    from {{ ref('int_average_group') }} as own
    inner join {{ ref('int_average_group') }} as rival
        on
            own.round = rival.round
            and rival.rank_in_group
            = case
                when own.rank_in_group <= own.average_quota then own.average_quota + 1
                else own.average_quota
            end
),

figures as (
    select
        g.round,
        g.municipality_code,
        g.municipality_name,
        g.average_ties,
        g.is_selected,
        g.risk_share,
        s.points as unit_points,
        s.possible_points as unit_possible_points,
        s.weight_beyond_absolute,
        s.weight_judged,
        g.pupils,
        p.indicator,
        p.grade_key,
        p.year_key,
        p.value,
        p.n_pupils,
        p.points,
        p.beyond_absolute,
        p.weight,
        p.restricted,
        d.decimals,
        d.direction,
        r.comparison,
        r.points_national,
        r.points_absolute,
        r.tie_break_1,
        r.tie_break_2,
        r.origin,
        {{ in_last_decimals('p.value', 'd.decimals') }} as place,
        cast(p.national_limit * {{ power_of_ten('d.decimals') }} as decimal(18, 4)) as national_place,
        cast(p.absolute_limit * {{ power_of_ten('d.decimals') }} as decimal(18, 4)) as absolute_place
    from {{ ref('int_average_group') }} as g
    inner join {{ ref('stg_rounds') }} as r on g.round = r.round
    inner join {{ ref('int_unit_sums') }} as s
        on g.round = s.round and s.unit_level = 'municipality' and g.municipality_code = s.unit_code
    inner join {{ ref('int_indicator_points') }} as p
        on g.round = p.round and p.unit_level = 'municipality' and g.municipality_code = p.unit_code
    inner join decimals as d on p.round = d.round and p.indicator = d.indicator and p.grade_key = d.grade_key
    -- a figure that is worked out from others has no published value to change
    where p.judged and p.value_basis in ('published', 'carried') and p.source_sha256 is not null
),

sides as (
    select -1 as place_from_limit
    union all
    select 0 as place_from_limit
    union all
    select 1 as place_from_limit
),

limits_of as (
    select
        *,
        cast(floor(national_place) as bigint) as limit_place
    from figures
    union all
    select
        *,
        cast(floor(absolute_place) as bigint) as limit_place
    from figures
),

-- The values next to a limit are the only ones where the points can begin to be others.
beside as (
    select
        limits_of.*,
        limits_of.limit_place + side.place_from_limit as needed_place
    from limits_of
    cross join sides as side
),

changed as (
    select
        *,
        {{ is_worse('needed_place', 'absolute_place', 'direction', 'comparison') }} as beyond_after,
        case
            when {{ is_worse('needed_place', 'absolute_place', 'direction', 'comparison') }} then points_absolute
            when {{ is_worse('needed_place', 'national_place', 'direction', 'comparison') }} then points_national
            else 0
        end as points_after
    from beside
),

moved as (
    select
        round,
        municipality_code,
        municipality_name,
        average_ties,
        is_selected,
        risk_share,
        indicator,
        grade_key,
        year_key,
        value,
        n_pupils,
        restricted,
        decimals,
        tie_break_1,
        tie_break_2,
        origin,
        points,
        points_after,
        needed_place,
        abs(needed_place - place) as steps,
        {{ share('unit_points + weight * (points_after - points)', 'unit_possible_points') }} as share_after,
        {{ share('weight_beyond_absolute + weight * (cast(beyond_after as int) - cast(beyond_absolute as int))',
                 'weight_judged') }} as absolute_hit_share,
        pupils
    from changed
    where points_after <> points
),

own_keys as (
    select
        *,
        coalesce({{ tie_key('tie_break_1') }}, 0) as key_1,
        coalesce({{ tie_key('tie_break_2') }}, 0) as key_2
    from moved
),

rival_keys as (
    select
        rivals.*,
        coalesce({{ tie_key('r.tie_break_1') }}, 0) as key_1,
        coalesce({{ tie_key('r.tie_break_2') }}, 0) as key_2
    from rivals
    inner join {{ ref('stg_rounds') }} as r on rivals.round = r.round
),

judged as (
    select
        o.*,
        o.share_after > v.rival_share
        or (
            o.share_after = v.rival_share
            and (
                o.average_ties = 'include_ties'
                or o.key_1 > v.key_1
                or (o.key_1 = v.key_1 and o.key_2 > v.key_2)
                or (o.key_1 = v.key_1 and o.key_2 = v.key_2 and o.municipality_code < v.rival_code)
            )
        ) as selected_after
    from own_keys as o
    inner join rival_keys as v on o.round = v.round and o.municipality_code = v.municipality_code
),

enough as (
    select
        *,
        row_number() over (
            partition by round, municipality_code, indicator, grade_key, year_key order by steps, needed_place
        ) as of_the_figure
    from judged
    where selected_after <> is_selected
)

select
    round,
    municipality_code,
    municipality_name,
    cast(
        row_number() over (
            partition by round, municipality_code order by steps, indicator, grade_key, year_key
        ) as bigint
    ) as nearness,
    case when year_key <> 'window' then year_key end as school_year,
    indicator,
    case when grade_key > 0 then grade_key end as grade,
    value,
    cast(needed_place / cast({{ power_of_ten('decimals') }} as decimal(18, 0)) as decimal(18, 4)) as needed_value,
    steps,
    n_pupils,
    restricted,
    points,
    points_after,
    risk_share,
    share_after,
    selected_after,
    origin as data_origin
from enough
where of_the_figure = 1
