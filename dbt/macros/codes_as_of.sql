{#- The day as of which the municipality codes of a school year are read: 1 October of the year in which it begins. -#}
{% macro codes_as_of(start_year) -%}
  cast(concat(cast({{ start_year }} as string), '-10-01') as date)
{%- endmacro %}
