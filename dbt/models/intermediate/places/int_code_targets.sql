-- Where each municipality code, as it stood in a school year, leads on the selection date. Changes are followed in the
-- order of their dates. A code that was split has several targets; a code that never changed is its own.
with recursive codes as (
    select distinct
        c.round,
        c.start_year,
        c.municipality_code as code
    from {{ ref('int_round_cells') }} as c
    where c.unit_level in ('municipality', 'school')
    union
    -- codes that ended after the year although no cell of the year carries them: needed to see mergers
    select distinct
        y.round,
        y.start_year,
        ch.old_code as code
    from (
        select distinct
            round,
            start_year
        from {{ ref('int_round_cells') }}
    ) as y
    inner join {{ ref('stg_rounds') }} as r on y.round = r.round
    inner join {{ ref('int_code_changes') }} as ch
        on
            r.origin = ch.origin
            and ch.change_date > {{ codes_as_of('y.start_year') }}
            and r.selection_date >= ch.change_date
),

changes as (
    select
        r.round,
        ch.old_code,
        ch.new_code,
        ch.change_date
    from {{ ref('int_code_changes') }} as ch
    inner join {{ ref('stg_rounds') }} as r
        on ch.origin = r.origin and ch.change_date <= r.selection_date
),

walk as (
    select
        round,
        start_year,
        code,
        code as target,
        {{ codes_as_of('start_year') }} as reached_on
    from codes
    union all
    select
        w.round,
        w.start_year,
        w.code,
        ch.new_code as target,
        ch.change_date as reached_on
    from walk as w
    inner join changes as ch
        on
            w.round = ch.round
            and w.target = ch.old_code
            and w.reached_on < ch.change_date
),

ends as (
    select distinct
        w.round,
        w.start_year,
        w.code,
        w.target
    from walk as w
    left join changes as ch
        on
            w.round = ch.round
            and w.target = ch.old_code
            and w.reached_on < ch.change_date
    where ch.old_code is null
)

select
    round,
    start_year,
    code,
    target,
    count(*) over (partition by round, start_year, code) as targets
from ends
