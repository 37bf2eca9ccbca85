-- One round for each set of figures.
select i as set, cast(printf('R#%04d', i) as set_name) as round
from range(?) as t(i)
