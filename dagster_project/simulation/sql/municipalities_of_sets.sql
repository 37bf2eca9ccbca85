select
    enum_code(round) as set,
    enum_code(municipality_code) as unit,
    risk_share as share,
    rank,
    school_spread,
    schools_in_worst_quartile as worst_schools
from int_municipality_ratings
where not_rated_reason is null
