-- Which schools count in "all the country's schools", and the first ground on which another does not. A school is open
-- when the register's closing day lies after the selection date. Where the register names no day, a row in the round's
-- last year tells: of a dataset whose figures come without delay, since grade points come a year late and a school that
-- has closed still has them.
with last_years as (
    select
        r.round,
        r.last_start_year - min(i.lag) as last_start_year
    from {{ ref('stg_rounds') }} as r
    inner join {{ ref('stg_rule_indicators') }} as i on r.round = i.round
    group by r.round, r.last_start_year
),

standing as (
    select
        c.round,
        c.unit_code as school_code,
        max(case when x.unit_code is not null then 1 else 0 end) as is_pseudo,
        max(case when c.in_window and c.start_year = l.last_start_year then 1 else 0 end) as in_last_year,
        max(case when c.in_window then 1 else 0 end) as in_window
    from {{ ref('int_round_cells') }} as c
    inner join last_years as l on c.round = l.round
    left join {{ ref('int_exceptions_in_force') }} as x
        on
            c.round = x.round
            and x.kind = 'pseudo_unit'
            and (
                (x.unit_level = 'school' and c.unit_code = x.unit_code)
                or (x.unit_level = 'municipality' and c.municipality_code = x.unit_code)
                or (x.unit_level = 'county' and c.county_code = x.unit_code)
            )
    where c.unit_level = 'school'
    group by c.round, c.unit_code
),

special_schools as (
    select distinct
        round,
        unit_code
    from {{ ref('int_exceptions_in_force') }}
    where kind = 'special_school' and unit_level = 'school'
),

described as (
    select
        s.round,
        s.school_code,
        s.in_window = 1 as in_window,
        case when reg.closed_on is null then s.in_last_year = 1 else reg.closed_on > r.selection_date end as operating,
        p.municipality_code,
        p.school_name,
        coalesce(reg.ownership, 'unknown') as ownership,
        coalesce(reg.special, false) or special.unit_code is not null as special,
        s.is_pseudo = 1 or placed.round is not null as is_pseudo,
        r.school_ownership,
        r.special_schools
    from standing as s
    inner join {{ ref('stg_rounds') }} as r on s.round = r.round
    left join {{ ref('int_school_places') }} as p on s.round = p.round and s.school_code = p.school_code
    left join {{ ref('stg_school_register') }} as reg on s.school_code = reg.school_code and r.origin = reg.origin
    left join special_schools as special on s.round = special.round and s.school_code = special.unit_code
    left join {{ ref('int_pseudo_municipalities') }} as placed
        on s.round = placed.round and p.municipality_code = placed.municipality_code
)

select
    round,
    school_code,
    school_name,
    municipality_code,
    ownership,
    in_window,
    operating,
    case
        when is_pseudo then 'pseudo_unit'
        when school_ownership = 'public' and ownership = 'private' then 'private'
        when school_ownership = 'public' and ownership <> 'public' then 'ownership_unknown'
        when special_schools = 'exclude' and special then 'special_school'
    end as out_of_scope
from described
