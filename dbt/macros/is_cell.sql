{#- Whether a row of source cells, `source`, has the very cell that `cell` decides about. Each knows its origin otherwise. -#}
{% macro is_cell(source, cell) -%}
{{ source }}.cell_unit_level = {{ cell }}.unit_level
and {{ source }}.cell_unit_code = {{ cell }}.unit_code
and {{ source }}.cell_ownership = {{ cell }}.ownership
and {{ source }}.indicator = {{ cell }}.indicator
and {{ source }}.cell_grade = {{ cell }}.grade
and {{ source }}.cell_school_year = {{ cell }}.school_year
{%- endmacro %}
