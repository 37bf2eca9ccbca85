-- The official list of a round beside what the round proposes. Only rounds with a list have rows, and nothing is computed
-- from the list.
with official as (
    select
        l.round,
        l.municipality_code,
        l.municipality_name,
        l.selection_group,
        l.source,
        l.source_sha256,
        l.source_row
    from {{ ref('stg_selected_municipality') }} as l
    inner join {{ ref('stg_rounds') }} as r
        on l.round = r.round and l.origin = r.origin and r.purpose = 'selection'
),

-- a municipality may be on both lists of the round: the one that proposes it counts, then the one of its official group
placed as (
    select
        s.round,
        s.municipality_code,
        s.municipality_name,
        s.selection_group,
        s.status,
        s.proposed_status,
        row_number() over (
            partition by s.round, s.municipality_code
            order by
                case when s.proposed_status = 'selected' then 0 else 1 end,
                case when s.selection_group = o.selection_group then 0 else 1 end,
                s.selection_group asc
        ) as place
    from {{ ref('selection') }} as s
    left join official as o on s.round = o.round and s.municipality_code = o.municipality_code
    where s.round in (select official.round from official)
),

computed as (
    select * from placed
    where place = 1
),

cuts as (
    select
        round,
        max(last_share) as last_share
    from {{ ref('int_average_group') }}
    group by round
),

both_lists as (
    select
        coalesce(o.round, c.round) as round,
        coalesce(o.municipality_code, c.municipality_code) as municipality_code,
        coalesce(c.municipality_name, o.municipality_name) as municipality_name,
        case
            when o.round is null then 'only_computed'
            when c.proposed_status = 'selected' then 'both'
            else 'only_official'
        end as agreement,
        o.selection_group as official_group,
        c.selection_group as computed_group,
        c.status as computed_status,
        o.source,
        o.source_sha256 as list_source_sha256,
        o.source_row as list_source_row
    from official as o
    full outer join computed as c
        on o.round = c.round and o.municipality_code = c.municipality_code
    where o.round is not null or c.proposed_status = 'selected'
)

select
    b.round,
    b.municipality_code,
    coalesce(m.municipality_name, b.municipality_name) as municipality_name,
    b.agreement,
    b.official_group,
    b.computed_group,
    b.computed_status,
    m.rank,
    m.risk_share,
    m.risk_share - cuts.last_share as share_above_cut,
    m.not_rated_reason,
    b.source,
    b.list_source_sha256,
    b.list_source_row,
    r.origin as data_origin
from both_lists as b
inner join {{ ref('stg_rounds') }} as r on b.round = r.round
left join {{ ref('municipality_ranking') }} as m
    on b.round = m.round and b.municipality_code = m.municipality_code
left join cuts on b.round = cuts.round
