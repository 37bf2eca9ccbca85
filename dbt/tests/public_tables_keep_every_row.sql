-- A hidden figure leaves an empty cell, never a missing row.
with counted as (
    {% for name in [
        'indicator_points', 'point_sources', 'school_ranking', 'municipality_ranking', 'selection', 'official_list',
        'cohort_progress', 'cohort_sources'
    ] %}
    select
        '{{ name }}' as table_name,
        'internal' as edition,
        count(*) as row_count
    from {{ ref(name) }}
    union all
    select
        '{{ name }}' as table_name,
        'public' as edition,
        count(*) as row_count
    from {{ ref('public_' ~ name) }}
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
)

select table_name
from counted
group by table_name
having min(row_count) <> max(row_count)
