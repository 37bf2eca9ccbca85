{#- Checks that a number lies in a closed range where it is known. A failure means a scale or a sum is wrong. -#}
{% test between(model, column_name, lowest, highest) %}
select {{ column_name }}
from {{ model }}
where {{ column_name }} < {{ lowest }} or {{ column_name }} > {{ highest }}
{% endtest %}
