-- What is judged: a cell as it stands, or several combined into one where the rule pools grades or averages the years.
-- A combination weighs by pupils; a visible cell without a count of pupils cannot take part and counts as hidden.
with combined as (
    select
        c.round,
        c.cell_use,
        c.unit_level,
        c.unit_code,
        c.indicator,
        c.grade_key,
        c.year_key,
        {{ rounded_weighted_mean('c.value', 'c.n_pupils', 'i.decimals', "c.state = 'observed' and c.n_pupils > 0") }} as value,
        sum(case when c.state = 'observed' and c.n_pupils > 0 then c.n_pupils end) as n_pupils,
        max(case when c.state = 'observed' and c.n_pupils > 0 and c.restricted then 1 else 0 end) = 1 as restricted,
        min(case
            when c.state = 'observed' and c.n_pupils > 0 then 1
            when c.state in ('observed', 'suppressed') then 2
            when c.state = 'no_participants' then 3
            else 4
        end) as best_state
    from {{ ref('int_unit_cells') }} as c
    inner join {{ ref('stg_rule_indicators') }} as i
        on c.round = i.round and c.indicator = i.indicator and c.grade = i.grade
    where c.is_combined
    group by c.round, c.cell_use, c.unit_level, c.unit_code, c.indicator, c.grade_key, c.year_key
)

select
    round,
    cell_use,
    unit_level,
    unit_code,
    indicator,
    grade_key,
    year_key,
    value,
    n_pupils,
    state,
    restricted,
    value_basis,
    source_sha256,
    source_row,
    source_column
from {{ ref('int_unit_cells') }}
where not is_combined
union all
select
    round,
    cell_use,
    unit_level,
    unit_code,
    indicator,
    grade_key,
    year_key,
    value,
    cast(n_pupils as bigint) as n_pupils,
    case best_state
        when 1 then 'observed' when 2 then 'suppressed' when 3 then 'no_participants' else 'absent'
    end as state,
    restricted,
    'combined' as value_basis,
    cast(null as string) as source_sha256,
    cast(null as bigint) as source_row,
    cast(null as string) as source_column
from combined
