select
    *,
    cast(substr(last_school_year, 1, 4) as int) as last_start_year
from {{ read_source('parameters', 'rounds') }}
