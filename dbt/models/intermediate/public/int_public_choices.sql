-- How many schools of each municipality are hidden besides, and which municipalities are. A municipality whose schools are
-- too few to hide behind is hidden itself. Those that are hidden are what is left of the nation's figure; where that is
-- too little, the smallest municipalities with safely hidden schools join them, and where they are too few, nothing of that
-- grade and year is shown.
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
        min(hidden_schools) as hidden_schools,
        min(case when is_safe then 1 else 0 end) = 1 as is_safe
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
        min(case when is_safe then step end) as safe_step,
        -- the schools of a hidden municipality add up to it, so one of them is hidden as well
        min(case when hidden_schools > 0 then step end) as hiding_step
    from at_steps
    group by origin, hiding_group, grade, school_year, municipality_code, ownership
),

chosen as (
    select
        *,
        is_shown and (safe_step is not null or known) as stays,
        case when is_shown then coalesce(safe_step, 0) else coalesce(hiding_step, 0) end as step
    from of_schools
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
        c.step,
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

-- municipalities that can be hidden for the nation: their own schools hide each other
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
    where l.stays and not l.known
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
    c.step,
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
