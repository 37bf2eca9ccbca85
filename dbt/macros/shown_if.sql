{#- A column of a public table: as it is, or null where its condition does not hold and the column is a guarded one. -#}
{% macro shown_if(condition, column, guarded=true) -%}
  {%- if guarded -%} case when {{ condition }} then {{ column }} end {%- else -%} {{ column }} {%- endif -%}
{%- endmacro %}
