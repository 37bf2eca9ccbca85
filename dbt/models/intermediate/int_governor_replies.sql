-- County governors' priorities that answer exactly the candidates as they stand. A reply to another list, made before
-- new figures changed the candidates, does not count; the governor is asked again.
with candidates as (
    select
        round,
        county_governor,
        municipality_code
    from {{ ref('int_spread_group') }}
    where status = 'candidate'
),

replies as (
    select p.*
    from {{ ref('stg_governor_priorities') }} as p
    inner join {{ ref('stg_rounds') }} as r on p.round = r.round and p.origin = r.origin
),

compared as (
    select
        coalesce(c.round, p.round) as round,
        coalesce(c.county_governor, p.county_governor) as county_governor,
        sum(case when c.municipality_code is null or p.municipality_code is null then 1 else 0 end) as mismatches
    from candidates as c
    full outer join replies as p
        on
            c.round = p.round
            and c.county_governor = p.county_governor
            and c.municipality_code = p.municipality_code
    group by coalesce(c.round, p.round), coalesce(c.county_governor, p.county_governor)
)

select
    p.round,
    p.county_governor,
    p.municipality_code,
    p.priority,
    p.reason,
    p.conversation_on,
    p.replied_by,
    p.replied_on,
    p.source_sha256,
    p.source_row
from replies as p
inner join compared as k
    on p.round = k.round and p.county_governor = k.county_governor and k.mismatches = 0
