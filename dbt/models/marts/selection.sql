with chosen as (
    select
        round,
        municipality_code,
        municipality_name,
        county_governor,
        'average' as selection_group,
        status,
        rank_in_group,
        concat(
            'rank ', rank_in_group, ' on its own share of risk points; ', average_quota, ' are taken',
            case when in_scheme_ground is null then '' else concat('; already in the scheme: ', in_scheme_ground) end
        ) as reason
    from {{ ref('int_average_group') }}
    where status is not null
    union all
    select
        round,
        municipality_code,
        municipality_name,
        county_governor,
        'spread' as selection_group,
        status,
        rank_in_group,
        concat(
            'rank ', rank_in_group, ' on the spread between its schools, ', schools_in_worst_quartile,
            ' of them among the nation''s worst; up to ', spread_quota, ' are taken',
            case when status = 'candidate' then '; awaits the county governor''s priority' else '' end,
            case when in_scheme_ground is null then '' else concat('; already in the scheme: ', in_scheme_ground) end
        ) as reason
    from {{ ref('int_spread_group') }}
    where status is not null
    union all
    select
        round,
        municipality_code,
        municipality_name,
        county_governor,
        'average' as selection_group,
        'excluded' as status,
        null as rank_in_group,
        coalesce(excluded_ground, concat('already in the scheme: ', in_scheme_ground)) as reason
    from {{ ref('int_eligibility') }}
    where not eligible
)

select
    c.round,
    c.municipality_code,
    c.municipality_name,
    c.county_governor,
    c.selection_group,
    c.status,
    cast(c.rank_in_group as bigint) as rank_in_group,
    cast(null as int) as governor_priority,
    cast(null as date) as decided_on,
    c.reason,
    r.origin as data_origin
from chosen as c
inner join {{ ref('stg_rounds') }} as r on c.round = r.round
