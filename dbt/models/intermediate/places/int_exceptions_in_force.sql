-- Exceptions of the register that hold for a round on its selection date.
select distinct
    r.round,
    e.unit_level,
    e.unit_code,
    e.kind,
    e.ground
from {{ ref('stg_rounds') }} as r
inner join {{ ref('stg_exceptions') }} as e
    on
        (e.round is null or r.round = e.round)
        and (e.valid_from is null or r.selection_date >= e.valid_from)
        and (e.valid_to is null or r.selection_date <= e.valid_to)
