-- Codes are those of the selection date already.
select
    cast(null as set_name) as round,
    cast(null as int) as start_year,
    cast(null as unit) as code,
    cast(null as unit) as target
    where false
