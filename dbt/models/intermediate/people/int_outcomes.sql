-- What became of each municipality on the lists, and of those decided on although no list holds them. The arithmetic's
-- own proposal stays beside every decision, and a decision that departs from it is marked. A decision is on a
-- municipality, whichever list it is on; of its rows one holds the decision: the one whose proposal the decision answers.
-- The other follows it, so that nothing stays open: declined or excluded there too, or excluded because taken already.
with listed as (
    select
        p.*,
        d.decision,
        d.decided_on,
        d.decided_by,
        d.reason as decision_reason,
        coalesce(d.was_called_up, false) as was_called_up,
        d.source_sha256 as decision_source_sha256,
        d.source_row as decision_source_row
    from {{ ref('int_proposals') }} as p
    left join {{ ref('int_decisions_in_force') }} as d
        on p.round = d.round and p.municipality_code = d.municipality_code
),

-- a reserve is passed over by those behind it on its list for as long as nothing is decided on its municipality
queued as (
    select
        *,
        cast(coalesce(sum(case when proposed_status = 'reserve' and decision is null then 1 else 0 end) over (
            partition by round, selection_group order by proposed_place asc nulls last, municipality_code asc
            rows between unbounded preceding and 1 preceding
        ), 0) as bigint) as passed_over
    from listed
),

ordered as (
    select
        *,
        row_number() over (
            partition by round, municipality_code
            order by
                case
                    when proposed_status = 'selected' then 1
                    when proposed_status = 'reserve' and was_called_up and passed_over = 0 then 2
                    when is_candidate then 3
                    else 4
                end asc,
                selection_group asc
        ) = 1 as decided_here
    from queued
),

answered as (
    select
        *,
        max(case when decided_here then selection_group end) over (partition by round, municipality_code) as decided_group
    from ordered
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
        governor_advice,
        governor_reason,
        conversation_on,
        replied_by,
        reply_source_sha256,
        reply_source_row,
        passed_over,
        case when decided_here then decision end as decision,
        case when decided_here then decided_on end as decided_on,
        case when decided_here then decided_by end as decided_by,
        case when decided_here then decision_reason end as decision_reason,
        decided_here and was_called_up as was_called_up,
        case when decided_here then decision_source_sha256 end as decision_source_sha256,
        case when decided_here then decision_source_row end as decision_source_row,
        case when not decided_here and decision is not null then decided_group end as elsewhere_group,
        case when not decided_here then decision end as elsewhere_decision
    from answered
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
        null as governor_advice,
        null as governor_reason,
        null as conversation_on,
        null as replied_by,
        null as reply_source_sha256,
        null as reply_source_row,
        0 as passed_over,
        decision,
        decided_on,
        decided_by,
        reason as decision_reason,
        was_called_up,
        source_sha256 as decision_source_sha256,
        source_row as decision_source_row,
        null as elsewhere_group,
        null as elsewhere_decision
    from off_list
)

select
    *,
    case
        when coalesce(decision, elsewhere_decision) in ('decline', 'withdrew') then 'declined'
        when decision in ('accept', 'called_up') then 'selected'
        when coalesce(decision, elsewhere_decision) is not null then 'excluded'
        when proposed_status = 'not_listed' then 'excluded'
        else proposed_status
    end as status,
    case
        when decision is null then false
        when decision = 'exclude' then proposed_status <> 'excluded'
        when decision in ('decline', 'withdrew') then false
        when proposed_status = 'selected' then false
        when proposed_status = 'reserve' and was_called_up then passed_over > 0
        else true
    end as is_override
from together
