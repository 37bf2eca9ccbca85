-- A municipality's figure minus its visible schools is the figure of the schools that are left. For each figure of a
-- municipality that may be shown: which schools are left, how many pupils they have, and whether that gives one away.
with compared as (
    select
        m.round,
        m.municipality_code,
        m.indicator,
        m.grade_key,
        m.year_key,
        max(m.publication) as publication,
        max(m.n_pupils) as n_pupils,
        max(m.public_min_pupils) as public_min_pupils,
        max(m.public_min_hidden) as public_min_hidden,
        cast(sum(case
            when s.may_be_part and s.publication in ('hidden_small', 'hidden_restricted') then 1
            when s.may_be_part and s.publication = 'hidden_at_source' and not m.worked_out_from_schools then 1
            else 0
        end) as bigint) as may_be_hidden,
        cast(sum(case
            when s.is_part and s.publication in ('hidden_small', 'hidden_restricted') then 1
            when
                s.is_part and s.publication = 'hidden_at_source'
                and not m.worked_out_from_schools and not m.partly_worked_out then 1
            else 0
        end) as bigint) as hidden,
        cast(sum(case when s.is_part and s.publication = 'shown' then 1 else 0 end) as bigint) as shown,
        cast(coalesce(sum(case when s.is_part and s.publication = 'shown' then s.n_pupils end), 0) as bigint) as shown_pupils,
        max(m.n_pupils)
        - cast(coalesce(sum(case when s.may_be_part and s.publication = 'shown' then s.n_pupils end), 0) as bigint)
            as left_pupils
    from {{ ref('int_public_small') }} as m
    left join {{ ref('int_public_small') }} as s
        on
            m.round = s.round
            and m.municipality_code = s.municipality_code
            and m.indicator = s.indicator
            and m.grade_key = s.grade_key
            and m.year_key = s.year_key
            and s.unit_level = 'school'
    where m.unit_level = 'municipality'
    group by m.round, m.municipality_code, m.indicator, m.grade_key, m.year_key
),

exposed as (
    select
        *,
        publication = 'shown'
        and case
            when may_be_hidden > 0 then hidden < public_min_hidden or left_pupils < public_min_pupils
            -- pupils of a school that has no row at all
            else
                (left_pupils > 0 and left_pupils < public_min_pupils)
                or (n_pupils > shown_pupils and n_pupils - shown_pupils < public_min_pupils)
        end as gives_away
    from compared
)

select
    *,
    -- where even all its schools together are too little to hide behind, the municipality's own figure is hidden
    gives_away
    and (hidden + shown < public_min_hidden or left_pupils + shown_pupils < public_min_pupils) as hides_itself
from exposed
