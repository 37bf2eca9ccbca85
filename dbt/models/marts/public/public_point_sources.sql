-- The public edition of point_sources. A source cell is shown when the very cell is shown as a judged one. The parts of
-- a combined figure were never weighed by themselves and stay hidden. Where a cell stands is no figure.
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
    {{ shown_if("c.publication = 'shown'", 'p.cell_value') }} as cell_value,
    {{ shown_if("c.publication = 'shown'", 'p.cell_n_pupils') }} as cell_n_pupils,
    p.cell_state,
    {{ shown_if("c.publication = 'shown'", 'p.cell_raw_value') }} as cell_raw_value,
    p.source_sha256,
    p.source_row,
    p.source_column,
    coalesce(c.publication, 'hidden_component') as publication,
    p.data_origin
from {{ ref('point_sources') }} as p
left join {{ ref('int_public_cells') }} as c
    on
        p.round = c.round
        and p.cell_unit_level = c.unit_level
        and case when p.cell_unit_level = p.unit_level then p.unit_code else p.cell_unit_code end = c.unit_code
        and p.indicator = c.indicator
        and p.cell_grade = c.grade_key
        and p.cell_school_year = c.year_key
