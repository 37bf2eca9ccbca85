-- All cells of the three yearly extracts at home, both sexes together. Rules never look at girls and boys apart, and
-- Norwegian schools abroad, which have a nation of their own in the files, are no part of any comparison.
{% set staged = ['stg_national_tests', 'stg_pupil_survey', 'stg_grade_points'] %}
{% for model in staged %}
select
    dataset,
    school_year,
    start_year,
    unit_level,
    unit_code,
    unit_name,
    county_code,
    municipality_code,
    grade,
    indicator,
    ownership,
    sex,
    value,
    n_pupils,
    uncertainty,
    state,
    restricted,
    raw_value,
    source_sha256,
    source_row,
    source_column,
    origin
from {{ ref(model) }}
where sex = 'all' and not abroad
{% if not loop.last %}union all{% endif %}
{% endfor %}
