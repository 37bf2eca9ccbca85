-- Every cell by the unit it counts for: schools and the nation as published, municipalities under the code of the
-- selection date. `cell_use` says whether the cell is judged (window) or only shapes a frozen limit (base).
with published as (
    select
        round,
        'window' as cell_use,
        dataset,
        unit_level,
        unit_code,
        unit_code as source_unit_code,
        school_year,
        start_year,
        indicator,
        grade,
        value,
        n_pupils,
        state,
        restricted,
        'published' as value_basis,
        raw_value,
        source_sha256,
        source_row,
        source_column
    from {{ ref('int_round_cells') }}
    where in_window and unit_level in ('national', 'school')
    union all
    select
        round,
        'base' as cell_use,
        dataset,
        unit_level,
        unit_code,
        unit_code as source_unit_code,
        school_year,
        start_year,
        indicator,
        grade,
        value,
        n_pupils,
        state,
        restricted,
        'published' as value_basis,
        raw_value,
        source_sha256,
        source_row,
        source_column
    from {{ ref('int_round_cells') }}
    where in_base_year
    union all
    select
        h.round,
        'window' as cell_use,
        h.dataset,
        c.unit_level,
        h.municipality_code as unit_code,
        c.unit_code as source_unit_code,
        c.school_year,
        c.start_year,
        c.indicator,
        c.grade,
        c.value,
        c.n_pupils,
        c.state,
        c.restricted,
        h.history as value_basis,
        c.raw_value,
        c.source_sha256,
        c.source_row,
        c.source_column
    from {{ ref('int_municipality_history') }} as h
    inner join {{ ref('int_round_cells') }} as c
        on
            h.round = c.round
            and h.dataset = c.dataset
            and h.start_year = c.start_year
            and h.row_code = c.unit_code
            and c.unit_level = 'municipality'
            and c.in_window
    where h.history in ('published', 'carried')
    union all
    select
        round,
        'window' as cell_use,
        dataset,
        'municipality' as unit_level,
        municipality_code as unit_code,
        cast(null as string) as source_unit_code,
        school_year,
        start_year,
        indicator,
        grade,
        value,
        n_pupils,
        state,
        restricted,
        'recomputed' as value_basis,
        cast(null as string) as raw_value,
        cast(null as string) as source_sha256,
        cast(null as bigint) as source_row,
        cast(null as string) as source_column
    from {{ ref('int_restructured_cells') }}
)

-- A combined cell loses its grade or its year; the keys say so in a form that joins without nulls.
select
    p.*,
    case when r.grades = 'pooled' then 0 else p.grade end as grade_key,
    case when r.aggregation = 'window_mean' and p.cell_use = 'window' then 'window' else p.school_year end as year_key,
    r.grades = 'pooled' or (r.aggregation = 'window_mean' and p.cell_use = 'window') as is_combined
from published as p
inner join {{ ref('stg_rounds') }} as r on p.round = r.round
