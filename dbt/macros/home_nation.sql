{#- Is a row the nation's own? Files may hold the nation of the schools abroad beside it, so the level alone names two. -#}
{% macro home_nation(alias) -%}
  ({{ alias }}.unit_level = 'national' and {{ alias }}.unit_code = 'I')
{%- endmacro %}
