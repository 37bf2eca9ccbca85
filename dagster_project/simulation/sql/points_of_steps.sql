-- What the rule gives for each of these values, in ten-thousandths of a point and of weight.
select
    cast(split_part(unit_code, ':', 1) as bigint) as group_id,
    cast(split_part(unit_code, ':', 2) as bigint) as step,
    cast(weighted_points * 10000 as bigint) as weighted_points,
    cast(case when beyond_absolute then weight * 10000 else 0 end as bigint) as beyond
from int_indicator_points
order by group_id, step
