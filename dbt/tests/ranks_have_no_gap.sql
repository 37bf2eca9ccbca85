-- Ranks run from 1 to the number of rated units, each once. A failure means that a rank is missing or shared.
select
    round,
    'municipality' as unit_level
from {{ ref('municipality_ranking') }}
group by round
having max(rank) <> count(distinct rank) or count(rank) <> sum(case when rated then 1 else 0 end)
union all
select
    round,
    'school' as unit_level
from {{ ref('school_ranking') }}
group by round
having max(rank) <> count(distinct rank) or count(rank) <> sum(case when rated then 1 else 0 end)
