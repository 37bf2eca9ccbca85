-- What is no municipality is not rated, so it is left out already.
select
    cast(null as set_name) as round,
    cast(null as unit) as municipality_code
    where false
