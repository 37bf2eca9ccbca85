select
    d.round,
    cast(u.unit_code as unit) as municipality_code
from rated_units as u
cross join sets as d
where u.unit_level = 'municipality'
