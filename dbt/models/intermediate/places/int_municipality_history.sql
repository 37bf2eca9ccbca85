-- For each municipality of the selection date, dataset and year of the window: which published row may stand for it.
--   published     its own row
--   carried       the row of the one code that was renumbered into it
--   restructured  it came out of a split or a merger: no published row measures it
with municipality_rows as (
    select distinct
        round,
        dataset,
        school_year,
        start_year,
        municipality_code as code
    from {{ ref('int_round_cells') }}
    where unit_level = 'municipality' and in_window
),

years as (
    select distinct
        round,
        dataset,
        school_year,
        start_year
    from {{ ref('int_round_cells') }}
    where in_window
),

municipalities as (
    select distinct
        c.round,
        t.target as municipality_code
    from (
        select distinct
            round,
            start_year,
            municipality_code
        from {{ ref('int_round_cells') }}
        where in_window and unit_level in ('municipality', 'school')
    ) as c
    inner join {{ ref('int_code_targets') }} as t
        on c.round = t.round and c.start_year = t.start_year and c.municipality_code = t.code
),

old_codes as (
    select
        t.round,
        y.dataset,
        y.start_year,
        t.target as municipality_code,
        count(*) as old_codes,
        count(d.code) as old_codes_with_rows,
        min(t.code) as first_old_code,
        max(t.targets) as targets
    from {{ ref('int_code_targets') }} as t
    inner join years as y on t.round = y.round and t.start_year = y.start_year
    left join municipality_rows as d
        on t.round = d.round and y.dataset = d.dataset and t.start_year = d.start_year and t.code = d.code
    where t.code <> t.target
    group by t.round, y.dataset, y.start_year, t.target
)

select
    m.round,
    y.dataset,
    y.school_year,
    y.start_year,
    m.municipality_code,
    case
        when own.code is not null and coalesce(o.old_codes_with_rows, 0) = 0 then 'published'
        when own.code is null and o.old_codes = 1 and o.targets = 1 then 'carried'
        when own.code is null and o.old_codes is null then 'none'
        else 'restructured'
    end as history,
    case when own.code is null then o.first_old_code else m.municipality_code end as row_code
from municipalities as m
inner join years as y on m.round = y.round
left join municipality_rows as own
    on m.round = own.round and y.dataset = own.dataset and y.start_year = own.start_year and m.municipality_code = own.code
left join old_codes as o
    on m.round = o.round and y.dataset = o.dataset and y.start_year = o.start_year and m.municipality_code = o.municipality_code
