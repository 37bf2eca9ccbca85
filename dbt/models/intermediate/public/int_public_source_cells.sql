-- May each source cell be shown to everybody? One answer for all rounds and editions. A number of pupils is hidden too where
-- another figure of the same unit, dataset, grade and year is, since its pupils are nearly the same.
with hidden_besides as (
    select
        c.origin,
        c.hiding_group,
        c.grade,
        c.school_year,
        'school' as unit_level,
        'all' as ownership,
        p.school_code as unit_code
    from {{ ref('int_public_choices') }} as c
    inner join {{ ref('int_public_places') }} as p
        on
            c.origin = p.origin
            and c.hiding_group = p.hiding_group
            and c.grade = p.grade
            and c.school_year = p.school_year
            and c.municipality_code = p.municipality_code
            and c.ownership = p.ownership
            and (c.step >= p.place or c.hides_all)
    union
    select
        origin,
        hiding_group,
        grade,
        school_year,
        'municipality' as unit_level,
        ownership,
        municipality_code as unit_code
    from {{ ref('int_public_choices') }}
    where hides_itself
),

decided as (
    select
        s.*,
        case
            when s.publication = 'shown' and not s.known and h.unit_code is not null then 'hidden_complementary'
            else s.publication
        end as decision
    from {{ ref('int_public_small') }} as s
    left join hidden_besides as h
        on
            s.origin = h.origin
            and s.hiding_group = h.hiding_group
            and s.grade = h.grade
            and s.school_year = h.school_year
            and s.unit_level = h.unit_level
            and s.ownership = h.ownership
            and s.unit_code = h.unit_code
)

select
    origin,
    dataset,
    indicator,
    grade,
    school_year,
    unit_level,
    unit_code,
    ownership,
    municipality_code,
    value,
    n_pupils,
    decision as publication,
    decision = 'shown'
    and (
        pupils_known
        or max(case when decision in ('shown', 'no_figure') then 0 else 1 end) over (
            partition by origin, unit_level, unit_code, ownership, dataset, grade, school_year
        ) = 0
    ) as pupils_shown
from decided
