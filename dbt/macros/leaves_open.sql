{#-
  Whether enough stays open about each of several hidden figures, when what they add up to is known: `excess` above the lower
  end of the scale and `lack` below its upper end, over all their pupils. Least is open about the one with the most pupils,
  `largest`. Of a mean so much of its scale must be possible; of a share so many numbers of cases, and one more. For who knows
  this rule knows too that what was hidden before left too little, and that must leave so many numbers as well.
-#}
{% macro leaves_open(is_share, scale, largest, excess, lack, min_counts, min_interval) -%}
  case
    when {{ is_share }} then
      {{ excess }} >= {{ min_counts }}
      and {{ lack }} >= {{ min_counts }}
      and least({{ largest }}, {{ excess }}) + least({{ largest }}, {{ lack }}) - {{ largest }} >= {{ min_counts }}
    else
      {{ excess }} >= 0
      and {{ lack }} >= 0
      and least({{ scale }} * {{ largest }}, {{ excess }}) + least({{ scale }} * {{ largest }}, {{ lack }})
      - {{ scale }} * {{ largest }} >= {{ min_interval }} * {{ scale }} * {{ largest }}
  end
{%- endmacro %}
