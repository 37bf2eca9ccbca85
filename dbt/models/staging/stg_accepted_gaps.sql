select
    round,
    dataset,
    school_year,
    indicator,
    grade,
    accepted_by,
    accepted_reason
from {{ source('parameters', 'accepted_gaps') }}
