select s.uncertainty
from judged_cells as c
left join stated_uncertainties as s
    on c.source_sha256 = s.source_sha256 and c.source_row = s.source_row and c.source_column = s.source_column
order by c.unit, c.indicator, c.grade_key, c.year_key
