-- Changes that end a municipality code. A row that keeps its code is a new name; a row whose old code goes on under
-- itself the same day is a moved boundary: in both the municipality lives on.
select distinct
    c.origin,
    c.old_code,
    c.new_code,
    c.change_date
from {{ ref('stg_municipality_changes') }} as c
left join {{ ref('stg_municipality_changes') }} as itself
    on
        c.origin = itself.origin
        and c.change_date = itself.change_date
        and c.old_code = itself.old_code
        and itself.new_code = itself.old_code
where c.old_code <> c.new_code and itself.old_code is null
