-- All cells of the three yearly extracts, both sexes together. Rules never look at girls and boys apart.
{% set staged = ['stg_national_tests', 'stg_pupil_survey', 'stg_grade_points'] %}
{% for model in staged %}
select * from {{ ref(model) }} where sex = 'all'
{% if not loop.last %}union all{% endif %}
{% endfor %}
