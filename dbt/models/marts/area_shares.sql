-- The share of possible risk points of each municipality by area and year: where the points come from.
select
    p.round,
    p.unit_code as municipality_code,
    p.area,
    case when p.year_key <> 'window' then p.year_key end as school_year,
    cast(coalesce(sum(p.weighted_points), 0) as decimal(18, 4)) as points,
    cast(sum(p.possible_points) as decimal(18, 4)) as possible_points,
    cast(sum(p.applicable_points) as decimal(18, 4)) as applicable_points,
    {{ share('coalesce(sum(p.weighted_points), 0)', 'sum(p.possible_points)') }} as risk_share,
    {{ share('sum(p.possible_points)', 'sum(p.applicable_points)') }} as coverage,
    max(r.origin) as data_origin
from {{ ref('int_indicator_points') }} as p
inner join {{ ref('stg_rounds') }} as r on p.round = r.round and r.purpose = 'selection'
where p.unit_level = 'municipality'
group by p.round, p.unit_code, p.area, p.year_key
