-- Every exception that held for a round: from the register, and because of an earlier cohort.
select
    x.round,
    x.unit_level,
    x.unit_code,
    x.kind,
    'register' as basis,
    min(x.ground) as ground,
    max(r.origin) as data_origin
from {{ ref('int_exceptions_in_force') }} as x
inner join {{ ref('stg_rounds') }} as r on x.round = r.round and r.purpose = 'selection'
group by x.round, x.unit_level, x.unit_code, x.kind
union all
select
    f.round,
    'municipality' as unit_level,
    f.municipality_code as unit_code,
    'in_scheme' as kind,
    'cohort' as basis,
    f.cohort as ground,
    r.origin as data_origin
from {{ ref('int_followed_in_scheme') }} as f
inner join {{ ref('stg_rounds') }} as r on f.round = r.round
