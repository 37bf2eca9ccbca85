select
    s.round,
    s.school_code,
    s.school_name,
    s.municipality_code,
    m.municipality_name,
    m.county_governor,
    s.ownership,
    s.points,
    s.possible_points,
    s.applicable_points,
    s.risk_share,
    s.coverage,
    s.not_rated_reason is null as rated,
    k.rank,
    coalesce(k.worst_quartile, false) as worst_quartile,
    {{ share('s.points', 's.applicable_points') }} as share_if_hidden_best,
    {{ share('s.points + s.applicable_points - s.possible_points', 's.applicable_points') }} as share_if_hidden_worst,
    s.absolute_hit_share,
    s.pupils,
    coalesce(k.tied, false) as tied,
    s.not_rated_reason,
    r.origin as data_origin
from {{ ref('int_school_ratings') }} as s
inner join {{ ref('stg_rounds') }} as r on s.round = r.round and r.purpose = 'selection'
left join {{ ref('int_school_ranks') }} as k on s.round = k.round and s.school_code = k.school_code
left join {{ ref('int_municipality_ratings') }} as m
    on s.round = m.round and s.municipality_code = m.municipality_code
