-- Only names units, and names are not needed here.
select
    cast(null as set_name) as round,
    cast(null as varchar) as unit_level,
    cast(null as unit) as unit_code,
    cast(null as varchar) as unit_name,
    cast(null as int) as start_year
    where false
