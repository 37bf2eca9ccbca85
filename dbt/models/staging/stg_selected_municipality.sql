select
    round,
    municipality_code,
    municipality_name,
    selection_group,
    source,
    source_sha256,
    source_row,
    source_column,
    case when fictional then 'fictional' else 'official' end as origin
from {{ source('extracts', 'selected_municipality') }}
