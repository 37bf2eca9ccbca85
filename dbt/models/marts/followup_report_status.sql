-- The three reports: who owes each, when it is due, and whether it has come.
select
    d.cohort,
    d.round,
    c.municipality_code,
    m.municipality_name,
    m.county_governor,
    d.report,
    d.phase,
    d.sender,
    d.due_on,
    r.received_on,
    cast(r.reference as string) as reference,
    case
        when r.received_on <= d.due_on then 'received'
        when r.received_on is not null then 'received_late'
        when t.as_of > d.due_on then 'overdue'
        else 'not_due'
    end as status,
    cast(r.source_sha256 as string) as source_sha256,
    cast(r.source_row as bigint) as source_row,
    c.origin as data_origin
from {{ ref('stg_report_duties') }} as d
inner join {{ ref('int_cohort_members') }} as c on d.round = c.round
inner join {{ ref('int_municipality_ratings') }} as m
    on c.round = m.round and c.municipality_code = m.municipality_code
left join {{ ref('stg_followup_reports') }} as r
    on
        d.cohort = r.cohort
        and c.municipality_code = r.municipality_code
        and d.report = r.report
        and d.sender = r.sender
        and c.origin = r.origin
left join {{ ref('stg_calendar') }} as t on true
