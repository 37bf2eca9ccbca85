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
        (e.round is null or e.round = r.round)
        and (e.valid_from is null or e.valid_from <= r.selection_date)
        and (e.valid_to is null or e.valid_to >= r.selection_date)
