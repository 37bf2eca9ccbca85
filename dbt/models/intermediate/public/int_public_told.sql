-- Municipalities of which a place on the list of shares tells a hidden figure, with the source cells that are hidden for it.
-- Who is on the list has a share no lower than those who are not, so the points of its hidden cells are at least so many;
-- who is not, at most. Where that leaves one number of points, too few numbers of pupils behind a share, or too little of a
-- mean's scale, all figures of the municipality in that round are hidden, and a school in each that has no hidden one.
-- A round with a figure with a star is left out: nothing may depend on those.
with judged as (
    {{ public_judged(ref('int_public_protected')) }}
),

cells as (
    select
        j.round,
        j.unit_code as municipality_code,
        j.indicator,
        j.grade_key,
        j.year_key,
        j.publication,
        p.value,
        p.n_pupils,
        p.points,
        p.weight,
        p.national_limit,
        p.absolute_limit,
        p.weighted_points,
        p.possible_points,
        p.restricted
    from judged as j
    inner join {{ ref('int_indicator_points') }} as p
        on
            j.round = p.round
            and j.unit_level = p.unit_level
            and j.unit_code = p.unit_code
            and j.indicator = p.indicator
            and j.grade_key = p.grade_key
            and j.year_key = p.year_key
    where j.unit_level = 'municipality' and j.judged
),

sums as (
    select
        c.round,
        c.municipality_code,
        sum(c.possible_points) as possible_points,
        sum(case when c.publication = 'shown' then c.weighted_points else 0 end) as seen_points,
        sum(case when c.publication = 'shown' then 0 else c.possible_points end) as hidden_points,
        min(case when c.publication = 'shown' then 1 else 0 end) = 1 as is_shown,
        max(max(case when c.restricted then 1 else 0 end)) over (partition by c.round) = 1 as has_stars
    from cells as c
    group by c.round, c.municipality_code
),

-- 2 on the list, 1 in reserve, 0 neither
listed as (
    select
        s.*,
        a.risk_share,
        case a.status when 'selected' then 2 when 'reserve' then 1 else 0 end as place
    from sums as s
    inner join {{ ref('int_average_group') }} as a
        on s.round = a.round and s.municipality_code = a.municipality_code
    inner join {{ ref('stg_rounds') }} as r on s.round = r.round
    where r.municipality_share_from = 'municipality_values' and not s.has_stars
),

bounded as (
    select
        l.round,
        l.municipality_code,
        l.seen_points,
        l.hidden_points,
        l.possible_points,
        coalesce(max(case when o.place < l.place then o.risk_share end), 0) as least_share,
        coalesce(min(case when o.place > l.place then o.risk_share end), 1) as most_share
    from listed as l
    inner join listed as o on l.round = o.round and o.is_shown
    where not l.is_shown
    group by l.round, l.municipality_code, l.seen_points, l.hidden_points, l.possible_points
),

indicators as (
    select
        round,
        indicator,
        max(direction) as direction,
        max(share_of_pupils) as share_of_pupils,
        max(scale_min) as scale_min,
        max(scale_max) as scale_max
    from {{ ref('stg_rule_indicators') }}
    group by round, indicator
),

-- the least and the most points of each hidden cell, if all others have as many or as few as they can
possible as (
    select
        c.*,
        i.direction,
        i.share_of_pupils,
        i.scale_min,
        i.scale_max,
        r.points_national,
        r.points_absolute,
        r.public_min_counts,
        r.public_min_interval,
        b.least_share * b.possible_points - b.seen_points - (b.hidden_points - c.possible_points) as least_points,
        b.most_share * b.possible_points - b.seen_points as most_points
    from bounded as b
    inner join cells as c
        on b.round = c.round and b.municipality_code = c.municipality_code and c.publication <> 'shown'
    inner join {{ ref('stg_rounds') }} as r on c.round = r.round
    inner join indicators as i on c.round = i.round and c.indicator = i.indicator
),

-- whether a cell can have no point, those of the national limit, or those of the absolute one; half a ten-thousandth stands
-- for rounding
reached as (
    select
        *,
        least_points - 0.00005 <= 0 as has_none,
        least_points - 0.00005 <= points_national * weight as has_national_at_most,
        most_points + 0.00005 >= points_national * weight as has_national_at_least,
        most_points + 0.00005 >= points_absolute * weight as has_absolute
    from possible
),

-- the worst and the best value that is possible
ends as (
    select
        *,
        case
            when has_absolute then case when direction = 'higher_is_worse' then scale_max else scale_min end
            when has_national_at_least then absolute_limit
            else national_limit
        end as worst_value,
        case
            when has_none then case when direction = 'higher_is_worse' then scale_min else scale_max end
            when has_national_at_most then national_limit
            else absolute_limit
        end as best_value
    from reached
),

told as (
    select distinct
        round,
        municipality_code
    from ends
    where
        case when has_none then 1 else 0 end
        + case when has_national_at_most and has_national_at_least then 1 else 0 end
        + case when has_absolute then 1 else 0 end = 1
        or case
            when share_of_pupils then
                floor(greatest(worst_value, best_value) * n_pupils / 100)
                - ceil(least(worst_value, best_value) * n_pupils / 100) + 1 < public_min_counts
            else abs(worst_value - best_value) < public_min_interval * (scale_max - scale_min)
        end
),

-- source cells behind every judged cell of such a municipality
behind as (
    select distinct
        r.origin,
        c.dataset,
        s.cell_unit_level,
        s.cell_unit_code,
        s.cell_grade as grade,
        s.cell_school_year as school_year,
        r.municipality_ownership
    from told as t
    inner join {{ ref('int_point_sources') }} as s
        on t.round = s.round and t.municipality_code = s.unit_code and s.unit_level = 'municipality'
    inner join {{ ref('stg_rounds') }} as r on t.round = r.round
    inner join {{ ref('int_public_protected') }} as c
        on
            r.origin = c.origin
            and s.cell_unit_level = c.unit_level
            and s.cell_unit_code = c.unit_code
            and s.cell_ownership = c.ownership
            and s.indicator = c.indicator
            and s.cell_grade = c.grade
            and s.cell_school_year = c.school_year
            and not c.has_public_twin
),

-- the schools that add up to them, and whether one is hidden already
schools as (
    select
        b.origin,
        b.dataset,
        b.grade,
        b.school_year,
        c.municipality_code,
        c.unit_code,
        min(case when c.publication = 'shown' then 1 else 0 end) as all_shown,
        max(c.n_pupils) as n_pupils
    from behind as b
    inner join {{ ref('int_public_protected') }} as c
        on
            b.origin = c.origin
            and b.dataset = c.dataset
            and b.grade = c.grade
            and b.school_year = c.school_year
            and c.unit_level = 'school'
            and c.publication <> 'no_figure'
            and case b.cell_unit_level
                when 'school' then b.cell_unit_code = c.unit_code
                else b.cell_unit_code = c.municipality_code
            end
            and (b.municipality_ownership = 'all' or b.municipality_ownership = c.owner)
    group by b.origin, b.dataset, b.grade, b.school_year, c.municipality_code, c.unit_code
),

smallest as (
    select
        *,
        min(all_shown) over (partition by origin, dataset, grade, school_year, municipality_code) as none_hidden,
        row_number() over (
            partition by origin, dataset, grade, school_year, municipality_code
            order by n_pupils, unit_code
        ) as place
    from schools
)

-- whoever owns the schools they are of: a school that is hidden must not be what one of them leaves
select
    origin,
    dataset,
    grade,
    school_year,
    cell_unit_level as unit_level,
    cell_unit_code as unit_code
from behind
where cell_unit_level = 'municipality'
union
select
    origin,
    dataset,
    grade,
    school_year,
    'school' as unit_level,
    unit_code
from smallest
where none_hidden = 1 and place = 1
