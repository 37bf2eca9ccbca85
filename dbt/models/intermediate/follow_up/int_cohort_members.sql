-- Municipalities that take part: the last decision on them is that they do. A cohort (kull) is named after its round.
select
    d.round,
    r.cohort,
    r.origin,
    d.municipality_code,
    r.followup_starts_on,
    r.followup_ends_on
from {{ ref('int_decisions_in_force') }} as d
inner join {{ ref('stg_rounds') }} as r on d.round = r.round
where d.decision = 'accept'
