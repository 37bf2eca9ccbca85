-- How far the official list of a round and the computed one agree.
select
    round,
    min(source) as source,
    cast(sum(case when agreement <> 'only_computed' then 1 else 0 end) as bigint) as official,
    cast(sum(case when agreement <> 'only_official' then 1 else 0 end) as bigint) as computed,
    cast(sum(case when agreement = 'both' then 1 else 0 end) as bigint) as agree,
    cast(sum(case when agreement = 'both' and official_group = computed_group then 1 else 0 end) as bigint)
        as agree_on_group,
    cast(sum(case when agreement = 'only_official' then 1 else 0 end) as bigint) as only_official,
    cast(sum(case when agreement = 'only_computed' then 1 else 0 end) as bigint) as only_computed,
    max(data_origin) as data_origin
from {{ ref('official_list') }}
group by round
