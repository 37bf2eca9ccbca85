select as_of from {{ read_source('parameters', 'calendar') }}
