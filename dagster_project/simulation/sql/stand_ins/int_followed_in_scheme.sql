-- Earlier cohorts stand among the exceptions of the rule book.
select
    cast(null as set_name) as round,
    cast(null as unit) as municipality_code,
    cast(null as varchar) as cohort
    where false
