with restructured as (
    select
        round,
        municipality_code,
        count(distinct school_year) as restructured_years
    from {{ ref('int_municipality_history') }}
    where history = 'restructured'
    group by round, municipality_code
)

select
    m.round,
    m.municipality_code,
    m.municipality_name,
    m.county_code,
    m.county_governor,
    m.points,
    m.possible_points,
    m.applicable_points,
    m.risk_share,
    m.coverage,
    m.not_rated_reason is null as rated,
    m.rank,
    m.rated_schools,
    m.schools_in_worst_quartile,
    m.school_spread,
    m.spread_standard_deviation,
    m.spread_max_minus_rest_mean,
    m.spread_range,
    m.spread_iqr,
    {{ share('m.points', 'm.applicable_points') }} as share_if_hidden_best,
    {{ share('m.points + m.applicable_points - m.possible_points', 'm.applicable_points') }} as share_if_hidden_worst,
    m.absolute_hit_share,
    m.pupils,
    m.tied,
    coalesce(h.restructured_years, 0) as restructured_years,
    m.not_rated_reason,
    m.origin as data_origin
from {{ ref('int_municipality_ratings') }} as m
inner join {{ ref('stg_rounds') }} as r on m.round = r.round and r.purpose = 'selection'
left join restructured as h on m.round = h.round and m.municipality_code = h.municipality_code
