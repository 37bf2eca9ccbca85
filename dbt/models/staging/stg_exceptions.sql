select
    unit_level,
    unit_code,
    kind,
    ground,
    source,
    round,
    valid_from,
    valid_to
from {{ source('parameters', 'exceptions') }}
