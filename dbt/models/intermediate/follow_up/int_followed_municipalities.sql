-- Every municipality a cohort's round ranked, under the code it has today, with what it was at the selection. One that
-- took over several is followed once: as the member of the cohort, or else as the largest of them.
with selected as (
    select distinct round from {{ ref('int_cohort_members') }}
),

followed as (
    select
        r.cohort,
        r.round,
        r.origin,
        r.last_start_year,
        r.followup_starts_on,
        r.followup_ends_on,
        l.round as monitoring_round,
        m.municipality_code as selected_code,
        m.municipality_name,
        m.county_governor,
        m.risk_share as baseline_share,
        m.rank as baseline_rank,
        m.pupils as baseline_pupils,
        s.successor as municipality_code,
        s.how,
        c.municipality_code is not null as in_cohort
    from {{ ref('int_municipality_ratings') }} as m
    inner join {{ ref('stg_rounds') }} as r on m.round = r.round and r.purpose = 'selection'
    inner join {{ ref('int_code_successors') }} as s on m.round = s.round and m.municipality_code = s.municipality_code
    inner join {{ ref('stg_rounds') }} as l
        on s.later_round = l.round and l.purpose = 'monitoring' and r.rule_set = l.rule_set
    inner join selected on m.round = selected.round
    left join {{ ref('int_cohort_members') }} as c on m.round = c.round and m.municipality_code = c.municipality_code
    where m.not_rated_reason is null or c.municipality_code is not null
),

ordered as (
    select
        *,
        row_number() over (
            partition by cohort, municipality_code
            order by case when in_cohort then 1 else 2 end asc, baseline_pupils desc, selected_code asc
        ) as place
    from followed
),

members as (
    select distinct
        monitoring_round,
        municipality_code,
        followup_starts_on,
        followup_ends_on
    from followed
    where in_cohort
)

-- Whoever was already followed at the selection is no comparison. Those selected later are: to leave them out would be
-- to look ahead, and the municipalities that did badly by chance would be missing from the comparison.
select
    o.cohort,
    o.round,
    o.origin,
    o.last_start_year,
    o.followup_starts_on,
    o.followup_ends_on,
    o.monitoring_round,
    o.selected_code,
    o.municipality_name,
    o.county_governor,
    o.baseline_share,
    o.baseline_rank,
    o.baseline_pupils,
    o.municipality_code,
    o.how,
    o.in_cohort,
    not o.in_cohort and earlier.municipality_code is null as eligible_comparison
from ordered as o
left join members as earlier
    on
        o.monitoring_round = earlier.monitoring_round
        and o.municipality_code = earlier.municipality_code
        and o.followup_starts_on > earlier.followup_starts_on
        and o.followup_starts_on <= earlier.followup_ends_on
where o.place = 1
