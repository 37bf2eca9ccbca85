select
    round,
    cohort,
    report,
    phase,
    sender,
    due_on
from {{ source('parameters', 'report_duties') }}
