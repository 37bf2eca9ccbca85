{#-
  After a build without a failure, write every mart as sorted Parquet beside the warehouse. Readers use these files and
  never the warehouse, so nobody is locked out while dbt writes. On an engine that keeps tables as files already,
  nothing is exported.
-#}
{% macro export_marts(results) -%}
  {{ return(adapter.dispatch('export_marts', 'oppfolging')(results)) }}
{%- endmacro %}

{% macro default__export_marts(results) -%}
{%- endmacro %}

{% macro duckdb__export_marts(results) -%}
  {%- if execute and results | selectattr('status', 'in', ['error', 'fail', 'runtime error', 'skipped']) | list | length == 0 -%}
    {%- for result in results if result.node.resource_type == 'model' and 'marts' in result.node.fqn -%}
      {%- set path = env_var('OPPFOLGING_HOME', 'data') ~ '/marts/' ~ result.node.name ~ '.parquet' -%}
      {%- do run_query(
        "copy (select * from " ~ result.node.relation_name ~ " order by " ~ result.node.config.meta['order_by']
        ~ ") to '" ~ path ~ "' (format parquet, compression zstd)"
      ) -%}
    {%- endfor -%}
  {%- endif -%}
{%- endmacro %}
