-- The order in which the shown schools of a municipality are hidden to keep others: those with the fewest pupils first. One
-- that an earlier edition has shown would hide nothing, and one of unknown ownership may be no part of the figure.
select
    m.origin,
    m.hiding_group,
    m.grade,
    m.school_year,
    m.unit_code as municipality_code,
    m.ownership,
    s.unit_code as school_code,
    row_number() over (
        partition by m.origin, m.hiding_group, m.grade, m.school_year, m.unit_code, m.ownership
        order by max(s.n_pupils), s.unit_code
    ) as place
from {{ ref('int_public_small') }} as m
inner join {{ ref('int_public_small') }} as s
    on
        m.origin = s.origin
        and m.indicator = s.indicator
        and m.grade = s.grade
        and m.school_year = s.school_year
        and m.unit_code = s.municipality_code
        and s.unit_level = 'school'
        and s.publication = 'shown'
        and not s.known
        and (m.ownership = 'all' or m.ownership = s.owner)
where m.unit_level = 'municipality' and m.publication <> 'no_figure' and not m.has_public_twin
group by m.origin, m.hiding_group, m.grade, m.school_year, m.unit_code, m.ownership, s.unit_code
