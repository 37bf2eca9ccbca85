-- What the arithmetic and the county governors together propose. Candidates wait until every governor has replied; then
-- those with the first priorities are proposed up to the quota, and the rest stand in reserve in the same order. Who a
-- governor advises against stands last: Udir decides.
with asked as (
    select
        l.*,
        p.priority,
        p.advice as governor_advice,
        p.reason as governor_reason,
        p.conversation_on,
        p.replied_by,
        p.source_sha256 as reply_source_sha256,
        p.source_row as reply_source_row,
        l.arithmetic_status = 'candidate' as is_candidate,
        case
            when l.arithmetic_status = 'candidate' and l.county_governor is not null and p.municipality_code is null then 1
            else 0
        end as is_unanswered
    from {{ ref('int_selection_list') }} as l
    left join {{ ref('int_governor_replies') }} as p
        on
            l.round = p.round
            and l.municipality_code = p.municipality_code
            and l.selection_group = p.selection_group
            and l.arithmetic_status <> 'excluded'
            and (l.selection_group = 'average' or l.arithmetic_status = 'candidate')
),

placed as (
    select
        a.*,
        r.spread_quota,
        sum(a.is_unanswered) over (partition by a.round) = 0 as all_replied,
        row_number() over (
            partition by a.round, a.selection_group, a.is_candidate
            order by
                case
                    when a.is_candidate and r.spread_order = 'priority_then_spread' and a.governor_advice = 'do_not_take'
                        then 1
                    else 0
                end asc,
                case when a.is_candidate and r.spread_order = 'priority_then_spread' then a.priority end asc nulls last,
                a.rank_in_group asc nulls last,
                a.municipality_code asc
        ) as proposed_place
    from asked as a
    inner join {{ ref('stg_rounds') }} as r on a.round = r.round
)

select
    round,
    municipality_code,
    municipality_name,
    county_governor,
    selection_group,
    arithmetic_status,
    within_quota,
    rank_in_group,
    arithmetic_reason,
    priority,
    governor_advice,
    governor_reason,
    conversation_on,
    replied_by,
    reply_source_sha256,
    reply_source_row,
    is_candidate,
    is_unanswered,
    spread_quota,
    all_replied,
    proposed_place,
    case
        when not is_candidate then arithmetic_status
        when not all_replied then 'candidate'
        when proposed_place <= spread_quota then 'selected'
        else 'reserve'
    end as proposed_status
from placed
