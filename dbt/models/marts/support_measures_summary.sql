-- Support measures and money by municipality, county governor, competence environment and in all, each year and together.
{%- set levels = {
    'municipality': ['municipality_code', 'municipality_name'],
    'county_governor': ['county_governor', 'county_governor'],
    'competence_environment': ['competence_environment', 'competence_environment'],
    'all': ["'all'", "'all'"]
} %}
with measures as (
    select
        s.*,
        m.municipality_name,
        m.county_governor,
        c.round
    from {{ ref('stg_support_measures') }} as s
    inner join {{ ref('int_cohort_members') }} as c
        on s.cohort = c.cohort and s.municipality_code = c.municipality_code and s.origin = c.origin
    inner join {{ ref('int_municipality_ratings') }} as m
        on c.round = m.round and c.municipality_code = m.municipality_code
),

summed as (
{%- for level, columns in levels.items() %}
{%- for year in ['year', 'cast(null as int)'] %}
    select
        cohort,
        round,
        '{{ level }}' as summary_level,
        {{ columns[0] }} as unit_key,
        {{ columns[1] }} as unit_name,
        {{ year }} as year,
        count(*) as measures,
        count(distinct municipality_code) as municipalities,
        cast(sum(applied) as decimal(18, 2)) as applied,
        cast(sum(granted) as decimal(18, 2)) as granted,
        cast(sum(spent) as decimal(18, 2)) as spent,
        max(origin) as data_origin
    from measures
    group by
        cohort,
        round
        {%- for column in columns | unique if level != 'all' %},
        {{ column }}
        {%- endfor %}
        {%- if year == 'year' %},
        year
        {%- endif %}
    {% if not (loop.last and level == 'all') %}union all{% endif %}
{%- endfor %}
{%- endfor %}
)

select
    cohort,
    round,
    summary_level,
    coalesce(unit_key, 'none') as unit_key,
    unit_name,
    cast(year as int) as year,
    measures,
    municipalities,
    applied,
    granted,
    spent,
    {{ share('granted', 'applied') }} as granted_share,
    {{ share('spent', 'granted') }} as spent_share,
    data_origin
from summed
