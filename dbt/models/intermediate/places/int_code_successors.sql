-- Where each municipality of a selection round leads in every later view of the country: later rounds, and the
-- monitoring of cohorts. Changes are followed in the order of their dates.
with recursive pairs as (
    select distinct
        m.round,
        m.municipality_code,
        r.selection_date as known_on,
        l.round as later_round,
        l.selection_date as seen_on
    from {{ ref('int_municipality_history') }} as m
    inner join {{ ref('stg_rounds') }} as r on m.round = r.round and r.purpose = 'selection'
    inner join {{ ref('stg_rounds') }} as l
        on r.origin = l.origin and r.selection_date < l.selection_date
),

walk as (
    select
        round,
        municipality_code,
        later_round,
        seen_on,
        municipality_code as successor,
        known_on as reached_on
    from pairs
    union all
    select
        w.round,
        w.municipality_code,
        w.later_round,
        w.seen_on,
        c.new_code as successor,
        c.change_date as reached_on
    from walk as w
    inner join {{ ref('stg_rounds') }} as r on w.round = r.round
    inner join {{ ref('int_code_changes') }} as c
        on
            r.origin = c.origin
            and w.successor = c.old_code
            and w.reached_on < c.change_date
            and w.seen_on >= c.change_date
),

ends as (
    select distinct
        w.round,
        w.municipality_code,
        w.later_round,
        w.successor
    from walk as w
    inner join {{ ref('stg_rounds') }} as r on w.round = r.round
    left join {{ ref('int_code_changes') }} as c
        on
            r.origin = c.origin
            and w.successor = c.old_code
            and w.reached_on < c.change_date
            and w.seen_on >= c.change_date
    where c.old_code is null
),

counted as (
    select
        *,
        count(*) over (partition by round, municipality_code, later_round) as successors,
        count(*) over (partition by round, successor, later_round) as predecessors
    from ends
)

select
    *,
    case
        when successors > 1 then 'split'
        when predecessors > 1 then 'merged'
        when municipality_code <> successor then 'renumbered'
        else 'unchanged'
    end as how
from counted
