-- No public row shows a figure on fewer pupils than the threshold, or on an unknown number. A failure means that a
-- join of the public models lost the reason to hide it.
select
    p.round,
    p.unit_level,
    p.unit_code,
    p.indicator
from {{ ref('public_indicator_points') }} as p
inner join {{ ref('stg_rounds') }} as r on p.round = r.round
left join {{ ref('indicator_points') }} as i
    on
        p.round = i.round and p.unit_level = i.unit_level and p.unit_code = i.unit_code and p.indicator = i.indicator
        and coalesce(p.grade, 0) = coalesce(i.grade, 0) and coalesce(p.school_year, '') = coalesce(i.school_year, '')
where
    (p.value is not null or p.points is not null or p.n_pupils is not null)
    and coalesce(i.n_pupils, 0) < r.public_min_pupils
