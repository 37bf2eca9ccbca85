select * from {{ read_source('parameters', 'exceptions') }}
