-- The public edition of cohort_progress. The share of a year is a sum over its cells, so it is shown when each of them is; the
-- share, rank and pupils at the selection as the public edition of the round has them.
with lags as (
    select distinct
        i.round,
        i.indicator,
        i.lag
    from {{ ref('stg_rule_indicators') }} as i
    inner join {{ ref('stg_rounds') }} as r on i.round = r.round and r.purpose = 'monitoring'
),

cells as (
    select
        c.round,
        c.unit_code,
        c.indicator,
        c.grade_key,
        c.year_key,
        c.judged,
        c.publication,
        c.pupils_shown,
        cast(substr(c.year_key, 1, 4) as int) + i.lag as data_year
    from {{ ref('int_public_cells') }} as c
    inner join lags as i on c.round = i.round and c.indicator = i.indicator
    where c.unit_level = 'municipality' and c.year_key <> 'window'
),

years as (
    select
        round,
        unit_code,
        data_year,
        min(case when judged and publication <> 'shown' then 0 else 1 end) = 1 as all_shown,
        min(case when judged and not pupils_shown then 0 else 1 end) = 1 as all_pupils_shown
    from cells
    group by round, unit_code, data_year
),

followed as (
    select
        f.cohort,
        f.municipality_code,
        f.monitoring_round,
        coalesce(s.sums_shown, false) as sums_shown,
        coalesce(s.pupils_shown, false) as pupils_shown,
        coalesce(s.ranks_shown, false) as ranks_shown
    from {{ ref('int_followed_municipalities') }} as f
    left join {{ ref('int_public_sums') }} as s
        on f.round = s.round and s.unit_level = 'municipality' and f.selected_code = s.unit_code
),

decided as (
    select
        p.*,
        f.sums_shown,
        f.pupils_shown,
        f.ranks_shown,
        case
            when p.indicator <> 'risk_share' then c.publication
            when p.state <> 'observed' then 'no_figure'
            when y.all_shown then 'shown'
            else 'hidden_complementary'
        end as publication,
        case when p.indicator <> 'risk_share' then c.pupils_shown else y.all_shown and y.all_pupils_shown end
            as has_pupils
    from {{ ref('cohort_progress') }} as p
    inner join followed as f on p.cohort = f.cohort and p.municipality_code = f.municipality_code
    left join cells as c
        on
            f.monitoring_round = c.round
            and p.municipality_code = c.unit_code
            and p.indicator = c.indicator
            and coalesce(p.grade, 0) = c.grade_key
            and p.school_year = c.year_key
    left join years as y
        on
            f.monitoring_round = y.round
            and p.municipality_code = y.unit_code
            and p.data_year = y.data_year
)

select
    cohort,
    round,
    municipality_code,
    municipality_name,
    county_governor,
    selected_code,
    how,
    in_cohort,
    eligible_comparison,
    {{ shown_if('sums_shown', 'baseline_share') }} as baseline_share,
    {{ shown_if('ranks_shown', 'baseline_rank') }} as baseline_rank,
    {{ shown_if('pupils_shown', 'baseline_pupils') }} as baseline_pupils,
    event_time,
    data_year,
    school_year,
    indicator,
    grade,
    {{ shown_if("publication = 'shown'", 'value') }} as value,
    state,
    {{ shown_if('has_pupils', 'n_pupils') }} as n_pupils,
    national_value,
    {{ shown_if("publication = 'shown'", 'gap') }} as gap,
    {{ shown_if("publication = 'shown'", 'points') }} as points,
    coverage,
    publication,
    data_origin
from decided
