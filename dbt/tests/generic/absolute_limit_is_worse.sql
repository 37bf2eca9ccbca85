{#- Checks that the absolute limit is not better than the national one. A failure means that the two have crossed, so that
    a value better than the national limit gives the points of the absolute one; each row names such a cell. -#}
{% test absolute_limit_is_worse(model, rules) %}
select
    l.round,
    l.indicator,
    l.grade,
    l.school_year,
    l.national_limit,
    l.absolute_limit
from {{ model }} as l
inner join (select distinct round, indicator, direction from {{ rules }}) as d
    on l.round = d.round and l.indicator = d.indicator
where
    case
        when d.direction = 'higher_is_worse' then l.absolute_limit < l.national_limit
        else l.absolute_limit > l.national_limit
    end
order by l.round, l.indicator, l.grade, l.school_year
{% endtest %}
