-- The sums of the published cells. Other values change points and the weight beyond the absolute limit alone.
select
    enum_code(unit_code) as unit,
    unit_level,
    unit_code,
    possible_points,
    applicable_points,
    weight_judged,
    pupils,
    areas
from int_unit_sums
