-- The public edition of official_list. Ranks and shares are those of the public ranking; the distance to the cut is left
-- out, since with a share it would tell the share of the municipality at the cut.
select
    o.round,
    o.municipality_code,
    o.municipality_name,
    o.agreement,
    o.official_group,
    o.computed_group,
    o.computed_status,
    m.rank,
    m.risk_share,
    o.source,
    m.publication,
    m.rank_publication,
    o.data_origin
from {{ ref('official_list') }} as o
left join {{ ref('public_municipality_ranking') }} as m
    on o.round = m.round and o.municipality_code = m.municipality_code
