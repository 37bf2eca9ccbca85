{#- Checks that every row has its counterpart in another model by several keys. -#}
{% test exists_in(model, column_name, model_name, keys) %}
select child.{{ column_name }}
from {{ model }} as child
left join {{ model_name }} as parent
    on {% for key in keys %}child.{{ key }} = parent.{{ key }}{% if not loop.last %} and {% endif %}{% endfor %}

where parent.{{ keys[0] }} is null
{% endtest %}
