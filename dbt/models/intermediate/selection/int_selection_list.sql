-- Both lists as the arithmetic gives them, before anybody was asked: selected, candidates, reserve, and the excluded.
select
    round,
    municipality_code,
    municipality_name,
    county_governor,
    'average' as selection_group,
    status as arithmetic_status,
    rank_in_group,
    within_quota,
    concat(
        'rank ', rank_in_group, ' on its own share of risk points; ', average_quota, ' are taken',
        case when in_scheme_ground is null then '' else concat('; already in the scheme: ', in_scheme_ground) end
    ) as arithmetic_reason
from {{ ref('int_average_group') }}
where status is not null
union all
select
    round,
    municipality_code,
    municipality_name,
    county_governor,
    'spread' as selection_group,
    status as arithmetic_status,
    rank_in_group,
    within_quota,
    concat(
        'rank ', rank_in_group, ' on the spread between its schools, ', schools_in_worst_quartile,
        ' of them among the nation''s worst; up to ', spread_quota, ' are taken',
        case when in_scheme_ground is null then '' else concat('; already in the scheme: ', in_scheme_ground) end
    ) as arithmetic_reason
from {{ ref('int_spread_group') }}
where status is not null
union all
select
    round,
    municipality_code,
    municipality_name,
    county_governor,
    'average' as selection_group,
    'excluded' as arithmetic_status,
    null as rank_in_group,
    false as within_quota,
    coalesce(excluded_ground, concat('already in the scheme: ', in_scheme_ground)) as arithmetic_reason
from {{ ref('int_eligibility') }}
where not eligible
