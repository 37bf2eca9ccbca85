select
    l.round,
    l.indicator,
    case when l.grade_key > 0 then l.grade_key end as grade,
    case when l.year_key <> 'window' then l.year_key end as school_year,
    l.national_limit,
    n.method as national_method,
    l.absolute_limit,
    a.method as absolute_method,
    nullif(a.base_year, 'same_year') as absolute_base_year,
    l.national_source_sha256,
    l.national_source_row,
    l.national_source_column,
    r.origin as data_origin
from {{ ref('int_limits') }} as l
inner join {{ ref('stg_rounds') }} as r on l.round = r.round and r.purpose = 'selection'
left join {{ ref('int_limit_rules') }} as n
    on l.round = n.round and l.indicator = n.indicator and l.grade_key = n.grade_key and n.side = 'national'
left join {{ ref('int_limit_rules') }} as a
    on l.round = a.round and l.indicator = a.indicator and l.grade_key = a.grade_key and a.side = 'absolute'
