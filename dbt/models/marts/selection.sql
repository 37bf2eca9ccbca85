select
    o.round,
    o.municipality_code,
    o.municipality_name,
    o.county_governor,
    o.selection_group,
    o.status,
    cast(o.rank_in_group as bigint) as rank_in_group,
    cast(o.priority as int) as governor_priority,
    cast(o.decided_on as date) as decided_on,
    concat(
        o.arithmetic_reason,
        case when o.status = 'candidate' then '; awaits the county governor''s priority' else '' end,
        case when o.priority is null then '' else concat('; the county governor''s priority ', o.priority) end,
        case when o.governor_advice = 'do_not_take' then '; the county governor advises against it' else '' end,
        case when o.decision is null then '' else concat('; decided: ', o.decision) end,
        case
            when o.elsewhere_decision is null then ''
            else concat('; decided in the ', o.elsewhere_group, ' group: ', o.elsewhere_decision)
        end,
        case when o.decision_reason is null then '' else concat(', ', o.decision_reason) end
    ) as reason,
    o.arithmetic_status,
    o.within_quota,
    o.proposed_status,
    cast(o.proposed_place as bigint) as proposed_place,
    cast(o.governor_advice as string) as governor_advice,
    cast(o.governor_reason as string) as governor_reason,
    cast(o.conversation_on as date) as conversation_on,
    cast(o.replied_by as string) as replied_by,
    cast(o.decision as string) as decision,
    cast(o.decided_by as string) as decided_by,
    cast(o.decision_reason as string) as decision_reason,
    o.is_override,
    cast(o.reply_source_sha256 as string) as reply_source_sha256,
    cast(o.reply_source_row as bigint) as reply_source_row,
    cast(o.decision_source_sha256 as string) as decision_source_sha256,
    cast(o.decision_source_row as bigint) as decision_source_row,
    r.origin as data_origin
from {{ ref('int_outcomes') }} as o
inner join {{ ref('stg_rounds') }} as r on o.round = r.round
