-- Gjennomsnittsuttrekket: the municipalities with the highest share of their own, up to the quota, then a reserve.
with ordered as (
    select
        e.*,
        r.average_quota,
        r.average_reserve,
        r.average_ties,
        row_number() over (partition by e.round order by e.national_rank) as rank_in_group
    from {{ ref('int_eligibility') }} as e
    inner join {{ ref('stg_rounds') }} as r on e.round = r.round
    where e.eligible
),

cut as (
    select
        *,
        min(case when rank_in_group <= average_quota then risk_share end) over (partition by round) as last_share
    from ordered
),

selected as (
    select
        *,
        rank_in_group <= average_quota
        or coalesce(average_ties = 'include_ties' and risk_share >= last_share, false) as is_selected
    from cut
),

counted as (
    select
        *,
        cast(sum(case when is_selected then 1 else 0 end) over (partition by round) as bigint) as taken
    from selected
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
    average_quota,
    average_reserve,
    average_ties,
    rank_in_group,
    last_share,
    is_selected,
    taken,
    is_selected as within_quota,
    case
        when is_selected then 'selected'
        when rank_in_group <= taken + average_reserve then 'reserve'
    end as status
from counted
