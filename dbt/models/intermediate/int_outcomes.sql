-- What became of each municipality on the lists, and of those decided on although no list holds them. The arithmetic's
-- own proposal stays beside every decision, and a decision that departs from it is marked.
with listed as (
    select
        p.*,
        row_number() over (
            partition by p.round, p.municipality_code
            order by
                case when p.proposed_status = 'selected' then 1 when p.is_candidate then 2 else 3 end asc,
                p.selection_group asc
        ) as decided_here
    from {{ ref('int_proposals') }} as p
),

decided as (
    select
        l.*,
        d.decision,
        d.decided_on,
        d.decided_by,
        d.reason as decision_reason,
        coalesce(d.was_called_up, false) as was_called_up,
        d.source_sha256 as decision_source_sha256,
        d.source_row as decision_source_row
    from listed as l
    left join {{ ref('int_decisions_in_force') }} as d
        on l.round = d.round and l.municipality_code = d.municipality_code and l.decided_here = 1
),

off_list as (
    select
        d.*,
        m.municipality_name,
        m.county_governor
    from {{ ref('int_decisions_in_force') }} as d
    inner join {{ ref('int_municipality_ratings') }} as m
        on d.round = m.round and d.municipality_code = m.municipality_code
    left join listed as l on d.round = l.round and d.municipality_code = l.municipality_code
    where l.municipality_code is null
),

together as (
    select
        round,
        municipality_code,
        municipality_name,
        county_governor,
        selection_group,
        arithmetic_status,
        proposed_status,
        proposed_place,
        rank_in_group,
        within_quota,
        arithmetic_reason,
        priority,
        governor_reason,
        conversation_on,
        replied_by,
        reply_source_sha256,
        reply_source_row,
        decision,
        decided_on,
        decided_by,
        decision_reason,
        was_called_up,
        decision_source_sha256,
        decision_source_row
    from decided
    union all
    select
        round,
        municipality_code,
        municipality_name,
        county_governor,
        'average' as selection_group,
        'not_listed' as arithmetic_status,
        'not_listed' as proposed_status,
        null as proposed_place,
        null as rank_in_group,
        false as within_quota,
        'on neither list' as arithmetic_reason,
        null as priority,
        null as governor_reason,
        null as conversation_on,
        null as replied_by,
        null as reply_source_sha256,
        null as reply_source_row,
        decision,
        decided_on,
        decided_by,
        reason as decision_reason,
        was_called_up,
        source_sha256 as decision_source_sha256,
        source_row as decision_source_row
    from off_list
),

-- a reserve that is called up follows the rule when nobody before it in the reserve still waits to be asked
in_reserve as (
    select
        *,
        sum(case when proposed_status = 'reserve' and decision is null then 1 else 0 end) over (
            partition by round, selection_group order by proposed_place asc nulls last, municipality_code asc
            rows between unbounded preceding and 1 preceding
        ) as passed_over
    from together
)

select
    *,
    case
        when decision in ('decline', 'withdrew') then 'declined'
        when decision = 'exclude' then 'excluded'
        when decision in ('accept', 'called_up') then 'selected'
        when proposed_status = 'not_listed' then 'excluded'
        else proposed_status
    end as status,
    case
        when decision is null then false
        when decision = 'exclude' then proposed_status <> 'excluded'
        when decision in ('decline', 'withdrew') then false
        when proposed_status = 'selected' then false
        when proposed_status = 'reserve' and was_called_up then coalesce(passed_over, 0) > 0
        else true
    end as is_override
from in_reserve
