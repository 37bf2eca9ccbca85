select *
from judged_cells
order by unit, indicator, grade_key, year_key
