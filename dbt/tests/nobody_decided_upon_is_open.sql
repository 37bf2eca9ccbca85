-- Once a municipality is decided upon, none of its rows is open, and it is selected once or not at all. A failure means
-- that a list suggests a question that has been answered, or counts a municipality twice.
select
    round,
    municipality_code
from {{ ref('selection') }}
group by round, municipality_code
having
    count(decision) > 0
    and (
        count(decision) > 1
        or sum(case when status in ('candidate', 'reserve') then 1 else 0 end) > 0
        or sum(case when status = 'selected' then 1 else 0 end) > 1
    )
