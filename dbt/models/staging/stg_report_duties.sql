select
    round,
    cohort,
    report,
    phase,
    sender,
    due_on
from {{ read_source('parameters', 'report_duties') }}
