-- noqa: disable=ST07
-- One row per school year, indicator and grade (all ownerships, both sexes, units at home), with what it is compared
-- with. Differences of values are in standard deviations between the visible schools, so that one limit fits every
-- scale. A comparison that has nothing to compare with is null.
with
both_years as (
    select
        *,
        true as fresh
from new_rows
    union all by name
    select
        *,
        false as fresh
from previous
),

summed as (
    select
        fresh,
        school_year,
        fictional,
        indicator,
        grade,
        any_value(value) filter (where unit_level = 'national') as national_value,
        -- where units known by a code have figures; those of the oldest download are known by name, without a nation
        case when count(*) filter (where unit_level <> 'national' and state = 'observed' and unit_code not like 'navn:%') > 0
            then count(*) filter (where unit_level = 'national' and state = 'observed')
        end as national_figures,
        sum(cast(value * n_pupils as double)) filter (where unit_level = 'school')
        / nullif(sum(n_pupils) filter (where unit_level = 'school' and value is not null), 0) as school_mean,
        stddev_samp(cast(value as double)) filter (where unit_level = 'school') as school_sd,
        any_value(n_pupils) filter (where unit_level = 'national') as national_pupils,
        sum(n_pupils) filter (where unit_level = 'school') as school_pupils,
        sum(n_pupils) filter (where unit_level = 'municipality') as municipality_pupils,
        count(*) filter (where unit_level = 'school') as schools,
        -- a view with hidden figures has as many of them as the public view
        count(*) filter (where unit_level = 'school' and (state = 'suppressed' or restricted))
        / nullif(count(*) filter (where unit_level = 'school' and state in ('observed', 'suppressed')), 0)
            as suppressed_share
    from both_years
    where ownership = 'all' and sex = 'all' and not abroad
    group by all
),

vanishing as (
    select
        o.school_year,
        o.fictional,
        o.indicator,
        o.grade,
        count(*) filter (where n.unit_code is null) / count(*) as vanishing_share
    from held as o
    left join new_rows as n
        using (school_year, fictional, indicator, grade, ownership, sex, unit_level, unit_code)
    where o.ownership = 'all' and o.sex = 'all' and not o.abroad
    group by all
)

select
    f.school_year,
    f.indicator,
    f.grade,
    f.schools,
    e.schools as schools_before,
    f.suppressed_share,
    f.national_figures,
    (cast(f.national_value as double) - f.school_mean) / nullif(f.school_sd, 0) as national_gap_sd,
    1 - coalesce(f.school_pupils, 0) / nullif(f.national_pupils, 0) as pupils_outside_schools,
    1 - coalesce(f.municipality_pupils, 0) / nullif(f.national_pupils, 0) as pupils_outside_municipalities,
    f.suppressed_share - e.suppressed_share as suppressed_change,
    f.schools / e.schools - 1 as schools_change,
    cast(f.national_value - e.national_value as double) / nullif(e.school_sd, 0) as national_shift_sd,
    v.vanishing_share
from summed as f
left join summed as e
    on
        not e.fresh and f.fictional = e.fictional and f.indicator = e.indicator and f.grade = e.grade
        and cast(substr(f.school_year, 1, 4) as int) = cast(substr(e.school_year, 1, 4) as int) + 1
left join vanishing as v
    on
        f.school_year = v.school_year and f.fictional = v.fictional
        and f.indicator = v.indicator and f.grade = v.grade
where f.fresh
order by all
