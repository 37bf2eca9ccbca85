-- May each judged cell be shown to everybody? One that is a source cell as that is; one made of several when each that went
-- into it may. So what is worked out here tells nothing that shown cells do not.
with parts as (
    select
        s.round,
        s.unit_level,
        s.unit_code,
        s.indicator,
        s.grade_key,
        s.year_key,
        max(case when c.publication = 'hidden_restricted' then 1 else 0 end) as restricted_parts,
        max(case when c.publication = 'hidden_small' then 1 else 0 end) as small_parts,
        max(case when c.publication = 'shown' then 0 else 1 end) as hidden_parts,
        max(case when c.pupils_shown then 0 else 1 end) as uncounted_parts
    from {{ ref('int_point_sources') }} as s
    inner join {{ ref('stg_rounds') }} as r on s.round = r.round
    inner join {{ ref('int_public_source_cells') }} as c
        on
            r.origin = c.origin
            and {{ is_cell('s', 'c') }}
    where s.cell_state = 'observed' and (s.is_alone or s.cell_n_pupils > 0)
    group by s.round, s.unit_level, s.unit_code, s.indicator, s.grade_key, s.year_key
)

select
    j.round,
    j.unit_level,
    j.unit_code,
    j.indicator,
    j.grade_key,
    j.year_key,
    j.judged,
    case
        when j.state = 'suppressed' then 'hidden_at_source'
        when j.state <> 'observed' then 'no_figure'
        when p.restricted_parts = 1 then 'hidden_restricted'
        when p.small_parts = 1 then 'hidden_small'
        when p.hidden_parts = 0 then 'shown'
        else 'hidden_complementary'
    end as publication,
    j.state = 'observed' and coalesce(p.uncounted_parts = 0, false) as pupils_shown
from {{ ref('int_indicator_points') }} as j
left join parts as p
    on
        j.round = p.round
        and j.unit_level = p.unit_level
        and j.unit_code = p.unit_code
        and j.indicator = p.indicator
        and j.grade_key = p.grade_key
        and j.year_key = p.year_key
where j.unit_level in ('school', 'municipality')
