-- Every source cell behind every judged cell of a selection round.
select
    c.round,
    c.unit_level,
    c.unit_code,
    case when c.year_key <> 'window' then c.year_key end as school_year,
    c.indicator,
    case when c.grade_key > 0 then c.grade_key end as grade,
    c.cell_unit_level,
    c.cell_unit_code,
    c.cell_school_year,
    c.cell_grade,
    c.cell_ownership,
    c.cell_value,
    c.cell_n_pupils,
    c.cell_state,
    c.cell_raw_value,
    c.source_sha256,
    c.source_row,
    c.source_column,
    r.origin as data_origin
from {{ ref('int_point_sources') }} as c
inner join {{ ref('stg_rounds') }} as r on c.round = r.round and r.purpose = 'selection'
