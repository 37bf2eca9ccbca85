-- Every value that a cell can have, as if a school of its own had it.
select
    (select any_value(round) from stg_rounds) as round,
    'window' as cell_use,
    'school' as unit_level,
    concat(k.group_id, ':', s.step) as unit_code,
    k.indicator,
    k.grade_key,
    k.year_key,
    cast(s.step / power(10, k.decimals) as decimal(18, 4)) as value,
    cast(1 as bigint) as n_pupils,
    'observed' as state,
    false as restricted,
    'simulated' as value_basis,
    cast(null as varchar) as source_sha256,
    cast(null as bigint) as source_row,
    cast(null as varchar) as source_column
from group_steps as s
inner join group_keys as k on s.group_id = k.group_id
