{#-
  Exact arithmetic. Published figures are decimals; they are summed as integers and divided once at the end, so the
  order of rows, the number of threads and the engine cannot change a result.
-#}

{#- A decimal with at most four decimals as an integer of ten-thousandths. -#}
{% macro ten_thousandths(x) -%}
  cast(({{ x }}) * 10000 as bigint)
{%- endmacro %}

{#- numerator / denominator as a double, null when the denominator is not positive. Both are sums of points or weights. -#}
{% macro share(numerator, denominator) -%}
  case when {{ denominator }} > 0 then
    cast({{ ten_thousandths(numerator) }} as double) / cast({{ ten_thousandths(denominator) }} as double)
  end
{%- endmacro %}

{% macro power_of_ten(digits) -%}
  cast(power(10, {{ digits }}) as bigint)
{%- endmacro %}

{#- A published figure as an integer number of its last decimal. -#}
{% macro in_last_decimals(x, digits) -%}
  cast(({{ x }}) * {{ power_of_ten(digits) }} as bigint)
{%- endmacro %}

{#-
  Aggregate: the mean of `x` weighted by `n`, rounded half up to `digits` decimals. With S = sum(x n) and N = sum(n) in
  integers, half-up rounding of S/N is floor((2S + N) / 2N), which a double holds exactly at these sizes.
-#}
{% macro rounded_weighted_mean(x, n, digits, usable) -%}
  cast(
    floor(
      cast(2 * sum(case when {{ usable }} then {{ in_last_decimals(x, digits) }} * {{ n }} end)
           + sum(case when {{ usable }} then {{ n }} end) as double)
      / cast(nullif(2 * sum(case when {{ usable }} then {{ n }} end), 0) as double)
    ) / max({{ power_of_ten(digits) }}) as decimal(18, 4)
  )
{%- endmacro %}

{#- A double rounded half up to `digits` decimals. -#}
{% macro round_half_up(x, digits) -%}
  floor(({{ x }}) * {{ power_of_ten(digits) }} + cast(0.5 as double)) / {{ power_of_ten(digits) }}
{%- endmacro %}

{#- Sample standard deviation from integer sums: sqrt((n S2 - S1 S1) / (n (n - 1))), null below two values. -#}
{% macro sample_deviation(n, s1, s2) -%}
  case when {{ n }} > 1 then
    sqrt(
      cast(cast({{ n }} as decimal(38, 0)) * {{ s2 }} - cast({{ s1 }} as decimal(38, 0)) * {{ s1 }} as double)
      / cast({{ n }} * ({{ n }} - 1) as double)
    )
  end
{%- endmacro %}
