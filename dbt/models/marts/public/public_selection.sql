-- The public edition of selection. Who is on the list is the decision itself and is public; the place on the list, and
-- the reason that states it, are shown when every municipality of the group shows what it is placed by.
with listed as (
    select
        c.*,
        min(case
            when c.rank_in_group is null then 1
            when c.selection_group = 'average' and s.sums_shown then 1
            when c.selection_group = 'spread' and s.sums_shown and s.spread_shown and s.school_ranks_shown then 1
            else 0
        end) over (partition by c.round, c.selection_group) = 1 as places_shown
    from {{ ref('selection') }} as c
    inner join {{ ref('int_public_sums') }} as s
        on c.round = s.round and s.unit_level = 'municipality' and c.municipality_code = s.unit_code
)

select
    round,
    municipality_code,
    municipality_name,
    county_governor,
    selection_group,
    status,
    {{ shown_if('places_shown', 'rank_in_group') }} as rank_in_group,
    governor_priority,
    decided_on,
    {{ shown_if('places_shown or rank_in_group is null', 'reason') }} as reason,
    case when places_shown or rank_in_group is null then 'shown' else 'hidden_complementary' end as rank_publication,
    data_origin
from listed
