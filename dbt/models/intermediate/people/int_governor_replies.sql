-- What the county governors wrote of each municipality. Priorities count when they answer exactly the candidates as they
-- stand: a reply to another list, made before new figures changed the candidates, does not, and the governor is asked
-- again. Words on a municipality of the average group stand whatever became of the other list.
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

priorities as (
    select
        round,
        county_governor,
        municipality_code
    from replies
    where selection_group = 'spread'
),

compared as (
    select
        coalesce(c.round, p.round) as round,
        coalesce(c.county_governor, p.county_governor) as county_governor,
        sum(case when c.municipality_code is null or p.municipality_code is null then 1 else 0 end) as mismatches
    from candidates as c
    full outer join priorities as p
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
    p.selection_group,
    p.priority,
    p.advice,
    p.reason,
    p.conversation_on,
    p.replied_by,
    p.replied_on,
    p.source_sha256,
    p.source_row
from replies as p
left join compared as k
    on p.round = k.round and p.county_governor = k.county_governor
where p.selection_group = 'average' or k.mismatches = 0
