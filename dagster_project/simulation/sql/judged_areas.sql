-- Which areas a school has points in, where the rule takes a municipality's share from its schools' points.
select distinct
    unit_level,
    unit_code,
    area,
    judged
from int_indicator_points
where judged and unit_level = 'school' and (select municipality_share_from from stg_rounds) = 'school_points'
