{#- The three yearly extracts share one shape; each staging model only names its own. -#}
{% macro staged_extract(dataset) -%}
select
    dataset,
    school_year,
    cast(substr(school_year, 1, 4) as int) as start_year,
    unit_level,
    unit_code,
    unit_name,
    county_code,
    municipality_code,
    abroad,
    cast(grade as int) as grade,
    indicator,
    ownership,
    sex,
    cast(value as decimal(18, 4)) as value,
    cast(n_pupils as bigint) as n_pupils,
    cast(uncertainty as decimal(18, 4)) as uncertainty,
    state,
    coalesce(restricted, false) as restricted,
    raw_value,
    source_sha256,
    source_row,
    source_column,
    case when fictional then 'fictional' else 'official' end as origin
from {{ source('extracts', dataset) }}
{%- endmacro %}
