-- The public edition of indicator_points: every row stays, so that nobody takes a hidden figure for a missing one.
select
    {% for column in [
        'round', 'unit_level', 'unit_code', 'school_year', 'indicator', 'grade', 'value', 'n_pupils', 'state',
        'value_basis', 'national_limit', 'absolute_limit', 'points', 'weight', 'weighted_points', 'possible_points',
        'applicable_points', 'source_sha256', 'source_row', 'source_column'
    ] -%}
    {% if column == 'n_pupils' -%}
    {{ shown_if('c.pupils_shown', 'p.n_pupils') }} as n_pupils,
    {% elif column in ['national_limit', 'absolute_limit'] -%}
    {{ shown_if('s.' ~ column | replace('limit', 'shown'), 'p.' ~ column) }} as {{ column }},
    {% else -%}
    {{ shown_if("c.publication = 'shown'", 'p.' ~ column, column in ('value', 'points', 'weighted_points')) }} as {{ column }},
    {% endif -%}
    {% endfor -%}
    c.publication,
    p.data_origin
from {{ ref('indicator_points') }} as p
inner join {{ ref('int_public_cells') }} as c
    on
        p.round = c.round
        and p.unit_level = c.unit_level
        and p.unit_code = c.unit_code
        and p.indicator = c.indicator
        and coalesce(p.grade, 0) = c.grade_key
        and coalesce(p.school_year, 'window') = c.year_key
left join {{ ref('int_public_limits') }} as s
    on
        p.round = s.round
        and p.indicator = s.indicator
        and coalesce(p.grade, 0) = s.grade_key
        and coalesce(p.school_year, 'window') = s.year_key
