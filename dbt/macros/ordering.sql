{#- The key of one tie-break, larger first. Which key is used is data of the rule set; a unit's code settles the rest. -#}
{% macro tie_key(tie_break) -%}
  case {{ tie_break }}
    when 'absolute_hit_share' then absolute_hit_share
    when 'pupils' then cast(pupils as double)
    else cast(0 as double)
  end
{%- endmacro %}
