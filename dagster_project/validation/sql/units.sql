-- Units at home that have parts. The pupils behind the whole, and those behind its visible parts. Where no part is
-- hidden, also the pupils that stand in no part (pupils_missing), a unit without any part among them.
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
),

together as (
    select
        *,
        case unit_level when 'school' then municipality_code when 'municipality' then county_code else 'I' end as above
    from new_rows
    where ownership = 'all' and sex = 'all' and not abroad and unit_level <> 'national'
),

-- which levels a slice holds at all: an export may leave the schools out
levels as (
    select
        school_year,
        grade,
        indicator,
        list(distinct unit_level) as held,
        count(*) filter (where unit_level = 'school') as schools
    from together
    group by all
),

below as (
    select
        school_year,
        grade,
        indicator,
        unit_level,
        above,
        coalesce(sum(n_pupils), 0) as pupils,
        count(*) filter (where state = 'suppressed' or (state = 'observed' and n_pupils is null)) as hidden
    from together
    group by all
),

short as (
    select
        w.*,
        l.schools,
        n.part,
        w.n_pupils - coalesce(b.pupils, 0) as pupils_missing
    from counted as w
    inner join
        (
            values ('national', 'county', 'counties'),
            ('county', 'municipality', 'municipalities'),
            ('municipality', 'school', 'schools')
        ) as n (unit_level, level_below, part)
        on w.unit_level = n.unit_level
    inner join levels as l using (school_year, grade, indicator)  -- noqa: ST07
    left join below as b
        on
            n.level_below = b.unit_level and w.unit_code = b.above
            and w.school_year = b.school_year and w.grade = b.grade and w.indicator = b.indicator
    where
        w.ownership = 'all' and w.sex = 'all' and list_contains(l.held, n.level_below)
        and coalesce(b.hidden, 0) = 0
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
    null as schools,
    any_value(n_pupils) as pupils,
    sum(pupils_of_part) as pupils_of_parts,
    null as pupils_missing
from pairs
group by all
union all
select
    source_sha256,
    source_row,
    source_column,
    raw_value,
    unit_code,
    indicator,
    grade,
    school_year,
    part as parts,
    schools,
    n_pupils as pupils,
    null as pupils_of_parts,
    pupils_missing
from short
order by all
