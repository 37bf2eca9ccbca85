select * from {{ read_source('parameters', 'rule_indicators') }}
