-- The municipality a school belongs to on the selection date: that of its newest row, carried forward. Where that
-- code was split, the school register settles it; where it cannot, the school has no place and is not guessed one.
with ordered as (
    select
        round,
        unit_code as school_code,
        unit_name as school_name,
        start_year,
        municipality_code,
        row_number() over (
            partition by round, unit_code
            order by start_year desc, municipality_code desc, unit_name asc
        ) as newest_first
    from {{ ref('int_round_cells') }}
    where unit_level = 'school' and in_window
),

newest as (
    select
        round,
        school_code,
        school_name,
        start_year,
        municipality_code
    from ordered
    where newest_first = 1
),

targets as (
    select
        n.round,
        n.school_code,
        n.school_name,
        max(t.targets) as targets,
        max(t.target) as one_target,
        max(case when t.target = reg.municipality_code then t.target end) as register_target
    from newest as n
    inner join {{ ref('stg_rounds') }} as r on n.round = r.round
    inner join {{ ref('int_code_targets') }} as t
        on n.round = t.round and n.start_year = t.start_year and n.municipality_code = t.code
    left join {{ ref('stg_school_register') }} as reg
        on n.school_code = reg.school_code and r.origin = reg.origin
    group by n.round, n.school_code, n.school_name
)

select
    round,
    school_code,
    school_name,
    case when targets = 1 then one_target else register_target end as municipality_code
from targets
