select as_of from {{ source('parameters', 'calendar') }}
