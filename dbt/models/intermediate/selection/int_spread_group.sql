-- Spredningsuttrekket: municipalities whose schools lie far apart and that have at least one of the nation's worst
-- schools. Where the rule wants the county governors' priorities, those that its choice of candidates names are put to
-- them: all that meet both criteria, the first of these by spread, or all that have one of the worst schools.
with identified as (
    select
        e.*,
        r.spread_quota,
        r.spread_reserve,
        r.spread_priority,
        r.spread_candidates,
        row_number() over (
            partition by e.round
            order by e.school_spread desc nulls last, e.risk_share desc, e.municipality_code asc
        ) as rank_in_group
    from {{ ref('int_eligibility') }} as e
    inner join {{ ref('stg_rounds') }} as r on e.round = r.round
    left join {{ ref('int_average_group') }} as a
        on e.round = a.round and e.municipality_code = a.municipality_code and a.status = 'selected'
    where
        e.eligible
        and not (r.spread_excludes_average and a.municipality_code is not null)
        and e.rated_schools >= r.spread_min_schools
        and (r.spread_candidates = 'worst_quarter' or e.school_spread > r.spread_level)
        and e.schools_in_worst_quartile > 0
)

select
    round,
    municipality_code,
    municipality_name,
    county_governor,
    risk_share,
    absolute_hit_share,
    pupils,
    national_rank,
    rated_schools,
    schools_in_worst_quartile,
    school_spread,
    excluded_ground,
    in_scheme_ground,
    eligible,
    spread_quota,
    spread_reserve,
    spread_priority,
    spread_candidates,
    rank_in_group,
    rank_in_group <= spread_quota as within_quota,
    case
        when spread_priority = 'required' and spread_candidates <> 'quota_and_reserve' then 'candidate'
        when rank_in_group > spread_quota + spread_reserve then null
        when spread_priority = 'required' then 'candidate'
        when rank_in_group <= spread_quota then 'selected'
        else 'reserve'
    end as status
from identified
