-- Rated schools of the whole country, worst first, and which of them are the nation's worst share.
with ranked as (
    select
        s.round,
        s.school_code,
        s.municipality_code,
        s.risk_share,
        r.worst_schools_percent,
        r.worst_schools_ties,
        cast(
            row_number() over (
                partition by s.round
                order by
                    s.risk_share desc, {{ tie_key('r.tie_break_1') }} desc, {{ tie_key('r.tie_break_2') }} desc,
                    s.school_code asc
            ) as bigint
        ) as rank,
        count(*) over (partition by s.round) as rated_schools,
        count(*) over (partition by s.round, s.risk_share) as same_share
    from {{ ref('int_school_ratings') }} as s
    inner join {{ ref('stg_rounds') }} as r on s.round = r.round
    where s.not_rated_reason is null
),

cut as (
    select
        *,
        rank * 100 <= worst_schools_percent * rated_schools as inside
    from ranked
),

lowest as (
    select
        *,
        min(case when inside then risk_share end) over (partition by round) as last_share_inside
    from cut
)

select
    round,
    school_code,
    municipality_code,
    risk_share,
    rank,
    same_share > 1 as tied,
    inside or coalesce(worst_schools_ties = 'include_ties' and risk_share >= last_share_inside, false) as worst_quartile
from lowest
