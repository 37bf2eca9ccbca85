-- Municipalities of the selection date that are no municipalities: listed themselves, or in a listed county.
select distinct
    m.round,
    m.municipality_code
from {{ ref('int_municipality_history') }} as m
inner join {{ ref('int_exceptions_in_force') }} as x
    on
        m.round = x.round
        and x.kind = 'pseudo_unit'
        and (
            (x.unit_level = 'municipality' and m.municipality_code = x.unit_code)
            or (x.unit_level = 'county' and substr(m.municipality_code, 1, 2) = x.unit_code)
        )
