-- Each municipality of the selection date with its sums: from its own cells, or from its rated schools where the rule
-- adds up schools, and the first ground on which it is not rated.
{%- set sums = {
    'points': 'decimal(18, 4)', 'possible_points': 'decimal(18, 4)', 'applicable_points': 'decimal(18, 4)',
    'weight_beyond_absolute': 'decimal(18, 4)', 'weight_judged': 'decimal(18, 4)', 'pupils': 'bigint'
} %}

with names as (
    select
        c.round,
        t.target as municipality_code,
        c.unit_name as municipality_name,
        row_number() over (
            partition by c.round, t.target order by c.start_year desc, c.unit_code desc, c.unit_name asc
        ) as newest_first
    from {{ ref('int_round_cells') }} as c
    inner join {{ ref('int_code_targets') }} as t
        on c.round = t.round and c.start_year = t.start_year and c.unit_code = t.code
    where c.unit_level = 'municipality'
),

from_schools as (
    select
        s.round,
        s.municipality_code,
        sum(s.points) as points,
        sum(s.possible_points) as possible_points,
        sum(s.applicable_points) as applicable_points,
        sum(s.weight_beyond_absolute) as weight_beyond_absolute,
        sum(s.weight_judged) as weight_judged,
        sum(s.pupils) as pupils
    from {{ ref('int_school_ratings') }} as s
    where s.not_rated_reason is null
    group by s.round, s.municipality_code
),

school_areas as (
    select
        s.round,
        s.municipality_code,
        count(distinct p.area) as areas
    from {{ ref('int_school_ratings') }} as s
    inner join {{ ref('int_indicator_points') }} as p
        on s.round = p.round and p.unit_level = 'school' and s.school_code = p.unit_code and p.judged
    where s.not_rated_reason is null
    group by s.round, s.municipality_code
),

municipalities as (
    select distinct
        round,
        municipality_code
    from {{ ref('int_municipality_history') }}
),

summed as (
    select
        m.round,
        m.municipality_code,
        coalesce(n.municipality_name, m.municipality_code) as municipality_name,
        substr(m.municipality_code, 1, 2) as county_code,
        pseudo.municipality_code is not null as is_pseudo,
        r.min_coverage,
        r.min_areas,
        r.tie_break_1,
        r.tie_break_2,
        r.selection_date,
        r.origin,
        {% for column, type in sums.items() %}
        cast(
            coalesce(case r.municipality_share_from when 'school_points' then f.{{ column }} else u.{{ column }} end, 0)
            as {{ type }}
        ) as {{ column }},
        {% endfor %}
        coalesce(case r.municipality_share_from when 'school_points' then a.areas else u.areas end, 0) as areas
    from municipalities as m
    inner join {{ ref('stg_rounds') }} as r on m.round = r.round
    left join names as n
        on m.round = n.round and m.municipality_code = n.municipality_code and n.newest_first = 1
    left join {{ ref('int_pseudo_municipalities') }} as pseudo
        on m.round = pseudo.round and m.municipality_code = pseudo.municipality_code
    left join {{ ref('int_unit_sums') }} as u
        on m.round = u.round and u.unit_level = 'municipality' and m.municipality_code = u.unit_code
    left join from_schools as f on m.round = f.round and m.municipality_code = f.municipality_code
    left join school_areas as a on m.round = a.round and m.municipality_code = a.municipality_code
),

rated as (
    select
        *,
        {{ share('points', 'possible_points') }} as risk_share,
        {{ share('possible_points', 'applicable_points') }} as coverage,
        {{ share('weight_beyond_absolute', 'weight_judged') }} as absolute_hit_share,
        case
            when is_pseudo then 'pseudo_unit'
            when possible_points = 0 then 'no_visible_cells'
            when possible_points < min_coverage * applicable_points then 'low_coverage'
            when areas < min_areas then 'too_few_areas'
        end as not_rated_reason
    from summed
)

select
    m.*,
    g.governor_name as county_governor,
    coalesce(sp.rated_schools, 0) as rated_schools,
    coalesce(sp.schools_in_worst_quartile, 0) as schools_in_worst_quartile,
    sp.school_spread,
    sp.spread_standard_deviation,
    sp.spread_max_minus_rest_mean,
    sp.spread_range,
    sp.spread_iqr,
    case when m.not_rated_reason is null then
        cast(
            row_number() over (
                partition by m.round, m.not_rated_reason
                order by
                    m.risk_share desc, {{ tie_key('m.tie_break_1') }} desc, {{ tie_key('m.tie_break_2') }} desc,
                    m.municipality_code asc
            ) as bigint
        )
    end as rank,
    m.not_rated_reason is null
    and count(*) over (partition by m.round, m.not_rated_reason, m.risk_share) > 1 as tied
from rated as m
left join {{ ref('int_school_spread') }} as sp
    on m.round = sp.round and m.municipality_code = sp.municipality_code
left join {{ ref('stg_county_governors') }} as g
    on
        m.county_code = g.county_code
        and m.selection_date >= g.valid_from
        and (g.valid_to is null or m.selection_date <= g.valid_to)
        and m.origin = case when g.fictional then 'fictional' else 'official' end
