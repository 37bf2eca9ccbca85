-- What is left of each municipality's figure when its visible schools are taken from it, for each number of schools that
-- could be hidden besides, the smallest first; and whether that keeps the hidden ones, or the figure itself if that is
-- hidden. A school of unknown ownership may or may not be a part of the figure: `reading` 1 takes it for one, 0 does not.
with wholes as (
    select
        *,
        unit_code as municipality
    from {{ ref('int_public_small') }}
    where unit_level = 'municipality' and publication <> 'no_figure' and not has_public_twin
),

parts as (
    select
        m.origin,
        m.indicator,
        m.hiding_group,
        m.grade,
        m.school_year,
        m.municipality,
        m.ownership,
        s.unit_code,
        s.value,
        s.n_pupils,
        s.publication,
        s.known or s.publication = 'shown' as is_visible,
        m.ownership = 'all' or s.owner = m.ownership as is_part
    from wholes as m
    inner join {{ ref('int_public_small') }} as s
        on
            m.origin = s.origin
            and m.indicator = s.indicator
            and m.grade = s.grade
            and m.school_year = s.school_year
            and m.municipality = s.municipality_code
            and s.unit_level = 'school'
            and s.publication <> 'no_figure'
            and (m.ownership = 'all' or s.owner in (m.ownership, 'unknown'))
),

steps as (
    select
        origin,
        hiding_group,
        grade,
        school_year,
        municipality_code as municipality,
        ownership,
        place as step
    from {{ ref('int_public_places') }}
    group by origin, hiding_group, grade, school_year, municipality_code, ownership, place
    union all
    select distinct
        origin,
        hiding_group,
        grade,
        school_year,
        municipality,
        ownership,
        0 as step
    from wholes
),

readings as (
    select
        origin,
        indicator,
        grade,
        school_year,
        municipality,
        ownership,
        0 as reading
    from wholes
    union all
    select distinct
        origin,
        indicator,
        grade,
        school_year,
        municipality,
        ownership,
        1 as reading
    from parts
    where not is_part
),

placed as (
    select
        p.*,
        l.place
    from parts as p
    left join {{ ref('int_public_places') }} as l
        on
            p.origin = l.origin
            and p.hiding_group = l.hiding_group
            and p.grade = l.grade
            and p.school_year = l.school_year
            and p.municipality = l.municipality_code
            and p.ownership = l.ownership
            and p.unit_code = l.school_code
),

-- which parts are seen at each step
seen as (
    select
        m.origin,
        m.indicator,
        m.hiding_group,
        m.grade,
        m.school_year,
        m.municipality,
        m.ownership,
        m.publication,
        m.known,
        m.value,
        m.n_pupils,
        m.share_of_pupils,
        m.scale_min,
        m.scale_max,
        m.public_min_pupils,
        m.public_min_hidden,
        m.public_min_counts,
        m.public_min_interval,
        r.reading,
        s.step,
        p.unit_code as school,
        p.value as school_value,
        p.n_pupils as school_pupils,
        p.publication as school_publication,
        coalesce(p.is_visible and (p.place is null or p.place > s.step), false) as is_seen
    from wholes as m
    inner join readings as r
        on
            m.origin = r.origin
            and m.indicator = r.indicator
            and m.grade = r.grade
            and m.school_year = r.school_year
            and m.municipality = r.municipality
            and m.ownership = r.ownership
    inner join steps as s
        on
            m.origin = s.origin
            and m.hiding_group = s.hiding_group
            and m.grade = s.grade
            and m.school_year = s.school_year
            and m.municipality = s.municipality
            and m.ownership = s.ownership
    left join placed as p
        on
            m.origin = p.origin
            and m.indicator = p.indicator
            and m.grade = p.grade
            and m.school_year = p.school_year
            and m.municipality = p.municipality
            and m.ownership = p.ownership
            and (p.is_part or r.reading = 1)
),

-- `excess` is how far the figure lies above the lower end of its scale, added up over pupils: of a share, its cases
taken as (
    select
        origin,
        indicator,
        hiding_group,
        grade,
        school_year,
        municipality,
        ownership,
        reading,
        step,
        publication,
        share_of_pupils,
        public_min_pupils,
        public_min_hidden,
        public_min_counts,
        public_min_interval,
        max(known) as known,
        max(n_pupils) as n_pupils,
        max(case when share_of_pupils then 1 else scale_max - scale_min end) as scale,
        cast(sum(case when school is not null and not is_seen then 1 else 0 end) as bigint) as hidden_schools,
        cast(sum(case when school is not null and not is_seen and school_pupils is null then 1 else 0 end) as bigint)
            as uncounted_schools,
        coalesce(max(case when not is_seen then school_pupils end), 0) as largest_counted,
        cast(coalesce(sum(case when not is_seen then school_pupils end), 0) as bigint) as counted_pupils,
        -- the status of a hidden school says whether it has fewer pupils than a figure needs, or not
        cast(sum(case
            when school is null or is_seen then 0
            when school_publication in ('shown', 'hidden_complementary') then public_min_pupils
            else 1
        end) as bigint) as fewest_pupils,
        case
            when min(case when is_seen or school_publication = 'hidden_small' then 1 else 0 end) = 1
                then cast(sum(case when school is null or is_seen then 0 else public_min_pupils - 1 end) as bigint)
        end as most_pupils,
        max(n_pupils) - cast(coalesce(sum(case when is_seen then school_pupils end), 0) as bigint) as left_pupils,
        max({{ above_scale('value', 'n_pupils', 'share_of_pupils', 'scale_min') }})
        - coalesce(sum(case
            when is_seen then {{ above_scale('school_value', 'school_pupils', 'share_of_pupils', 'scale_min') }}
        end), 0) as excess
    from seen
    group by
        origin, indicator, hiding_group, grade, school_year, municipality, ownership, reading, step, publication,
        share_of_pupils, public_min_pupils, public_min_hidden, public_min_counts, public_min_interval
),

-- the hidden school about which most is known: the largest. Of several whose pupils nobody counted, one of average size.
sized as (
    select
        *,
        scale * left_pupils - excess as lack,
        greatest(
            largest_counted,
            coalesce(floor((left_pupils - counted_pupils) / nullif(uncounted_schools, 0)), 0)
        ) as largest,
        hidden_schools >= public_min_hidden
        and left_pupils >= public_min_pupils
        and left_pupils - fewest_pupils >= public_min_counts - 1
        and coalesce(most_pupils - left_pupils >= public_min_counts - 1, true) as has_pupils
    from taken
),

-- Who knows the rule knows that the step before was not enough. Where it had schools and pupils enough, too few cases were
-- left, or pupils who are none. That must not tell those of the last school, so it is asked whether it could have all of
-- them. A mean was then left within `told` of an end of its scale, which is too close about the last school; so there is one
-- more, and without it at least `told` was left, which must leave the last one open too. Where the step before had not
-- schools and pupils enough, nothing about cases is asked of it, so that the answer tells nothing about them.
backwards as (
    select
        *,
        lag(has_pupils) over one_more as asked_before,
        lag(excess) over one_more as excess_before,
        lag(lack) over one_more as lack_before,
        lag(largest) over one_more as largest_before,
        public_min_interval * scale * lag(largest) over one_more as told,
        left_pupils - lag(left_pupils) over one_more as last_pupils
    from sized
    window one_more as (
        partition by origin, indicator, grade, school_year, municipality, ownership, reading
        order by step
    )
)

select
    origin,
    indicator,
    hiding_group,
    grade,
    school_year,
    municipality as municipality_code,
    ownership,
    reading,
    step,
    publication,
    known,
    hidden_schools,
    left_pupils,
    excess,
    lack,
    share_of_pupils,
    n_pupils,
    public_min_pupils,
    public_min_hidden,
    public_min_counts,
    public_min_interval,
    scale,
    -- may the municipality's own figure be hidden with so many schools? Its visible schools must not tell it.
    case
        when hidden_schools = 0 then false
        when publication in ('hidden_restricted', 'hidden_at_source') then true
        when share_of_pupils then left_pupils >= public_min_counts
        else left_pupils >= public_min_interval * n_pupils
    end as hides_whole,
    case
        when hidden_schools = 0 then left_pupils = 0 or left_pupils >= public_min_pupils
        when not has_pupils then false
        when share_of_pupils and asked_before and excess_before < public_min_counts and excess > last_pupils then false
        when share_of_pupils and asked_before and lack_before < public_min_counts and lack > last_pupils then false
        when
            not share_of_pupils and asked_before
            -- a rest of so few pupils is too little whatever it adds up to, which tells nothing
            and excess_before + lack_before >= told + scale * largest_before
            and (
                least(excess_before, lack_before) < told
                or not {{ leaves_open(
                    'share_of_pupils', 'scale', 'last_pupils', '(excess - told)', '(lack - told)', 'public_min_counts',
                    'public_min_interval'
                ) }}
            )
            then false
        else {{ leaves_open(
            'share_of_pupils', 'scale', 'largest', 'excess', 'lack', 'public_min_counts', 'public_min_interval'
        ) }}
    end as is_safe
from backwards
