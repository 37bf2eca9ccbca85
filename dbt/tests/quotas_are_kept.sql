-- Neither group is proposed more municipalities than its quota, unless the rule takes everybody tied at the cut. When
-- this fails, the models that rank or propose are wrong. What is decided beyond the quota is an override and marked so.
select
    s.round,
    s.selection_group,
    count(*) as taken
from {{ ref('selection') }} as s
inner join {{ ref('stg_rounds') }} as r on s.round = r.round
where s.proposed_status = 'selected'
group by s.round, s.selection_group, r.average_quota, r.spread_quota, r.average_ties
having
    (s.selection_group = 'average' and r.average_ties = 'strict_order' and count(*) > r.average_quota)
    or (s.selection_group = 'spread' and count(*) > r.spread_quota)
