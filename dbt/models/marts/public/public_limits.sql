-- The public edition of limits. A percentile limit is the value of one school, so where it stands would name the school:
-- the place is shown of published limits only. The value is shown when it tells of no hidden school.
select
    l.round,
    l.indicator,
    l.grade,
    l.school_year,
    {% for side in ['national', 'absolute'] -%}
    {{ shown_if('s.' ~ side ~ '_shown', 'l.' ~ side ~ '_limit') }} as {{ side }}_limit,
    l.{{ side }}_method,
    l.{{ side }}_base_year,
    l.{{ side }}_schools,
    {% endfor -%}
    {% for side in ['national', 'absolute'] -%}
    {% for column in ['sha256', 'row', 'column'] -%}
    {{ shown_if('s.' ~ side ~ "_method = 'published'", 'l.' ~ side ~ '_source_' ~ column) }}
        as {{ side }}_source_{{ column }},
    {% endfor -%}
    {% endfor -%}
    {% for side in ['national', 'absolute'] -%}
    case when s.{{ side }}_shown then 'shown' else 'hidden_complementary' end as {{ side }}_limit_publication,
    {% endfor -%}
    l.data_origin
from {{ ref('limits') }} as l
inner join {{ ref('int_public_limits') }} as s
    on
        l.round = s.round
        and l.indicator = s.indicator
        and coalesce(l.grade, 0) = s.grade_key
        and coalesce(l.school_year, 'window') = s.year_key
