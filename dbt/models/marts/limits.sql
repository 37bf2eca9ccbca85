select
    l.round,
    l.indicator,
    case when l.grade_key > 0 then l.grade_key end as grade,
    case when l.year_key <> 'window' then l.year_key end as school_year,
    l.national_limit,
    n.method as national_method,
    nullif(n.base_year, 'same_year') as national_base_year,
    l.national_schools,
    on_national.schools_worse as national_schools_worse,
    on_national.schools_on_limit as national_schools_on_limit,
    l.absolute_limit,
    a.method as absolute_method,
    nullif(a.base_year, 'same_year') as absolute_base_year,
    l.absolute_schools,
    on_absolute.schools_worse as absolute_schools_worse,
    on_absolute.schools_on_limit as absolute_schools_on_limit,
    l.national_source_sha256,
    l.national_source_row,
    l.national_source_column,
    l.absolute_source_sha256,
    l.absolute_source_row,
    l.absolute_source_column,
    r.origin as data_origin
from {{ ref('int_limits') }} as l
inner join {{ ref('stg_rounds') }} as r on l.round = r.round and r.purpose = 'selection'
left join {{ ref('int_limit_rules') }} as n
    on l.round = n.round and l.indicator = n.indicator and l.grade_key = n.grade_key and n.side = 'national'
left join {{ ref('int_limit_rules') }} as a
    on l.round = a.round and l.indicator = a.indicator and l.grade_key = a.grade_key and a.side = 'absolute'
left join {{ ref('int_limit_standing') }} as on_national
    on
        l.round = on_national.round and l.indicator = on_national.indicator and l.grade_key = on_national.grade_key
        and l.year_key = on_national.year_key and on_national.side = 'national'
left join {{ ref('int_limit_standing') }} as on_absolute
    on
        l.round = on_absolute.round and l.indicator = on_absolute.indicator and l.grade_key = on_absolute.grade_key
        and l.year_key = on_absolute.year_key and on_absolute.side = 'absolute'
