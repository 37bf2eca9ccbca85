-- Every source cell behind every figure of a municipality that a cohort's tables follow.
select distinct
    f.cohort,
    f.round,
    f.municipality_code,
    cast(substr(s.year_key, 1, 4) as int) + i.lag as data_year,
    s.indicator,
    case when s.grade_key > 0 then s.grade_key end as grade,
    s.cell_unit_level,
    s.cell_unit_code,
    s.cell_school_year,
    s.cell_grade,
    s.cell_ownership,
    s.cell_value,
    s.cell_n_pupils,
    s.cell_state,
    s.cell_raw_value,
    s.source_sha256,
    s.source_row,
    s.source_column,
    f.origin as data_origin
from {{ ref('int_followed_municipalities') }} as f
inner join {{ ref('int_point_sources') }} as s
    on
        f.monitoring_round = s.round
        and f.municipality_code = s.unit_code
        and s.unit_level = 'municipality'
inner join {{ ref('stg_rule_indicators') }} as i
    on s.round = i.round and s.indicator = i.indicator and s.cell_grade = i.grade
where
    cast(substr(s.year_key, 1, 4) as int) + i.lag - f.last_start_year
    <= extract(year from f.followup_ends_on) - extract(year from f.followup_starts_on)
