select
    round,
    municipality_code,
    decision,
    decided_on,
    decided_by,
    reason,
    source_sha256,
    source_row,
    source_column,
    case when fictional then 'fictional' else 'official' end as origin
from {{ source('extracts', 'decisions') }}
