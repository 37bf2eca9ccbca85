-- May the sums of a unit be shown? Sums minus visible points are the points of its hidden cells, so only when none of
-- the cells in them is hidden. A rank tells a sum by its neighbours, so ranks are shown for all units or for none.
with own as (
    select
        round,
        unit_level,
        unit_code,
        cast(sum(case when judged and publication <> 'shown' then 1 else 0 end) as bigint) as hidden_cells,
        min(case when judged and not pupils_shown then 0 else 1 end) = 1 as pupils_shown
    from {{ ref('int_public_cells') }}
    group by round, unit_level, unit_code
),

schools as (
    select
        s.round,
        'school' as unit_level,
        s.school_code as unit_code,
        s.municipality_code,
        s.not_rated_reason is null as rated,
        o.hidden_cells,
        o.hidden_cells = 0 as sums_shown,
        o.hidden_cells = 0 and o.pupils_shown as pupils_shown
    from {{ ref('int_school_ratings') }} as s
    inner join own as o on s.round = o.round and o.unit_level = 'school' and s.school_code = o.unit_code
),

of_municipalities as (
    select
        round,
        municipality_code,
        min(case when rated and not sums_shown then 0 else 1 end) = 1 as all_schools_shown,
        min(case when rated and not pupils_shown then 0 else 1 end) = 1 as all_pupils_shown
    from schools
    group by round, municipality_code
),

units as (
    select
        m.round,
        'municipality' as unit_level,
        m.municipality_code as unit_code,
        m.not_rated_reason is null as rated,
        coalesce(o.hidden_cells, 0) as hidden_cells,
        case r.municipality_share_from
            when 'school_points' then coalesce(s.all_schools_shown, true)
            else coalesce(o.hidden_cells, 0) = 0
        end as sums_shown,
        case r.municipality_share_from
            when 'school_points' then coalesce(s.all_pupils_shown, true)
            else coalesce(o.hidden_cells = 0 and o.pupils_shown, true)
        end as pupils_shown,
        coalesce(s.all_schools_shown, true) as spread_shown
    from {{ ref('int_municipality_ratings') }} as m
    inner join {{ ref('stg_rounds') }} as r on m.round = r.round
    left join own as o on m.round = o.round and o.unit_level = 'municipality' and m.municipality_code = o.unit_code
    left join of_municipalities as s on m.round = s.round and m.municipality_code = s.municipality_code
    union all
    select
        round,
        unit_level,
        unit_code,
        rated,
        hidden_cells,
        sums_shown,
        pupils_shown,
        false as spread_shown
    from schools
)

select
    *,
    min(case when rated and not sums_shown then 0 else 1 end) over (partition by round, unit_level) = 1 as ranks_shown,
    min(case when unit_level = 'school' and rated and not sums_shown then 0 else 1 end) over (partition by round) = 1
        as school_ranks_shown
from units
