select
    origin,
    unit_level,
    unit_code,
    ownership,
    indicator,
    grade,
    school_year,
    is_shown,
    value,
    n_pupils
from {{ source('parameters', 'public_register') }}
