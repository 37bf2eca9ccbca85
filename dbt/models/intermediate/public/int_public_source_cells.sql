-- May each source cell be shown to everybody? One answer for all rounds and editions. Where a list tells a hidden figure of a
-- municipality, all its figures of that round are hidden. A number of pupils is hidden too where another figure of the same
-- unit, dataset, grade and year is, since its pupils are nearly the same.
with decided as (
    select
        c.*,
        case
            when c.publication = 'shown' and not c.known and t.unit_code is not null then 'hidden_complementary'
            else c.publication
        end as decision
    from {{ ref('int_public_protected') }} as c
    left join {{ ref('int_public_told') }} as t
        on
            c.origin = t.origin
            and c.unit_level = t.unit_level
            and c.unit_code = t.unit_code
            and c.dataset = t.dataset
            and c.grade = t.grade
            and c.school_year = t.school_year
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
