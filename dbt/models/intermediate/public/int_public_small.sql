-- First question to every source cell that a round looks at: may it be shown by itself? The figures of a unit in a dataset have
-- nearly the same pupils, and a share tells how many they may be; so it is not shown beside a hidden one. A cell that was
-- hidden in an edition stays hidden. A figure that one has shown (`known`) stays shown, unless the figure itself may not be: to
-- hide it hides nothing any more. A municipality's figures of all and of its public schools together tell of the private
-- ones, so of two the one of public schools is shown.
with looked_at as (
    select distinct
        r.origin,
        c.dataset,
        c.indicator,
        c.grade,
        c.school_year,
        c.unit_level,
        c.unit_code,
        c.ownership,
        c.municipality_code,
        c.value,
        c.n_pupils,
        c.state,
        c.restricted,
        i.share_of_pupils,
        i.scale_min,
        i.scale_max,
        r.public_min_pupils,
        r.public_min_hidden,
        r.public_min_counts,
        r.public_min_interval
    from {{ ref('int_round_cells') }} as c
    inner join {{ ref('stg_rounds') }} as r on c.round = r.round
    inner join {{ ref('stg_rule_indicators') }} as i
        on c.round = i.round and c.indicator = i.indicator and c.grade = i.grade
    where c.unit_level in ('school', 'municipality')
),

earlier as (
    select
        l.origin,
        l.unit_level,
        l.unit_code,
        l.ownership,
        l.indicator,
        l.grade,
        l.school_year,
        max(case when e.is_shown then 0 else 1 end) = 1 as was_hidden,
        max(case when e.is_shown and e.value = l.value and coalesce(e.n_pupils, l.n_pupils) = l.n_pupils then 1 else 0 end)
        = 1 as is_known,
        max(case when e.is_shown and e.value = l.value and e.n_pupils = l.n_pupils then 1 else 0 end) = 1 as pupils_known
    from looked_at as l
    inner join {{ ref('stg_public_register') }} as e
        on
            l.origin = e.origin
            and l.unit_level = e.unit_level
            and l.unit_code = e.unit_code
            and l.ownership = e.ownership
            and l.indicator = e.indicator
            and l.grade = e.grade
            and l.school_year = e.school_year
    group by l.origin, l.unit_level, l.unit_code, l.ownership, l.indicator, l.grade, l.school_year
),

alone as (
    select
        l.*,
        case when l.share_of_pupils then l.dataset else l.indicator end as hiding_group,
        case when l.unit_level = 'school' then coalesce(s.ownership, 'unknown') end as owner,
        coalesce(e.is_known, false) as known,
        coalesce(e.pupils_known, false) as pupils_known,
        l.ownership = 'all'
        and max(case when l.ownership = 'public' then 1 else 0 end) over (
            partition by l.origin, l.unit_level, l.unit_code, l.indicator, l.grade, l.school_year
        ) = 1 as has_public_twin,
        case
            when l.state = 'suppressed' then 'hidden_at_source'
            when l.state <> 'observed' then 'no_figure'
            when l.restricted then 'hidden_restricted'
            when coalesce(l.n_pupils, 0) < l.public_min_pupils then 'hidden_small'
            when e.was_hidden and not e.is_known then 'hidden_complementary'
            else 'shown'
        end as publication
    from looked_at as l
    left join {{ ref('stg_school_register') }} as s
        on l.origin = s.origin and l.unit_level = 'school' and l.unit_code = s.school_code
    left join earlier as e
        on
            l.origin = e.origin
            and l.unit_level = e.unit_level
            and l.unit_code = e.unit_code
            and l.ownership = e.ownership
            and l.indicator = e.indicator
            and l.grade = e.grade
            and l.school_year = e.school_year
),

together as (
    select
        *,
        max(case when publication in ('shown', 'no_figure') then 0 else 1 end) over (
            partition by origin, unit_level, unit_code, ownership, dataset, grade, school_year
        ) as hidden_in_dataset
    from alone
)

select
    origin,
    dataset,
    indicator,
    hiding_group,
    grade,
    school_year,
    unit_level,
    unit_code,
    ownership,
    municipality_code,
    owner,
    value,
    n_pupils,
    known,
    pupils_known,
    has_public_twin,
    share_of_pupils,
    scale_min,
    scale_max,
    public_min_pupils,
    public_min_hidden,
    public_min_counts,
    public_min_interval,
    case
        when publication = 'shown' and not known and ((share_of_pupils and hidden_in_dataset = 1) or has_public_twin)
            then 'hidden_complementary'
        else publication
    end as publication
from together
