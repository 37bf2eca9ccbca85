select
    d.round,
    j.*
from judged_areas as j
cross join sets as d
