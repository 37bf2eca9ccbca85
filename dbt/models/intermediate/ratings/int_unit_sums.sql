-- Sums of each unit over its cells. Shares are formed later, from these sums only.
select
    round,
    unit_level,
    unit_code,
    cast(coalesce(sum(weighted_points), 0) as decimal(18, 4)) as points,
    cast(sum(possible_points) as decimal(18, 4)) as possible_points,
    cast(sum(applicable_points) as decimal(18, 4)) as applicable_points,
    cast(sum(case when beyond_absolute then weight else 0 end) as decimal(18, 4)) as weight_beyond_absolute,
    cast(sum(case when judged then weight else 0 end) as decimal(18, 4)) as weight_judged,
    cast(sum(case when judged then coalesce(n_pupils, 0) else 0 end) as bigint) as pupils,
    count(distinct case when judged then area end) as areas
from {{ ref('int_indicator_points') }}
group by round, unit_level, unit_code
