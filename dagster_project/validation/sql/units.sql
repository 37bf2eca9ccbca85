-- noqa: disable=ST07
-- Units that have parts. pupils_missing: the pupils behind the whole less those behind its visible parts.
with
counted as (
    select *
    from new_rows
    where n_pupils is not null
),

by_sex as (
    select
        w.source_sha256,
        w.source_row,
        w.source_column,
        w.raw_value,
        w.unit_code,
        w.indicator,
        w.grade,
        w.school_year,
        any_value(w.n_pupils) - sum(p.n_pupils) as pupils_missing
    from counted as w
    inner join counted as p
        using (school_year, unit_level, unit_code, municipality_code, grade, indicator, ownership)
    where w.sex = 'all' and p.sex <> 'all'
    group by all
),

by_school as (
    select
        w.source_sha256,
        w.source_row,
        w.source_column,
        w.raw_value,
        w.unit_code,
        w.indicator,
        w.grade,
        w.school_year,
        any_value(w.n_pupils) - sum(p.n_pupils) as pupils_missing
    from counted as w
    inner join counted as p using (school_year, grade, indicator, ownership, sex)
    where w.unit_level = 'municipality' and p.unit_level = 'school' and w.unit_code = p.municipality_code
    group by all
),

by_municipality as (
    select
        w.source_sha256,
        w.source_row,
        w.source_column,
        w.raw_value,
        w.unit_code,
        w.indicator,
        w.grade,
        w.school_year,
        any_value(w.n_pupils) - sum(p.n_pupils) as pupils_missing
    from counted as w
    inner join counted as p using (school_year, grade, indicator, ownership, sex)
    where w.unit_level = 'national' and p.unit_level = 'municipality'
    group by all
)

-- three joins of their own: one for all would compare every unit with every other
select * from by_sex
union all
select * from by_school
union all
select * from by_municipality
order by all
