-- Each school of the window with its sums, and the first ground on which it is not rated.
with summed as (
    select
        s.round,
        s.school_code,
        s.school_name,
        s.municipality_code,
        s.ownership,
        s.out_of_scope,
        s.operating,
        u.points,
        u.possible_points,
        u.applicable_points,
        u.weight_beyond_absolute,
        u.weight_judged,
        u.pupils,
        u.areas,
        {{ share('u.points', 'u.possible_points') }} as risk_share,
        {{ share('u.possible_points', 'u.applicable_points') }} as coverage,
        {{ share('u.weight_beyond_absolute', 'u.weight_judged') }} as absolute_hit_share
    from {{ ref('int_school_population') }} as s
    inner join {{ ref('int_unit_sums') }} as u
        on s.round = u.round and u.unit_level = 'school' and s.school_code = u.unit_code
    where s.in_window
)

select
    s.*,
    case
        when s.out_of_scope is not null then s.out_of_scope
        when s.municipality_code is null then 'no_municipality'
        when r.closed_schools = 'leave_out' and not s.operating then 'closed'
        when s.possible_points = 0 then 'no_visible_cells'
        when s.possible_points < r.min_coverage * s.applicable_points then 'low_coverage'
        when s.areas < r.min_areas then 'too_few_areas'
    end as not_rated_reason
from summed as s
inner join {{ ref('stg_rounds') }} as r on s.round = r.round
