-- The rule itself: worse than the absolute limit, worse than the national limit, or neither, times the weight.
-- Hidden cells leave the points and the possible points, but stay among the applicable ones, so coverage shows them.
with weights as (
    select distinct
        i.round,
        i.indicator,
        i.area,
        case when r.grades = 'pooled' then 0 else i.grade end as grade_key,
        i.weight,
        i.direction,
        r.comparison,
        r.points_national,
        r.points_absolute,
        r.no_participants
    from {{ ref('stg_rule_indicators') }} as i
    inner join {{ ref('stg_rounds') }} as r on i.round = r.round
),

compared as (
    select
        o.round,
        o.unit_level,
        o.unit_code,
        o.year_key,
        o.indicator,
        o.grade_key,
        w.area,
        o.value,
        o.n_pupils,
        o.state,
        o.restricted,
        o.value_basis,
        l.national_limit,
        l.absolute_limit,
        w.weight,
        w.points_absolute,
        o.state = 'observed' and l.national_limit is not null and l.absolute_limit is not null as judged,
        o.state in ('observed', 'suppressed')
        or (o.state = 'no_participants' and w.no_participants = 'hidden') as applicable,
        case
            when o.state <> 'observed' or l.national_limit is null or l.absolute_limit is null then null
            when {{ is_worse('o.value', 'l.absolute_limit', 'w.direction', 'w.comparison') }} then w.points_absolute
            when {{ is_worse('o.value', 'l.national_limit', 'w.direction', 'w.comparison') }} then w.points_national
            else 0
        end as points,
        -- by the limit and not by the points: a rule may give the same points for both limits
        coalesce(
            o.state = 'observed' and l.national_limit is not null
            and {{ is_worse('o.value', 'l.absolute_limit', 'w.direction', 'w.comparison') }}, false
        ) as beyond_absolute,
        o.source_sha256,
        o.source_row,
        o.source_column
    from {{ ref('int_observations') }} as o
    inner join weights as w
        on o.round = w.round and o.indicator = w.indicator and o.grade_key = w.grade_key
    left join {{ ref('int_limits') }} as l
        on
            o.round = l.round
            and o.indicator = l.indicator
            and o.grade_key = l.grade_key
            and o.year_key = l.year_key
    where o.cell_use = 'window' and o.unit_level in ('school', 'municipality')
)

select
    *,
    cast(points * weight as decimal(18, 4)) as weighted_points,
    cast(case when judged then points_absolute * weight else 0 end as decimal(18, 4)) as possible_points,
    cast(case when applicable then points_absolute * weight else 0 end as decimal(18, 4)) as applicable_points
from compared
