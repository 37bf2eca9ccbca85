-- How many schools of each municipality are hidden besides, and which municipalities are. A municipality whose schools are
-- too few to hide behind is hidden itself. Those that are hidden are what is left of the nation's figure; where that is
-- too little, the smallest municipalities with safely hidden schools join them, and where they are too few, nothing of that
-- grade and year is shown. Where a list would tell a hidden figure of a municipality, all its figures of that round are hidden.
with at_steps as (
    select
        origin,
        hiding_group,
        grade,
        school_year,
        municipality_code,
        ownership,
        step,
        max(case when publication = 'shown' then 1 else 0 end) = 1 as is_shown,
        max(case when known then 1 else 0 end) = 1 as known,
        max(coalesce(n_pupils, 0)) as n_pupils,
        max(hidden_schools) as hidden_schools,
        min(case when is_safe then 1 else 0 end) = 1 as is_safe,
        min(case when hides_whole then 1 else 0 end) = 1 as hides_whole
    from {{ ref('int_public_remainders') }}
    group by origin, hiding_group, grade, school_year, municipality_code, ownership, step
),

of_schools as (
    select
        origin,
        hiding_group,
        grade,
        school_year,
        municipality_code,
        ownership,
        max(case when is_shown then 1 else 0 end) = 1 as is_shown,
        max(case when known then 1 else 0 end) = 1 as known,
        max(n_pupils) as n_pupils,
        max(case when step = 0 then hidden_schools end) as hidden_schools,
        max(step) as all_schools,
        max_by(is_safe, step) as all_are_safe,
        min(case when is_safe then step end) as safe_step,
        coalesce(min(case when hides_whole then step end), max(step)) as whole_step
    from at_steps
    group by origin, hiding_group, grade, school_year, municipality_code, ownership
),

alone as (
    select
        *,
        is_shown and (safe_step is not null or known) as stays,
        case when is_shown then coalesce(safe_step, case when known then 0 end, whole_step) else whole_step end as step
    from of_schools
),

hidden_points as (
    select distinct
        n.round,
        n.municipality_code,
        n.indicator,
        n.grade_key,
        n.year_key,
        n.weighted_points,
        n.possible_points,
        n.points_above,
        n.points_below
    from {{ ref('int_public_near_cut') }} as n
    inner join alone as a
        on
            n.origin = a.origin
            and n.hiding_group = a.hiding_group
            and n.grade = a.grade
            and n.school_year = a.school_year
            and n.cell_municipality_code = a.municipality_code
            and (not a.stays or (n.adds_schools and a.hidden_schools + a.step > 0))
),

-- municipalities with a hidden figure that the list would tell, in the rounds where it would: all others may have as many
-- points as they can, or none
told as (
    select
        round,
        municipality_code
    from hidden_points
    group by round, municipality_code, points_above, points_below
    having
        points_above + sum(possible_points - weighted_points) < max(possible_points)
        or points_below + sum(weighted_points) < max(possible_points)
),

near_cut as (
    select
        n.origin,
        n.hiding_group,
        n.grade,
        n.school_year,
        n.cell_municipality_code as municipality_code,
        max(case when n.tells then 1 else 0 end) = 1 as tells,
        max(case when t.round is not null and not n.adds_schools then 1 else 0 end) = 1 as is_told,
        max(case when t.round is not null and n.adds_schools then 1 else 0 end) = 1 as adds_schools
    from {{ ref('int_public_near_cut') }} as n
    left join told as t on n.round = t.round and n.municipality_code = t.municipality_code
    group by n.origin, n.hiding_group, n.grade, n.school_year, n.cell_municipality_code
),

-- what is told is kept by all schools, other figures of the municipality by as many as they need
chosen as (
    select
        a.origin,
        a.hiding_group,
        a.grade,
        a.school_year,
        a.municipality_code,
        a.ownership,
        a.known,
        a.n_pupils,
        a.whole_step,
        a.stays
        and (
            a.known
            or not (coalesce(n.is_told, false) or (coalesce(n.adds_schools, false) and not a.all_are_safe))
        ) as stays,
        coalesce(n.tells, false) as tells,
        case
            when n.adds_schools or (n.is_told and n.tells and not a.stays) then a.all_schools
            when n.is_told and not a.known then a.whole_step
            else a.step
        end as step
    from alone as a
    left join near_cut as n
        on
            a.origin = n.origin
            and a.hiding_group = n.hiding_group
            and a.grade = n.grade
            and a.school_year = n.school_year
            and a.municipality_code = n.municipality_code
),

left_over as (
    select
        c.origin,
        c.hiding_group,
        c.grade,
        c.school_year,
        c.municipality_code,
        c.ownership,
        c.stays,
        c.known,
        c.n_pupils,
        c.tells,
        r.indicator,
        r.hidden_schools,
        r.share_of_pupils,
        r.scale,
        r.public_min_pupils,
        r.public_min_hidden,
        r.public_min_counts,
        r.public_min_interval,
        -- of a figure with a star nothing may be told, and of one hidden at its source nothing is known
        case when r.publication not in ('hidden_restricted', 'hidden_at_source') then r.left_pupils end as left_pupils,
        case when r.publication not in ('hidden_restricted', 'hidden_at_source') then r.excess end as excess,
        case when r.publication not in ('hidden_restricted', 'hidden_at_source') then r.lack end as lack
    from chosen as c
    inner join {{ ref('int_public_remainders') }} as r
        on
            c.origin = r.origin
            and c.hiding_group = r.hiding_group
            and c.grade = r.grade
            and c.school_year = r.school_year
            and c.municipality_code = r.municipality_code
            and c.ownership = r.ownership
            and c.step = r.step
            and r.reading = 0
),

of_the_nation as (
    select
        origin,
        hiding_group,
        grade,
        school_year,
        ownership,
        indicator,
        share_of_pupils,
        scale,
        public_min_pupils,
        public_min_hidden,
        public_min_counts,
        public_min_interval,
        sum(case when stays then 0 else 1 end) as hidden_municipalities,
        coalesce(sum(case when not stays then left_pupils end), 0) as left_pupils,
        coalesce(max(case when not stays then left_pupils end), 0) as largest,
        coalesce(sum(case when not stays then excess end), 0) as excess,
        coalesce(sum(case when not stays then lack end), 0) as lack
    from left_over
    group by
        origin, hiding_group, grade, school_year, ownership, indicator, share_of_pupils, scale, public_min_pupils,
        public_min_hidden, public_min_counts, public_min_interval
),

exposed as (
    select
        origin,
        hiding_group,
        grade,
        school_year,
        ownership
    from of_the_nation
    where
        hidden_municipalities > 0
        and not (
            hidden_municipalities >= public_min_hidden
            and left_pupils >= public_min_pupils
            and {{ leaves_open(
                'share_of_pupils', 'scale', 'largest', 'excess', 'lack', 'public_min_counts', 'public_min_interval'
            ) }}
        )
    group by origin, hiding_group, grade, school_year, ownership
),

-- municipalities that can be hidden for the nation: their own schools hide each other, and no list tells of them
can_join as (
    select
        l.origin,
        l.hiding_group,
        l.grade,
        l.school_year,
        l.ownership,
        l.municipality_code,
        max(l.public_min_hidden) as public_min_hidden,
        row_number() over (
            partition by l.origin, l.hiding_group, l.grade, l.school_year, l.ownership
            order by max(l.n_pupils), l.municipality_code
        ) as place
    from left_over as l
    inner join exposed as e
        on
            l.origin = e.origin
            and l.hiding_group = e.hiding_group
            and l.grade = e.grade
            and l.school_year = e.school_year
            and l.ownership = e.ownership
    where l.stays and not l.known and not l.tells
    group by l.origin, l.hiding_group, l.grade, l.school_year, l.ownership, l.municipality_code
    having min(l.hidden_schools) > 0
)

select
    c.origin,
    c.hiding_group,
    c.grade,
    c.school_year,
    c.municipality_code,
    c.ownership,
    case when j.municipality_code is not null then greatest(c.step, c.whole_step) else c.step end as step,
    not c.stays or j.municipality_code is not null or (e.origin is not null and f.origin is null) as hides_itself,
    e.origin is not null and f.origin is null as hides_all
from chosen as c
left join exposed as e
    on
        c.origin = e.origin
        and c.hiding_group = e.hiding_group
        and c.grade = e.grade
        and c.school_year = e.school_year
        and c.ownership = e.ownership
left join can_join as j
    on
        c.origin = j.origin
        and c.hiding_group = j.hiding_group
        and c.grade = j.grade
        and c.school_year = j.school_year
        and c.ownership = j.ownership
        and c.municipality_code = j.municipality_code
        and j.place <= j.public_min_hidden
left join can_join as f
    on
        c.origin = f.origin
        and c.hiding_group = f.hiding_group
        and c.grade = f.grade
        and c.school_year = f.school_year
        and c.ownership = f.ownership
        and f.place = f.public_min_hidden
