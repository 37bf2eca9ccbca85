-- The public edition of point_sources. Where a cell stands is no figure.
select
    p.round,
    p.unit_level,
    p.unit_code,
    p.school_year,
    p.indicator,
    p.grade,
    p.cell_unit_level,
    p.cell_unit_code,
    p.cell_school_year,
    p.cell_grade,
    p.cell_ownership,
    {{ shown_if("c.publication = 'shown'", 'p.cell_value') }} as cell_value,
    {{ shown_if('c.pupils_shown', 'p.cell_n_pupils') }} as cell_n_pupils,
    p.cell_state,
    {{ shown_if("c.publication = 'shown'", 'p.cell_raw_value') }} as cell_raw_value,
    p.source_sha256,
    p.source_row,
    p.source_column,
    c.publication,
    p.data_origin
from {{ ref('point_sources') }} as p
inner join {{ ref('int_public_source_cells') }} as c
    on
        p.data_origin = c.origin
        and p.cell_unit_level = c.unit_level
        and p.cell_unit_code = c.unit_code
        and p.indicator = c.indicator
        and p.cell_grade = c.grade
        and p.cell_school_year = c.school_year
        and p.cell_ownership = c.ownership
