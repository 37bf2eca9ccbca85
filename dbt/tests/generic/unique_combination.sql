{#- Checks that the named columns together identify a row. A failure means a join multiplied rows or a file repeats a
    cell: look at the first rows it returns. -#}
{% test unique_combination(model, columns) %}
select {{ columns | join(', ') }}
from {{ model }}
group by {{ columns | join(', ') }}
having count(*) > 1
{% endtest %}
