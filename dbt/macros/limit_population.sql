{# Year of the schools that a limit judging a cell is taken from: its base year, else the year of the cell itself. #}
{% macro limit_population(base_year, year_key) -%}
    case when {{ base_year }} = 'same_year' then {{ year_key }} else {{ base_year }} end
{%- endmacro %}
