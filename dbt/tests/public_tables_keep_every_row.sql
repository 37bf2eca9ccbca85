-- A hidden figure leaves an empty cell, never a missing row.
{% for name in ['indicator_points', 'point_sources', 'school_ranking', 'municipality_ranking', 'selection'] %}
select
    '{{ name }}' as table_name,
    whole.rows_whole,
    public.rows_public
from (select count(*) as rows_whole from {{ ref(name) }}) as whole
cross join (select count(*) as rows_public from {{ ref('public_' ~ name) }}) as public
where whole.rows_whole <> public.rows_public
{% if not loop.last %}union all{% endif %}
{% endfor %}
