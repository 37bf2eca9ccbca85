-- School values from which a percentile or a mean with standard deviations is taken, worst first: of the same year, or
-- frozen in a base year. `population` is the key of the year, or the base year's own. Who owns a school is read from the
-- register, which keeps the last record of a school that later files leave out.
with wanted as (
    select distinct
        l.round,
        l.indicator,
        l.grade_key,
        l.base_year,
        l.direction,
        l.decimals
    from {{ ref('int_limit_rules') }} as l
    where l.method in ('percentile', 'mean_sd')
)

select
    w.round,
    w.indicator,
    w.grade_key,
    w.base_year,
    o.year_key as population,
    o.unit_code,
    o.n_pupils,
    o.value,
    o.restricted,
    o.source_sha256,
    o.source_row,
    o.source_column,
    {{ in_last_decimals('o.value', 'w.decimals') }} as scaled_value,
    row_number() over (
        partition by w.round, w.indicator, w.grade_key, w.base_year, o.year_key
        order by case when w.direction = 'higher_is_worse' then -o.value else o.value end asc, o.unit_code asc
    ) as worst_position,
    count(*) over (partition by w.round, w.indicator, w.grade_key, w.base_year, o.year_key) as schools
from wanted as w
inner join {{ ref('int_observations') }} as o
    on
        w.round = o.round
        and w.indicator = o.indicator
        and w.grade_key = o.grade_key
        and o.unit_level = 'school'
        and o.state = 'observed'
        and (
            (w.base_year = 'same_year' and o.cell_use = 'window')
            or (w.base_year = o.year_key and o.cell_use = 'base')
        )
inner join {{ ref('int_school_population') }} as s
    on o.round = s.round and o.unit_code = s.school_code and s.out_of_scope is null
