-- Cells of municipalities that came out of a split or a merger. The rule set says whether they are worked out from the
-- schools that lie in the municipality now, when enough of those are visible, or left hidden. Nothing is guessed. A school
-- whose pupils are not counted cannot be weighed and counts as hidden, as everywhere else.
with restructured as (
    select
        h.round,
        h.dataset,
        h.school_year,
        h.start_year,
        h.municipality_code,
        i.indicator,
        i.grade,
        i.decimals,
        r.restructured as treatment,
        r.min_observed_school_percent,
        r.municipality_ownership
    from {{ ref('int_municipality_history') }} as h
    inner join {{ ref('stg_rounds') }} as r on h.round = r.round
    inner join {{ ref('stg_rule_indicators') }} as i on h.round = i.round and h.dataset = i.dataset
    where h.history = 'restructured'
),

of_schools as (
    select
        m.round,
        m.dataset,
        m.school_year,
        m.start_year,
        m.municipality_code,
        m.indicator,
        m.grade,
        count(*) as schools,
        sum(case when c.state = 'observed' and c.n_pupils > 0 then 1 else 0 end) as visible,
        {{ rounded_weighted_mean('c.value', 'c.n_pupils', 'm.decimals', "c.state = 'observed' and c.n_pupils > 0") }}
            as mean_value,
        sum(case when c.state = 'observed' and c.n_pupils > 0 then c.n_pupils end) as pupils,
        max(case when c.state = 'observed' and c.n_pupils > 0 and c.restricted then 1 else 0 end) = 1 as restricted,
        max(m.min_observed_school_percent) as min_observed_school_percent
    from restructured as m
    inner join {{ ref('int_school_population') }} as s
        on m.round = s.round and m.municipality_code = s.municipality_code
    inner join {{ ref('int_round_cells') }} as c
        on
            m.round = c.round
            and c.unit_level = 'school'
            and s.school_code = c.unit_code
            and m.school_year = c.school_year
            and m.indicator = c.indicator
            and m.grade = c.grade
            and c.in_window
    where
        m.treatment = 'recompute_from_schools'
        and (m.municipality_ownership = 'all' or s.ownership = m.municipality_ownership)
        and c.state in ('observed', 'suppressed')
    group by m.round, m.dataset, m.school_year, m.start_year, m.municipality_code, m.indicator, m.grade
),

judged as (
    select
        *,
        visible > 0 and visible * 100 >= min_observed_school_percent * schools as enough
    from of_schools
)

select
    round,
    dataset,
    school_year,
    start_year,
    municipality_code,
    indicator,
    grade,
    case when enough then mean_value end as value,
    case when enough then cast(pupils as bigint) end as n_pupils,
    case when enough then 'observed' else 'suppressed' end as state,
    enough and restricted as restricted
from judged
union all
select
    round,
    dataset,
    school_year,
    start_year,
    municipality_code,
    indicator,
    grade,
    cast(null as decimal(18, 4)) as value,
    cast(null as bigint) as n_pupils,
    'suppressed' as state,
    false as restricted
from restructured
where treatment = 'mark'
