-- Every slice of the extracts that a selection round needs: each indicator and grade in each year of the window, and in
-- the base years its limits are frozen in. Grade points lag behind, so a window ends in different years.
with recursive years as (
    select
        i.round,
        i.dataset,
        i.indicator,
        i.grade,
        cast(substr(r.last_school_year, 1, 4) as int) - i.lag as start_year,
        r.window_years as years_left
    from {{ ref('stg_rule_indicators') }} as i
    inner join {{ ref('stg_rounds') }} as r on i.round = r.round and r.purpose = 'selection'
    union all
    select
        round,
        dataset,
        indicator,
        grade,
        start_year - 1 as start_year,
        years_left - 1 as years_left
    from years
    where years_left > 1
),

in_window as (
    select
        round,
        dataset,
        indicator,
        grade,
        cast(start_year as string) || '-' || substr(cast(start_year + 1 as string), 3, 2) as school_year
    from years
),

in_base_year as (
    {% for side in ('national', 'absolute') %}
    select
        i.round,
        i.dataset,
        i.indicator,
        i.grade,
        i.{{ side }}_base_year as school_year
    from {{ ref('stg_rule_indicators') }} as i
    inner join {{ ref('stg_rounds') }} as r on i.round = r.round and r.purpose = 'selection'
    where i.{{ side }}_base_year is not null and i.{{ side }}_base_year <> 'same_year'
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
)

select distinct * from in_window
union
select distinct * from in_base_year
