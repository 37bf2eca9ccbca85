select
    enum_code(round) as set,
    enum_code(school_code) as unit,
    risk_share as share,
    rank,
    worst_quartile as worst
from int_school_ranks
