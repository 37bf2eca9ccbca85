select
    enum_code(round) as set,
    enum_code(municipality_code) as unit
from int_spread_group
where within_quota
