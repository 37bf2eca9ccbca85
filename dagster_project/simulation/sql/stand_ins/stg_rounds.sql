select b.* replace (d.round as round)
from base_stg_rounds as b
cross join sets as d
