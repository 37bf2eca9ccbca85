{#- Is `value` worse than `limit`? Which way is worse and whether equal counts are data of the rule set. -#}
{% macro is_worse(value, limit, direction, comparison) -%}
  (
    case when {{ direction }} = 'higher_is_worse' then {{ value }} > {{ limit }} else {{ value }} < {{ limit }} end
    or ({{ comparison }} = 'worse_or_equal' and {{ value }} = {{ limit }})
  )
{%- endmacro %}
