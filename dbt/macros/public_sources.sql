{#-
  The public edition of a mart of source cells: the content of each cell when everybody may see it. Where it stands is no figure.
-#}
{% macro public_sources(mart, keys) -%}
select
    {% for column in keys + ['cell_unit_level', 'cell_unit_code', 'cell_school_year', 'cell_grade', 'cell_ownership'] -%}
    s.{{ column }},
    {% endfor -%}
    {{ shown_if("c.publication = 'shown'", 's.cell_value') }} as cell_value,
    {{ shown_if('c.pupils_shown', 's.cell_n_pupils') }} as cell_n_pupils,
    s.cell_state,
    {{ shown_if("c.publication = 'shown'", 's.cell_raw_value') }} as cell_raw_value,
    s.source_sha256,
    s.source_row,
    s.source_column,
    c.publication,
    s.data_origin
from {{ mart }} as s
inner join {{ ref('int_public_source_cells') }} as c
    on
        s.data_origin = c.origin
        and {{ is_cell('s', 'c') }}
{%- endmacro %}
