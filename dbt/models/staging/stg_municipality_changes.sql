select
    old_code,
    old_name,
    new_code,
    new_name,
    cast(change_date as date) as change_date,
    case when fictional then 'fictional' else 'official' end as origin
from {{ read_source('extracts', 'municipality_changes') }}
