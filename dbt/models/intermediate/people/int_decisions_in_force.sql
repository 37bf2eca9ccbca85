-- The last decision on each municipality of a round, and whether it had been called up from the reserve before.
with ordered as (
    select
        d.*,
        row_number() over (
            partition by d.round, d.municipality_code
            order by d.decided_on desc, d.source_row desc, d.decision asc
        ) as newest_first,
        max(case when d.decision = 'called_up' then 1 else 0 end) over (
            partition by d.round, d.municipality_code
        ) as was_called_up
    from {{ ref('stg_decisions') }} as d
    inner join {{ ref('stg_rounds') }} as r on d.round = r.round and d.origin = r.origin
)

select
    round,
    municipality_code,
    decision,
    decided_on,
    decided_by,
    reason,
    was_called_up = 1 as was_called_up,
    source_sha256,
    source_row
from ordered
where newest_first = 1
