-- May a limit be shown? One taken from schools tells of those of its schools that are hidden: a percentile is the value of
-- one of them, a mean with standard deviations an equation over all. So either none is hidden, or more than the two limits
-- they could be worked out from, with enough pupils together. A
-- limit that rests on a single figure with a star is hidden: everybody may see only what follows from figures without.
with behind as (
    select
        p.round,
        p.indicator,
        p.grade_key,
        p.base_year,
        p.population,
        r.public_min_pupils,
        r.public_min_hidden,
        coalesce(p.n_pupils, 0) as n_pupils,
        p.value,
        coalesce(c.publication, b.publication, 'hidden_small') <> 'shown' as is_hidden
    from {{ ref('int_limit_populations') }} as p
    inner join {{ ref('stg_rounds') }} as r on p.round = r.round
    left join {{ ref('int_public_cells') }} as c
        on
            p.round = c.round
            and p.indicator = c.indicator
            and p.grade_key = c.grade_key
            and p.population = c.year_key
            and c.unit_level = 'school'
            and p.unit_code = c.unit_code
    left join {{ ref('int_public_source_cells') }} as b
        on
            r.origin = b.origin
            and p.indicator = b.indicator
            and p.grade_key = b.grade
            and p.population = b.school_year
            and b.unit_level = 'school'
            and p.unit_code = b.unit_code
),

hidden as (
    select
        round,
        indicator,
        grade_key,
        base_year,
        population,
        sum(case when is_hidden then 1 else 0 end) as hidden_schools,
        sum(case when is_hidden then n_pupils else 0 end) as hidden_pupils,
        min(case when is_hidden then value end) as least_hidden,
        max(case when is_hidden then value end) as most_hidden,
        max(public_min_pupils) as public_min_pupils,
        max(public_min_hidden) as public_min_hidden
    from behind
    group by round, indicator, grade_key, base_year, population
),

sides as (
    select
        l.round,
        l.indicator,
        l.grade_key,
        l.year_key,
        n.side,
        n.method,
        not coalesce(case n.side when 'national' then l.national_restricted else l.absolute_restricted end, false)
        and (
            coalesce(h.hidden_schools, 0) = 0
            or (
                h.hidden_schools > h.public_min_hidden
                and h.hidden_pupils >= h.public_min_pupils
                -- how many schools lie beyond a percentile is known: if all hidden ones lay on one side, that of each
                and h.least_hidden < case n.side when 'national' then l.national_limit else l.absolute_limit end
                and h.most_hidden > case n.side when 'national' then l.national_limit else l.absolute_limit end
            )
        ) as is_shown
    from {{ ref('int_limits') }} as l
    inner join {{ ref('int_limit_rules') }} as n
        on l.round = n.round and l.indicator = n.indicator and l.grade_key = n.grade_key
    left join hidden as h
        on
            l.round = h.round
            and l.indicator = h.indicator
            and l.grade_key = h.grade_key
            and n.base_year = h.base_year
            and n.method in ('percentile', 'mean_sd')
            and h.population = {{ limit_population('n.base_year', 'l.year_key') }}
)

select
    round,
    indicator,
    grade_key,
    year_key,
    {% for side in ['national', 'absolute'] %}
    max(case when side = '{{ side }}' then method end) as {{ side }}_method,
    min(case when side = '{{ side }}' and not is_shown then 0 else 1 end) = 1 as {{ side }}_shown{{ ',' if not loop.last }}
    {% endfor %}
from sides
group by round, indicator, grade_key, year_key
