-- Rated municipalities with what the register of exceptions says of them in this round.
with excluded as (
    select
        round,
        unit_code,
        min(ground) as ground
    from {{ ref('int_exceptions_in_force') }}
    where kind = 'excluded' and unit_level = 'municipality'
    group by round, unit_code
),

grounds as (
    select
        round,
        unit_code,
        ground
    from {{ ref('int_exceptions_in_force') }}
    where kind = 'in_scheme' and unit_level = 'municipality'
    union all
    select
        round,
        municipality_code as unit_code,
        cohort as ground
    from {{ ref('int_followed_in_scheme') }}
),

in_scheme as (
    select
        round,
        unit_code,
        min(ground) as ground
    from grounds
    group by round, unit_code
)

select
    m.round,
    m.municipality_code,
    m.municipality_name,
    m.county_governor,
    m.risk_share,
    m.absolute_hit_share,
    m.pupils,
    m.rank as national_rank,
    m.rated_schools,
    m.schools_in_worst_quartile,
    m.school_spread,
    excluded.ground as excluded_ground,
    in_scheme.ground as in_scheme_ground,
    excluded.unit_code is null and (in_scheme.unit_code is null or r.in_scheme = 'mark') as eligible
from {{ ref('int_municipality_ratings') }} as m
inner join {{ ref('stg_rounds') }} as r on m.round = r.round
left join excluded on m.round = excluded.round and m.municipality_code = excluded.unit_code
left join in_scheme on m.round = in_scheme.round and m.municipality_code = in_scheme.unit_code
where m.not_rated_reason is null and r.purpose = 'selection'
