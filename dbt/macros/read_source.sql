{#- The one place where a model meets a file. On DuckDB the source's own location does it; on Spark the path is named. -#}
{% macro read_source(source_name, table_name) -%}
  {{ return(adapter.dispatch('read_source', 'oppfolging')(source_name, table_name)) }}
{%- endmacro %}

{% macro default__read_source(source_name, table_name) -%}
  {{ source(source_name, table_name) }}
{%- endmacro %}

{% macro spark__read_source(source_name, table_name) -%}
  {%- set relation = source(source_name, table_name) -%}
  {%- set home = env_var('OPPFOLGING_HOME', 'data') -%}
  {%- if source_name == 'parameters' -%}
    parquet.`{{ home }}/parameters/{{ table_name }}.parquet`
  {%- else -%}
    parquet.`{{ home }}/e*/{{ table_name }}/**/*.parquet`
  {%- endif -%}
{%- endmacro %}
