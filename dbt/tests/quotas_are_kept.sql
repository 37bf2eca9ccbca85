-- No group takes more than its quota, unless the rule takes everybody who ties for the last place.
select
    s.round,
    s.selection_group,
    count(*) as taken
from {{ ref('selection') }} as s
inner join {{ ref('stg_rounds') }} as r on s.round = r.round
where s.status in ('selected', 'candidate')
group by s.round, s.selection_group, r.average_quota, r.spread_quota, r.average_ties
having
    (s.selection_group = 'average' and r.average_ties = 'strict_order' and count(*) > r.average_quota)
    or (s.selection_group = 'spread' and count(*) > r.spread_quota)
