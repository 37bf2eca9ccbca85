-- The public edition of municipality_ranking. The spread is a sum over schools: one hidden school would follow from it.
select
    m.round,
    m.municipality_code,
    m.municipality_name,
    m.county_code,
    m.county_governor,
    {{ shown_if('s.sums_shown', 'm.points') }} as points,
    m.possible_points,
    m.applicable_points,
    {{ shown_if('s.sums_shown', 'm.risk_share') }} as risk_share,
    m.coverage,
    m.rated,
    {{ shown_if('s.ranks_shown', 'm.rank') }} as rank,
    case when s.sums_shown and m.rated then
        cast(
            row_number() over (partition by m.round, s.sums_shown and m.rated order by m.rank, m.municipality_code)
            as bigint
        )
    end as rank_among_shown,
    m.rated_schools,
    {{ shown_if('s.school_ranks_shown', 'm.schools_in_worst_quartile') }} as schools_in_worst_quartile,
    {% for column in [
        'school_spread', 'spread_standard_deviation', 'spread_max_minus_rest_mean', 'spread_range', 'spread_iqr'
    ] -%}
    {{ shown_if('s.spread_shown', 'm.' ~ column) }} as {{ column }},
    {% endfor -%}
    {{ shown_if('s.sums_shown', 'm.share_if_hidden_best') }} as share_if_hidden_best,
    {{ shown_if('s.sums_shown', 'm.share_if_hidden_worst') }} as share_if_hidden_worst,
    {{ shown_if('s.sums_shown', 'm.absolute_hit_share') }} as absolute_hit_share,
    {{ shown_if('s.pupils_shown', 'm.pupils') }} as pupils,
    {{ shown_if('s.ranks_shown', 'm.tied') }} as tied,
    m.restructured_years,
    m.not_rated_reason,
    case when s.sums_shown then 'shown' else 'hidden_complementary' end as publication,
    case when s.ranks_shown then 'shown' else 'hidden_complementary' end as rank_publication,
    case when s.spread_shown then 'shown' else 'hidden_complementary' end as spread_publication,
    m.data_origin
from {{ ref('municipality_ranking') }} as m
inner join {{ ref('int_public_sums') }} as s
    on m.round = s.round and s.unit_level = 'municipality' and m.municipality_code = s.unit_code
