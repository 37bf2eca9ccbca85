-- Every municipality a cohort's round ranked, under the code it has today, with what it was at the selection. One that
-- took over several is followed once: as the member of the cohort, or else as the largest of them.
with followed as (
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
    left join {{ ref('int_cohort_members') }} as c on m.round = c.round and m.municipality_code = c.municipality_code
    where
        r.round in (select round from {{ ref('int_cohort_members') }})
        and (m.not_rated_reason is null or c.municipality_code is not null)
),

once as (
    select *
    from followed
    qualify row_number() over (
        partition by cohort, municipality_code
        order by case when in_cohort then 1 else 2 end asc, baseline_pupils desc, selected_code asc
    ) = 1
)

-- Whoever was already followed at the selection is no comparison. Those selected later are: to leave them out would be
-- to look ahead, and the municipalities that did badly by chance would be missing from the comparison.
select
    o.*,
    not o.in_cohort and earlier.municipality_code is null as eligible_comparison
from once as o
left join (
    select distinct
        f.monitoring_round,
        f.municipality_code,
        f.followup_starts_on,
        f.followup_ends_on
    from followed as f
    where f.in_cohort
) as earlier
    on
        o.monitoring_round = earlier.monitoring_round
        and o.municipality_code = earlier.municipality_code
        and earlier.followup_starts_on < o.followup_starts_on
        and earlier.followup_ends_on >= o.followup_starts_on
