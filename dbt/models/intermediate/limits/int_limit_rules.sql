-- The two limits of each indicator as rows, by the key under which a cell is judged.
{% for side in ['national', 'absolute'] %}
select distinct
    i.round,
    i.indicator,
    case when r.grades = 'pooled' then 0 else i.grade end as grade_key,
    '{{ side }}' as side,
    i.{{ side }}_method as method,
    i.{{ side }}_value as fixed_value,
    i.{{ side }}_percentile as percentile,
    i.{{ side }}_k as deviations,
    coalesce(i.{{ side }}_base_year, 'same_year') as base_year,
    i.{{ side }}_decimals as limit_decimals,
    i.decimals,
    i.direction
from {{ ref('stg_rule_indicators') }} as i
inner join {{ ref('stg_rounds') }} as r on i.round = r.round
{% if not loop.last %}union all{% endif %}
{% endfor %}
