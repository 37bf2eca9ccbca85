-- First question to every judged cell: may it be shown by itself? And which municipality's figure is it a part of?
-- A cell whose number of pupils is unknown is treated as small. One that rests on a figure with a star is known to those
-- with access alone.
with restructured as (
    select distinct
        round,
        municipality_code
    from {{ ref('int_municipality_history') }}
    where history = 'restructured'
)

select
    p.round,
    p.unit_level,
    p.unit_code,
    p.indicator,
    p.grade_key,
    p.year_key,
    p.judged,
    p.n_pupils,
    case when p.unit_level = 'school' then s.municipality_code else p.unit_code end as municipality_code,
    case
        when p.state = 'suppressed' then 'hidden_at_source'
        when p.state <> 'observed' then 'no_figure'
        when coalesce(p.restricted, false) then 'hidden_restricted'
        when coalesce(p.n_pupils, 0) < r.public_min_pupils then 'hidden_small'
        else 'shown'
    end as publication,
    -- a school of unknown ownership may or may not be part of the municipality's figure
    coalesce(r.municipality_ownership = 'all' or s.ownership = r.municipality_ownership, false) as is_part,
    coalesce(r.municipality_ownership = 'all' or s.ownership in (r.municipality_ownership, 'unknown'), false)
        as may_be_part,
    -- a figure worked out from the visible schools holds no pupil of a school that is hidden at its source; a
    -- combined one holds them in some of its years
    p.unit_level = 'municipality' and p.value_basis = 'recomputed' as worked_out_from_schools,
    p.unit_level = 'municipality' and p.value_basis = 'combined' and h.municipality_code is not null
        as partly_worked_out,
    r.public_min_pupils,
    r.public_min_hidden
from {{ ref('int_indicator_points') }} as p
inner join {{ ref('stg_rounds') }} as r on p.round = r.round
left join {{ ref('int_school_population') }} as s
    on p.round = s.round and p.unit_level = 'school' and p.unit_code = s.school_code
left join restructured as h
    on p.round = h.round and p.unit_level = 'municipality' and p.unit_code = h.municipality_code
