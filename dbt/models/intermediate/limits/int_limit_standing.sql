-- How the schools that a limit is taken from stand to it: how many are worse, and how many stand exactly on it. Figures
-- have few decimals, so many share the value of the limit; with a strict comparison the "worst ten percent" are fewer.
with limits_of_schools as (
    select
        k.round,
        k.indicator,
        k.grade_key,
        k.year_key,
        l.side,
        l.direction,
        l.base_year,
        case l.side when 'national' then k.national_limit else k.absolute_limit end as limit_value
    from {{ ref('int_limits') }} as k
    inner join {{ ref('int_limit_rules') }} as l
        on
            k.round = l.round and k.indicator = l.indicator and k.grade_key = l.grade_key
            and l.method in ('percentile', 'mean_sd')
)

select
    k.round,
    k.indicator,
    k.grade_key,
    k.year_key,
    k.side,
    cast(sum(case when {{ is_worse('p.value', 'k.limit_value', 'k.direction', "'strictly_worse'") }} then 1 else 0 end) as bigint)
        as schools_worse,
    cast(sum(case when p.value = k.limit_value then 1 else 0 end) as bigint) as schools_on_limit
from limits_of_schools as k
inner join {{ ref('int_limit_populations') }} as p
    on
        k.round = p.round
        and k.indicator = p.indicator
        and k.grade_key = p.grade_key
        and k.base_year = p.base_year
        and p.population = {{ limit_population('k.base_year', 'k.year_key') }}
where k.limit_value is not null
group by k.round, k.indicator, k.grade_key, k.year_key, k.side
