-- The sums of every set.
select
    d.round,
    o.unit_level,
    o.unit_code,
    s.points,
    o.possible_points,
    o.applicable_points,
    s.beyond as weight_beyond_absolute,
    o.weight_judged,
    o.pupils,
    o.areas
from given_sums as s
inner join official_sums as o on s.unit = o.unit
inner join sets as d on s.set = d.set
