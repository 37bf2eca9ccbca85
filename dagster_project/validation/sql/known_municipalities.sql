-- Combinations of school year and municipality code that may stand in the rows: of the lists in force when the school
-- year began, and of any list that came before its figures were published.
with
years as (
    select distinct
        fictional,
        school_year,
        cast(substr(school_year, 1, 4) as int) as start_year
    from new_rows
),

lists as (
    select distinct
        fictional,
        valid_from
    from versions
),

used as (
    select
        years.fictional,
        years.school_year,
        lists.valid_from
    from years
    inner join lists on years.fictional = lists.fictional
    where
        lists.valid_from between make_date(years.start_year, 7, 1) and make_date(years.start_year + 2, 1, 1)
        or lists.valid_from = (
            select max(earlier.valid_from)
            from lists as earlier
            where earlier.fictional = years.fictional and earlier.valid_from <= make_date(years.start_year, 7, 1)
        )
)

select distinct
    used.school_year,
    versions.code
from used
inner join versions on used.fictional = versions.fictional and used.valid_from = versions.valid_from
order by all
