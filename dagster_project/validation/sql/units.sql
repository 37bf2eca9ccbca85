-- Units at home that have parts. The pupils behind the whole, and those behind its visible parts.
with
counted as (
    select *
    from new_rows
    where n_pupils is not null and not abroad
),

-- three joins of their own: one for all would compare every unit with every other
pairs as (
    select
        w.*,
        p.n_pupils as pupils_of_part,
        'sexes' as parts
    from counted as w
    inner join counted as p
        using (school_year, unit_level, unit_code, municipality_code, grade, indicator, ownership)  -- noqa: ST07
    where w.sex = 'all' and p.sex <> 'all'
    union all
    select
        w.*,
        p.n_pupils as pupils_of_part,
        'schools' as parts
    from counted as w
    inner join counted as p using (school_year, grade, indicator, ownership, sex)  -- noqa: ST07
    where w.unit_level = 'municipality' and p.unit_level = 'school' and w.unit_code = p.municipality_code
    union all
    select
        w.*,
        p.n_pupils as pupils_of_part,
        'municipalities' as parts
    from counted as w
    inner join counted as p using (school_year, grade, indicator, ownership, sex)  -- noqa: ST07
    where w.unit_level = 'national' and p.unit_level = 'municipality'
)

select
    source_sha256,
    source_row,
    source_column,
    raw_value,
    unit_code,
    indicator,
    grade,
    school_year,
    parts,
    any_value(n_pupils) as pupils,
    sum(pupils_of_part) as pupils_of_parts
from pairs
group by all
order by all
