-- The rated schools; whether they are in scope does not depend on their figures.
select
    d.round,
    cast(s.school_code as unit) as school_code,
    cast(null as varchar) as school_name,
    cast(s.municipality_code as unit) as municipality_code,
    cast(null as varchar) as ownership,
    cast(null as varchar) as out_of_scope,
    true as in_window,
    true as operating
from school_places as s
cross join sets as d
