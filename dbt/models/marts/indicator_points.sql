select
    p.round,
    p.unit_level,
    p.unit_code,
    case when p.year_key <> 'window' then p.year_key end as school_year,
    p.indicator,
    case when p.grade_key > 0 then p.grade_key end as grade,
    p.value,
    p.n_pupils,
    p.state,
    p.value_basis,
    p.national_limit,
    p.absolute_limit,
    p.points,
    p.weight,
    p.weighted_points,
    p.possible_points,
    p.applicable_points,
    p.source_sha256,
    p.source_row,
    p.source_column,
    r.origin as data_origin
from {{ ref('int_indicator_points') }} as p
inner join {{ ref('stg_rounds') }} as r on p.round = r.round and r.purpose = 'selection'
