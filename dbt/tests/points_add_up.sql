-- The points of a municipality's own cells must add up to the points in its ranking, wherever it is judged on its own
-- cells. A failure means that a cell is lost or counted twice between the two tables.
with cells as (
    select
        round,
        unit_code,
        sum(coalesce(weighted_points, 0)) as points,
        sum(possible_points) as possible_points
    from {{ ref('indicator_points') }}
    where unit_level = 'municipality'
    group by round, unit_code
)

select
    m.round,
    m.municipality_code,
    m.points,
    c.points as points_of_cells
from {{ ref('municipality_ranking') }} as m
inner join {{ ref('stg_rounds') }} as r on m.round = r.round
inner join cells as c on m.round = c.round and m.municipality_code = c.unit_code
where
    r.municipality_share_from = 'municipality_values'
    and (m.points <> c.points or m.possible_points <> c.possible_points)
