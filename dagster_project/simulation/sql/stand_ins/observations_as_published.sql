-- The published cells, as the models see observations.
select
    (select any_value(round) from stg_rounds) as round,
    'window' as cell_use,
    unit_level,
    unit_code,
    indicator,
    grade_key,
    year_key,
    value,
    n_pupils,
    state,
    false as restricted, -- who may see a figure changes no list
    value_basis,
    source_sha256,
    source_row,
    source_column
from published_cells
