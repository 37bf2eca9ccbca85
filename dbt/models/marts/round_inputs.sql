-- What a round needs and what is in force. A round with a needed input that is neither in force nor accepted as missing
-- is not published.
with cells as (
    select
        dataset,
        school_year,
        indicator,
        grade,
        origin,
        max(source_sha256) as source_sha256,
        cast(count(*) as bigint) as cells,
        cast(sum(case when state = 'observed' then 1 else 0 end) as bigint) as observed,
        cast(sum(case when restricted then 1 else 0 end) as bigint) as restricted,
        cast(sum(case when state = 'suppressed' then 1 else 0 end) as bigint) as suppressed
    from {{ ref('int_extract_cells') }}
    where ownership = 'all' and state <> 'absent'
    group by dataset, school_year, indicator, grade, origin
),

files as (
    select
        dataset,
        school_year,
        source_sha256,
        max_by(file, place) as file
    from {{ ref('stg_input_files') }}
    group by dataset, school_year, source_sha256
),

accepted as (
    select
        round,
        dataset,
        school_year,
        indicator,
        grade,
        max(accepted_by) as accepted_by,
        max(accepted_reason) as accepted_reason
    from {{ ref('stg_accepted_gaps') }}
    group by round, dataset, school_year, indicator, grade
)

select
    n.round,
    n.dataset,
    n.school_year,
    n.indicator,
    n.grade,
    true as needed,
    coalesce(c.observed, 0) > 0 as in_force,
    c.source_sha256,
    f.file,
    coalesce(c.cells, 0) as cells,
    coalesce(c.observed, 0) as observed,
    coalesce(c.restricted, 0) as restricted,
    coalesce(c.suppressed, 0) as suppressed,
    case when coalesce(c.observed, 0) = 0 then a.accepted_by end as accepted_by,
    case when coalesce(c.observed, 0) = 0 then a.accepted_reason end as accepted_reason,
    r.origin as data_origin
from {{ ref('int_needed_inputs') }} as n
inner join {{ ref('stg_rounds') }} as r on n.round = r.round
left join cells as c
    on
        n.dataset = c.dataset
        and n.school_year = c.school_year
        and n.indicator = c.indicator
        and n.grade = c.grade
        and r.origin = c.origin
left join files as f
    on n.dataset = f.dataset and n.school_year = f.school_year and c.source_sha256 = f.source_sha256
left join accepted as a
    on
        n.round = a.round
        and n.dataset = a.dataset
        and n.school_year = a.school_year
        and n.indicator = a.indicator
        and n.grade = a.grade
