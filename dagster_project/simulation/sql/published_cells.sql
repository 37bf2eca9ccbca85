-- The published cells of the rated units.
select
    p.unit_level,
    cast(p.unit_code as unit) as unit_code,
    coalesce(p.school_year, 'window') as year_key,
    p.indicator,
    coalesce(p.grade, 0) as grade_key,
    p.value,
    p.n_pupils,
    p.state,
    p.value_basis,
    p.national_limit,
    p.absolute_limit,
    p.points,
    p.source_sha256,
    p.source_row,
    p.source_column
from indicator_points as p
inner join rated_units as u on p.unit_level = u.unit_level and p.unit_code = u.unit_code
