-- Municipalities of earlier cohorts whose follow-up has not ended on a round's selection date, under the code of that day.
select
    s.later_round as round,
    s.successor as municipality_code,
    min(c.cohort) as cohort
from {{ ref('int_cohort_members') }} as c
inner join {{ ref('int_code_successors') }} as s on c.round = s.round and c.municipality_code = s.municipality_code
inner join {{ ref('stg_rounds') }} as r on s.later_round = r.round and c.followup_ends_on >= r.selection_date
where r.purpose = 'selection'
group by s.later_round, s.successor
