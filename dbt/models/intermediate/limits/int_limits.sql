-- The national and the absolute limit of each indicator, grade and year that is judged, by the method its rule names,
-- with the cell it stands in: a published national value, or the school that closes the worst percent.
with judged_keys as (
    select distinct
        round,
        indicator,
        grade_key,
        year_key
    from {{ ref('int_observations') }}
    where cell_use = 'window' and unit_level <> 'national'
),

percentiles as (
    select
        p.round,
        p.indicator,
        p.grade_key,
        p.base_year,
        p.population,
        l.side,
        p.value as limit_value,
        p.schools,
        p.source_sha256,
        p.source_row,
        p.source_column
    from {{ ref('int_limit_populations') }} as p
    inner join {{ ref('int_limit_rules') }} as l
        on
            p.round = l.round and p.indicator = l.indicator and p.grade_key = l.grade_key
            and p.base_year = l.base_year and l.method = 'percentile'
    where
        p.worst_position = greatest(
            1, ceil(cast({{ ten_thousandths('l.percentile') }} * p.schools as double) / cast(100 * 10000 as double))
        )
),

sums as (
    select
        round,
        indicator,
        grade_key,
        base_year,
        population,
        count(*) as n,
        sum(scaled_value) as s1,
        sum(cast(scaled_value as decimal(38, 0)) * scaled_value) as s2,
        max(case when restricted then 1 else 0 end) = 1 as restricted
    from {{ ref('int_limit_populations') }}
    group by round, indicator, grade_key, base_year, population
),

deviations as (
    select
        s.round,
        s.indicator,
        s.grade_key,
        s.base_year,
        s.population,
        s.n as schools,
        l.side,
        l.limit_decimals,
        (
            cast(s.s1 as double) / cast(s.n as double)
            + case when l.direction = 'higher_is_worse' then 1 else -1 end
            * cast(l.deviations as double) * {{ sample_deviation('s.n', 's.s1', 's.s2') }}
        ) / {{ power_of_ten('l.decimals') }} as limit_value
    from sums as s
    inner join {{ ref('int_limit_rules') }} as l
        on
            s.round = l.round and s.indicator = l.indicator and s.grade_key = l.grade_key
            and s.base_year = l.base_year and l.method = 'mean_sd'
),

derived as (
    select
        round,
        indicator,
        grade_key,
        base_year,
        population,
        side,
        limit_value,
        schools,
        source_sha256,
        source_row,
        source_column
    from percentiles
    union all
    select
        round,
        indicator,
        grade_key,
        base_year,
        population,
        side,
        cast({{ round_half_up('limit_value', 'limit_decimals') }} as decimal(18, 4)) as limit_value,
        schools,
        cast(null as string) as source_sha256,
        cast(null as bigint) as source_row,
        cast(null as string) as source_column
    from deviations
    where limit_value is not null
),

found as (
    select
        k.round,
        k.indicator,
        k.grade_key,
        k.year_key,
        l.side,
        case l.method
            when 'fixed' then l.fixed_value
            when 'published' then n.value
            else d.limit_value
        end as limit_value,
        d.schools,
        case l.method when 'fixed' then false when 'published' then n.restricted else b.restricted end as restricted,
        case when l.method = 'published' then n.source_sha256 else d.source_sha256 end as source_sha256,
        case when l.method = 'published' then n.source_row else d.source_row end as source_row,
        case when l.method = 'published' then n.source_column else d.source_column end as source_column
    from judged_keys as k
    inner join {{ ref('int_limit_rules') }} as l
        on k.round = l.round and k.indicator = l.indicator and k.grade_key = l.grade_key
    left join {{ ref('int_observations') }} as n
        on
            l.method = 'published'
            and {{ home_nation('n') }}
            and n.cell_use = 'window'
            and n.state = 'observed'
            and k.round = n.round
            and k.indicator = n.indicator
            and k.grade_key = n.grade_key
            and k.year_key = n.year_key
    left join derived as d
        on
            k.round = d.round
            and k.indicator = d.indicator
            and k.grade_key = d.grade_key
            and l.side = d.side
            and l.base_year = d.base_year
            and d.population = {{ limit_population('l.base_year', 'k.year_key') }}
    left join sums as b
        on
            k.round = b.round
            and k.indicator = b.indicator
            and k.grade_key = b.grade_key
            and l.base_year = b.base_year
            and b.population = {{ limit_population('l.base_year', 'k.year_key') }}
)

select
    round,
    indicator,
    grade_key,
    year_key,
    {% for side in ['national', 'absolute'] %}
    max(case when side = '{{ side }}' then limit_value end) as {{ side }}_limit,
    max(case when side = '{{ side }}' then schools end) as {{ side }}_schools,
    max(case when side = '{{ side }}' and restricted then 1 else 0 end) = 1 as {{ side }}_restricted,
    max(case when side = '{{ side }}' then source_sha256 end) as {{ side }}_source_sha256,
    max(case when side = '{{ side }}' then source_row end) as {{ side }}_source_row,
    max(case when side = '{{ side }}' then source_column end) as {{ side }}_source_column{{ ',' if not loop.last }}
    {% endfor %}
from found
group by round, indicator, grade_key, year_key
