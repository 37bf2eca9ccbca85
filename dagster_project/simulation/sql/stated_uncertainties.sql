-- What the files state of the uncertainty of their cells; ? are the indicators of which that is used.
select distinct source_sha256, source_row, source_column, cast(uncertainty as double) as uncertainty
from in_force
where uncertainty is not null and unit_level in ('school', 'municipality') and indicator in (select unnest(?))
