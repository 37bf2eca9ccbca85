-- How far the rated schools of a municipality lie apart. Shares are taken in millionths, as integers.
with millionths as (
    select
        *,
        cast(floor(risk_share * 1000000 + cast(0.5 as double)) as bigint) as q
    from {{ ref('int_school_ranks') }}
),

summed as (
    select
        round,
        municipality_code,
        count(*) as rated_schools,
        cast(sum(case when worst_quartile then 1 else 0 end) as bigint) as schools_in_worst_quartile,
        max(q) as highest,
        min(q) as lowest,
        sum(q) as s1,
        sum(cast(q as decimal(38, 0)) * q) as s2,
        percentile_cont(0.75) within group (order by q) as upper_quartile,
        percentile_cont(0.25) within group (order by q) as lower_quartile
    from millionths
    group by round, municipality_code
),

measured as (
    select
        round,
        municipality_code,
        rated_schools,
        schools_in_worst_quartile,
        {{ sample_deviation('rated_schools', 's1', 's2') }} / 1000000 as standard_deviation,
        case when rated_schools > 1 then
            cast(highest * (rated_schools - 1) - (s1 - highest) as double) / cast(rated_schools - 1 as double) / 1000000
        end as max_minus_rest_mean,
        case when rated_schools > 1 then cast(highest - lowest as double) / 1000000 end as value_range,
        case when rated_schools > 1 then (upper_quartile - lower_quartile) / 1000000 end as interquartile_range
    from summed
)

select
    m.round,
    m.municipality_code,
    m.rated_schools,
    m.schools_in_worst_quartile,
    {{ round_half_up('m.standard_deviation', '6') }} as spread_standard_deviation,
    {{ round_half_up('m.max_minus_rest_mean', '6') }} as spread_max_minus_rest_mean,
    {{ round_half_up('m.value_range', '6') }} as spread_range,
    {{ round_half_up('m.interquartile_range', '6') }} as spread_iqr,
    case r.spread_measure
        when 'standard_deviation' then {{ round_half_up('m.standard_deviation', '6') }}
        when 'max_minus_rest_mean' then {{ round_half_up('m.max_minus_rest_mean', '6') }}
        when 'range' then {{ round_half_up('m.value_range', '6') }}
        when 'iqr' then {{ round_half_up('m.interquartile_range', '6') }}
    end as school_spread
from measured as m
inner join {{ ref('stg_rounds') }} as r on m.round = r.round
