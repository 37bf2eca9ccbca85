-- Exceptions that hold for a round on its selection date: those of the register, and the municipalities of earlier
-- cohorts whose follow-up has not ended.
select
    r.round,
    e.unit_level,
    e.unit_code,
    e.kind,
    e.ground
from {{ ref('stg_rounds') }} as r
inner join {{ ref('stg_exceptions') }} as e
    on
        (e.round is null or e.round = r.round)
        and (e.valid_from is null or e.valid_from <= r.selection_date)
        and (e.valid_to is null or e.valid_to >= r.selection_date)
union all
select
    s.later_round as round,
    'municipality' as unit_level,
    s.successor as unit_code,
    'in_scheme' as kind,
    min(c.cohort) as ground
from {{ ref('int_cohort_members') }} as c
inner join {{ ref('int_code_successors') }} as s on c.round = s.round and c.municipality_code = s.municipality_code
inner join {{ ref('stg_rounds') }} as r on s.later_round = r.round and r.selection_date <= c.followup_ends_on
where r.purpose = 'selection'
group by s.later_round, s.successor
