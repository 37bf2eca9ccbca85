-- The published limits.
select
    round,
    indicator,
    coalesce(grade, 0) as grade_key,
    coalesce(school_year, 'window') as year_key,
    national_limit,
    absolute_limit
from limits
