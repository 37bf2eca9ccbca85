-- Each indicator and the share of risk points, year by year, from the years before the selection to the end of the
-- follow-up: for the cohort, and for every other municipality its round ranked. One year's share by the same rule.
with followed as (
    select * from {{ ref('int_followed_municipalities') }}
),

lags as (
    select distinct
        round,
        indicator,
        lag,
        direction
    from {{ ref('stg_rule_indicators') }}
),

points as (
    select
        p.round as monitoring_round,
        p.unit_code as municipality_code,
        cast(substr(p.year_key, 1, 4) as int) + l.lag as data_year,
        p.year_key as school_year,
        p.indicator,
        p.grade_key,
        p.value,
        p.n_pupils,
        p.state,
        p.points,
        p.weighted_points,
        p.possible_points,
        p.applicable_points,
        n.value as national_value,
        case when l.direction = 'higher_is_worse' then p.value - n.value else n.value - p.value end as gap
    from {{ ref('int_indicator_points') }} as p
    inner join {{ ref('stg_rounds') }} as r on p.round = r.round and r.purpose = 'monitoring'
    inner join lags as l on p.round = l.round and p.indicator = l.indicator
    left join {{ ref('int_observations') }} as n
        on
            {{ home_nation('n') }}
            and n.cell_use = 'window'
            and n.state = 'observed'
            and p.round = n.round
            and p.indicator = n.indicator
            and p.grade_key = n.grade_key
            and p.year_key = n.year_key
    where p.unit_level = 'municipality'
),

rows_of_indicators as (
    select
        monitoring_round,
        municipality_code,
        data_year,
        school_year,
        indicator,
        case when grade_key > 0 then grade_key end as grade,
        cast(value as double) as value,
        state,
        n_pupils,
        cast(national_value as double) as national_value,
        cast(gap as double) as gap,
        points,
        case when state = 'observed' then cast(1 as double) else cast(0 as double) end as coverage
    from points
),

shares as (
    select
        monitoring_round,
        municipality_code,
        data_year,
        cast(null as string) as school_year,
        'risk_share' as indicator,
        cast(null as int) as grade,
        {{ share('coalesce(sum(weighted_points), 0)', 'sum(possible_points)') }} as value,
        case when sum(possible_points) > 0 then 'observed' else 'suppressed' end as state,
        cast(sum(case when state = 'observed' then n_pupils end) as bigint) as n_pupils,
        cast(null as double) as national_value,
        cast(null as double) as gap,
        cast(null as int) as points,
        {{ share('sum(possible_points)', 'sum(applicable_points)') }} as coverage
    from points
    group by monitoring_round, municipality_code, data_year
),

together as (
    select * from rows_of_indicators
    union all
    select * from shares
)

select
    f.cohort,
    f.round,
    f.municipality_code,
    f.municipality_name,
    f.county_governor,
    f.selected_code,
    f.how,
    f.in_cohort,
    f.eligible_comparison,
    f.baseline_share,
    cast(f.baseline_rank as bigint) as baseline_rank,
    cast(f.baseline_pupils as bigint) as baseline_pupils,
    cast(t.data_year - f.last_start_year as int) as event_time,
    cast(t.data_year as int) as data_year,
    t.school_year,
    t.indicator,
    cast(t.grade as int) as grade,
    t.value,
    t.state,
    cast(t.n_pupils as bigint) as n_pupils,
    t.national_value,
    t.gap,
    cast(t.points as int) as points,
    t.coverage,
    f.origin as data_origin
from followed as f
inner join together as t
    on f.monitoring_round = t.monitoring_round and f.municipality_code = t.municipality_code
where
    t.data_year - f.last_start_year
    <= extract(year from f.followup_ends_on) - extract(year from f.followup_starts_on)
