{#- Checks that a limit frozen in a base year is the same in every round of the same rule set, and taken from as many
    schools. A failure means that an exception or a place of a round moved it; each row names a round and its limit. -#}
{% test frozen_limits_agree(model, rounds) %}
with frozen as (
    {% for side in ['national', 'absolute'] %}
    select
        l.round,
        r.origin,
        r.rule_set,
        l.indicator,
        l.grade,
        '{{ side }}' as side,
        l.{{ side }}_base_year as base_year,
        max(l.{{ side }}_limit) as limit_value,
        max(l.{{ side }}_schools) as schools
    from {{ model }} as l
    inner join {{ rounds }} as r on l.round = r.round
    where l.{{ side }}_base_year is not null
    group by l.round, r.origin, r.rule_set, l.indicator, l.grade, l.{{ side }}_base_year
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

compared as (
    select
        *,
        min(limit_value) over same as lowest,
        max(limit_value) over same as highest,
        min(coalesce(schools, 0)) over same as fewest,
        max(coalesce(schools, 0)) over same as most
    from frozen
    window same as (partition by origin, rule_set, indicator, grade, side, base_year)
)

select
    round,
    indicator,
    grade,
    side,
    base_year,
    limit_value,
    schools
from compared
where lowest <> highest or fewest <> most
order by indicator, grade, side, base_year, round
{% endtest %}
