{#-
  How far a figure lies above the lower end of its scale, added up over its pupils: of a share of pupils the number of
  cases, which is whole.
-#}
{% macro above_scale(value, pupils, is_share, scale_min) -%}
  case
    when {{ is_share }} then cast(floor(({{ value }} * {{ pupils }} + 50) / 100) as decimal(18, 4))
    else cast(({{ value }} - {{ scale_min }}) * {{ pupils }} as decimal(18, 4))
  end
{%- endmacro %}
