-- How far each municipality is from the cut of the list of shares, in points, with the source cells behind each of its judged
-- cells. Who is on the list has a share no lower than those who are not; with the points that are seen, that bounds the
-- points of a hidden cell. Nothing is told when it may have none, and all it can, and the points of one cell more
-- besides: so who knows this rule learns nothing either. A round with a figure with a star is left out: nothing may depend
-- on those.
with cells as (
    select
        round,
        unit_code as municipality_code,
        indicator,
        grade_key,
        year_key,
        weighted_points,
        possible_points,
        sum(weighted_points) over (partition by round, unit_code) as all_points,
        sum(possible_points) over (partition by round, unit_code) as all_possible,
        max(case when restricted then 1 else 0 end) over (partition by round) = 1 as has_stars
    from {{ ref('int_indicator_points') }}
    where unit_level = 'municipality' and judged
),

-- 2 on the list, 1 in reserve, 0 neither
listed as (
    select
        round,
        municipality_code,
        risk_share,
        case status when 'selected' then 2 when 'reserve' then 1 else 0 end as place
    from {{ ref('int_average_group') }}
),

of_places as (
    select
        round,
        place,
        min(risk_share) as least_share,
        max(risk_share) as most_share
    from listed
    group by round, place
),

bounded as (
    select
        l.round,
        l.municipality_code,
        max(case when o.place < l.place then o.most_share end) as least_share,
        min(case when o.place > l.place then o.least_share end) as most_share
    from listed as l
    inner join of_places as o on l.round = o.round
    group by l.round, l.municipality_code
),

judged as (
    select
        r.origin,
        c.round,
        c.municipality_code,
        c.indicator,
        c.grade_key,
        c.year_key,
        c.weighted_points,
        c.possible_points,
        c.all_points - b.least_share * c.all_possible - r.points_absolute as points_above,
        b.most_share * c.all_possible - c.all_points - r.points_absolute as points_below
    from cells as c
    inner join {{ ref('stg_rounds') }} as r on c.round = r.round
    inner join bounded as b on c.round = b.round and c.municipality_code = b.municipality_code
    where r.municipality_share_from = 'municipality_values' and not c.has_stars
)

select
    j.origin,
    j.round,
    j.municipality_code,
    j.indicator,
    j.grade_key,
    j.year_key,
    c.hiding_group,
    c.grade,
    c.school_year,
    c.municipality_code as cell_municipality_code,
    j.weighted_points,
    j.possible_points,
    j.points_above,
    j.points_below,
    max(case when c.unit_level = 'school' then 1 else 0 end) = 1 as adds_schools,
    -- hidden with others it is bounded less, so this is enough whatever else is hidden
    coalesce(j.points_above < j.weighted_points or j.points_below < j.possible_points - j.weighted_points, false) as tells
from judged as j
inner join {{ ref('int_point_sources') }} as s
    on
        j.round = s.round
        and s.unit_level = 'municipality'
        and j.municipality_code = s.unit_code
        and j.indicator = s.indicator
        and j.grade_key = s.grade_key
        and j.year_key = s.year_key
inner join {{ ref('int_public_small') }} as c
    on
        j.origin = c.origin
        and {{ is_cell('s', 'c') }}
group by
    j.origin, j.round, j.municipality_code, j.indicator, j.grade_key, j.year_key, c.hiding_group, c.grade, c.school_year,
    c.municipality_code, j.weighted_points, j.possible_points, j.points_above, j.points_below
