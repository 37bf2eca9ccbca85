-- Every source cell behind every judged cell: itself, the cells combined into it, or the schools it was worked out from.
with own as (
    select
        c.round,
        c.unit_level,
        c.unit_code,
        c.year_key,
        c.indicator,
        c.grade_key,
        not c.is_combined as is_alone,
        c.unit_level as cell_unit_level,
        c.source_unit_code as cell_unit_code,
        c.school_year as cell_school_year,
        c.grade as cell_grade,
        c.value as cell_value,
        c.n_pupils as cell_n_pupils,
        c.state as cell_state,
        c.raw_value as cell_raw_value,
        c.source_sha256,
        c.source_row,
        c.source_column
    from {{ ref('int_unit_cells') }} as c
    where c.cell_use = 'window' and c.value_basis <> 'recomputed' and c.unit_level <> 'national'
),

of_schools as (
    select
        m.round,
        m.unit_level,
        m.unit_code,
        m.year_key,
        m.indicator,
        m.grade_key,
        false as is_alone,
        s.unit_level as cell_unit_level,
        s.source_unit_code as cell_unit_code,
        s.school_year as cell_school_year,
        s.grade as cell_grade,
        s.value as cell_value,
        s.n_pupils as cell_n_pupils,
        s.state as cell_state,
        s.raw_value as cell_raw_value,
        s.source_sha256,
        s.source_row,
        s.source_column
    from {{ ref('int_unit_cells') }} as m
    inner join {{ ref('stg_rounds') }} as r on m.round = r.round
    inner join {{ ref('int_school_population') }} as p
        on
            m.round = p.round
            and m.unit_code = p.municipality_code
            and (r.municipality_ownership = 'all' or r.municipality_ownership = p.ownership)
    inner join {{ ref('int_unit_cells') }} as s
        on
            m.round = s.round
            and s.unit_level = 'school'
            and s.cell_use = 'window'
            and p.school_code = s.unit_code
            and m.school_year = s.school_year
            and m.indicator = s.indicator
            and m.grade = s.grade
            and s.state in ('observed', 'suppressed')
    where m.value_basis = 'recomputed' and r.restructured = 'recompute_from_schools'
)

select
    c.*,
    case c.cell_unit_level when 'school' then 'all' else r.municipality_ownership end as cell_ownership
from (
    select * from own
    union all
    select * from of_schools
) as c
inner join {{ ref('stg_rounds') }} as r on c.round = r.round
