-- The published cells that have points.
select
    unit_level,
    enum_code(unit_code) as unit,
    indicator,
    grade_key,
    year_key,
    cast(value as double) as value,
    cast(n_pupils as double) as n_pupils,
    source_sha256,
    source_row,
    source_column
from published_cells
where points is not null
