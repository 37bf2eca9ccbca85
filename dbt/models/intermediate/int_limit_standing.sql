-- How the schools that a limit is taken from stand to it: how many are worse, and how many stand exactly on it. Figures
-- have few decimals, so many share the value of the limit; with a strict comparison the "worst ten percent" are fewer.
select
    k.round,
    k.indicator,
    k.grade_key,
    k.year_key,
    l.side,
    cast(sum(case when {{ is_worse('p.value', 'k.limit_value', 'l.direction', "'strictly_worse'") }} then 1 else 0 end) as bigint)
        as schools_worse,
    cast(sum(case when p.value = k.limit_value then 1 else 0 end) as bigint) as schools_on_limit
from (
    {% for side in ['national', 'absolute'] %}
    select
        round,
        indicator,
        grade_key,
        year_key,
        '{{ side }}' as side,
        {{ side }}_limit as limit_value
    from {{ ref('int_limits') }}
    {{ 'union all' if not loop.last }}
    {% endfor %}
) as k
inner join {{ ref('int_limit_rules') }} as l
    on
        k.round = l.round and k.indicator = l.indicator and k.grade_key = l.grade_key and k.side = l.side
        and l.method in ('percentile', 'mean_sd')
inner join {{ ref('int_limit_populations') }} as p
    on
        k.round = p.round
        and k.indicator = p.indicator
        and k.grade_key = p.grade_key
        and l.base_year = p.base_year
        and p.population = {{ limit_population('l.base_year', 'k.year_key') }}
where k.limit_value is not null
group by k.round, k.indicator, k.grade_key, k.year_key, l.side
