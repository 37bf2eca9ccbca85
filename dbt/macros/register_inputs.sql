{#-
  Before a build: make each source a view over the files that warehouse/inputs.csv lists for it (schema, name, path below
  the home). The list is written by whoever starts the build; a file that is not on it is never read. `oppfolging run` and
  the Dagster assets write it, so a plain `dbt build` reads what the last run read.
-#}
{% macro register_inputs() -%}
  {%- if execute and flags.WHICH in ('build', 'run', 'test') -%}
    {{ return(adapter.dispatch('register_inputs', 'oppfolging')(env_var('OPPFOLGING_HOME', 'data'))) }}
  {%- endif -%}
{%- endmacro %}

{% macro duckdb__register_inputs(home) -%}
  {%- set listed = run_query(
    "select place, name, string_agg('''" ~ home ~ "/' || path || '''', ', ' order by path) from read_csv('"
    ~ home ~ "/warehouse/inputs.csv', header = false, names = ['place', 'name', 'path'], all_varchar = true)"
    ~ " group by place, name order by place, name"
  ) -%}
  {%- for place in listed.columns[0].values() | unique -%}
    {%- do run_query("create schema if not exists " ~ place) -%}
  {%- endfor -%}
  {%- for row in listed.rows -%}
    {%- do run_query(
      "create or replace view " ~ row[0] ~ "." ~ row[1] ~ " as select * from read_parquet([" ~ row[2]
      ~ "], union_by_name = true, hive_partitioning = false)"
    ) -%}
  {%- endfor -%}
{%- endmacro %}

{% macro spark__register_inputs(home) -%}
  {%- set listed = run_query(
    "select _c0, _c1, concat_ws(' union all ', array_sort(collect_list(concat('select * from parquet.`" ~ home
    ~ "/', _c2, '`')))) from csv.`" ~ home ~ "/warehouse/inputs.csv` group by _c0, _c1 order by _c0, _c1"
  ) -%}
  {%- for place in listed.columns[0].values() | unique -%}
    {%- do run_query("create schema if not exists " ~ place) -%}
  {%- endfor -%}
  {%- for row in listed.rows -%}
    {%- do run_query("create or replace view " ~ row[0] ~ "." ~ row[1] ~ " as " ~ row[2]) -%}
  {%- endfor -%}
{%- endmacro %}
