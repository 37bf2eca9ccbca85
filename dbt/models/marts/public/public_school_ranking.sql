-- The public edition of school_ranking. Sums are shown for units without a hidden cell, official ranks for all or none.
select
    k.round,
    k.school_code,
    k.school_name,
    k.municipality_code,
    k.municipality_name,
    k.county_governor,
    k.ownership,
    {{ shown_if('s.sums_shown', 'k.points') }} as points,
    k.possible_points,
    k.applicable_points,
    {{ shown_if('s.sums_shown', 'k.risk_share') }} as risk_share,
    k.coverage,
    k.rated,
    {{ shown_if('s.ranks_shown', 'k.rank') }} as rank,
    case when s.sums_shown and k.rated then
        cast(
            row_number() over (partition by k.round, s.sums_shown and k.rated order by k.rank, k.school_code)
            as bigint
        )
    end as rank_among_shown,
    {{ shown_if('s.ranks_shown', 'k.worst_quartile') }} as worst_quartile,
    {{ shown_if('s.sums_shown', 'k.share_if_hidden_best') }} as share_if_hidden_best,
    {{ shown_if('s.sums_shown', 'k.share_if_hidden_worst') }} as share_if_hidden_worst,
    {{ shown_if('s.sums_shown', 'k.absolute_hit_share') }} as absolute_hit_share,
    {{ shown_if('s.pupils_shown', 'k.pupils') }} as pupils,
    {{ shown_if('s.ranks_shown', 'k.tied') }} as tied,
    k.not_rated_reason,
    case when s.sums_shown then 'shown' else 'hidden_complementary' end as publication,
    case when s.ranks_shown then 'shown' else 'hidden_complementary' end as rank_publication,
    k.data_origin
from {{ ref('school_ranking') }} as k
inner join {{ ref('int_public_sums') }} as s
    on k.round = s.round and s.unit_level = 'school' and k.school_code = s.unit_code
