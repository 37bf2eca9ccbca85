{#- Checks that columns always have a value. One test for all columns of a model, since each test costs a run more than
    what it looks at. A failure names the columns; look at the model's joins. -#}
{% test never_null(model, columns) %}
select *
from (
    select
        concat_ws(
            ', '
            {%- for column in columns %},
            case when {{ column }} is null then '{{ column }}' end
            {%- endfor %}
        ) as columns_without_a_value,
        model.*
    from {{ model }} as model
) as checked
where columns_without_a_value <> ''
{% endtest %}
