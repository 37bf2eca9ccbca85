select b.* replace (d.round as round)
from base_int_exceptions_in_force as b
cross join sets as d
