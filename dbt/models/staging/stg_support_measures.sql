select
    cohort,
    municipality_code,
    year,
    measure,
    competence_environment,
    applied,
    granted,
    spent,
    source_sha256,
    source_row,
    source_column,
    case when fictional then 'fictional' else 'official' end as origin
from {{ source('extracts', 'support_measures') }}
