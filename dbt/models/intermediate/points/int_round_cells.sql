-- The cells each round may look at: of its origin, its indicators and grades, the ownership its rule names for the
-- level, and either inside its window of years or in the base year of a frozen limit. A cell that is absent is no
-- cell: where several years stand side by side in a file, a unit has blanks in years it did not exist.
with matched as (
    select
        r.round,
        c.dataset,
        c.school_year,
        c.start_year,
        c.unit_level,
        c.unit_code,
        c.unit_name,
        c.county_code,
        c.municipality_code,
        c.grade,
        c.indicator,
        c.ownership,
        c.value,
        c.n_pupils,
        c.state,
        c.restricted,
        c.raw_value,
        c.source_sha256,
        c.source_row,
        c.source_column,
        c.start_year between r.last_start_year - i.lag - r.window_years + 1 and r.last_start_year - i.lag as in_window,
        c.unit_level = 'school'
        and (c.school_year = i.national_base_year or c.school_year = i.absolute_base_year) as in_base_year
    from {{ ref('int_extract_cells') }} as c
    inner join {{ ref('stg_rule_indicators') }} as i
        on c.dataset = i.dataset and c.indicator = i.indicator and c.grade = i.grade
    inner join {{ ref('stg_rounds') }} as r
        on i.round = r.round and c.origin = r.origin
    where c.state <> 'absent' and c.ownership = case c.unit_level
        when 'school' then 'all'
        when 'municipality' then r.municipality_ownership
        when 'national' then r.national_ownership
    end
)

select * from matched
where in_window or coalesce(in_base_year, false)
