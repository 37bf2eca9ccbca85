select * from {{ read_source('parameters', 'county_governors') }}
