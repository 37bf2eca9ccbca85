select
    cohort,
    municipality_code,
    report,
    sender,
    received_on,
    reference,
    source_sha256,
    source_row,
    source_column,
    case when fictional then 'fictional' else 'official' end as origin
from {{ source('extracts', 'followup_reports') }}
