select
    old_code,
    new_code,
    cast(change_date as date) as change_date,
    case when fictional then 'fictional' else 'official' end as origin
from {{ source('extracts', 'municipality_changes') }}
