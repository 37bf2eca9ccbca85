select
    round,
    county_governor,
    municipality_code,
    selection_group,
    priority,
    advice,
    reason,
    conversation_on,
    replied_by,
    replied_on,
    source_sha256,
    source_row,
    source_column,
    case when fictional then 'fictional' else 'official' end as origin
from {{ source('extracts', 'governor_priorities') }}
