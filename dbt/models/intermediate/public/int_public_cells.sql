-- May each judged cell be shown to everybody? Where the remainder of a municipality gives a school away, its smallest
-- schools are hidden too, until enough schools with enough pupils are left. Where too few municipalities of the nation
-- are hidden, the smallest ones are, and with each of them a school, or its schools would add up to it; as they would to a
-- municipality that the public view hides.
with schools as (
    select
        s.*,
        row_number() over (
            partition by s.round, s.municipality_code, s.indicator, s.grade_key, s.year_key, s.publication, s.is_part
            order by s.n_pupils, s.unit_code
        ) as place,
        sum(s.n_pupils) over (
            partition by s.round, s.municipality_code, s.indicator, s.grade_key, s.year_key, s.publication, s.is_part
            order by s.n_pupils, s.unit_code
            rows between unbounded preceding and current row
        ) - s.n_pupils as pupils_before
    from {{ ref('int_public_small') }} as s
    where s.unit_level = 'school'
),

within_municipalities as (
    select
        s.*,
        coalesce(
            s.is_part
            and s.publication = 'shown'
            and m.gives_away
            and not m.hides_itself
            and (
                m.hidden + s.place - 1 < m.public_min_hidden
                or m.left_pupils + s.pupils_before < m.public_min_pupils
            ),
            false
        ) as hides
    from schools as s
    left join {{ ref('int_public_remainders') }} as m
        on
            s.round = m.round
            and s.municipality_code = m.municipality_code
            and s.indicator = m.indicator
            and s.grade_key = m.grade_key
            and s.year_key = m.year_key
),

municipalities as (
    select
        *,
        publication in ('hidden_small', 'hidden_restricted', 'hidden_at_source') or hides_itself as is_hidden,
        hidden > 0 or (gives_away and not hides_itself) as has_hidden_school
    from {{ ref('int_public_remainders') }}
    where publication <> 'no_figure'
),

in_the_nation as (
    select
        *,
        sum(case when is_hidden then 1 else 0 end) over (partition by round, indicator, grade_key, year_key)
            as hidden_in_nation,
        row_number() over (
            partition by round, indicator, grade_key, year_key, is_hidden
            order by case when has_hidden_school then 0 else 1 end, n_pupils, municipality_code
        ) as place
    from municipalities
),

chosen as (
    select
        *,
        not is_hidden
        and hidden_in_nation > 0
        and hidden_in_nation + place <= public_min_hidden as hides_for_the_nation
    from in_the_nation
)

select
    s.round,
    s.unit_level,
    s.unit_code,
    s.indicator,
    s.grade_key,
    s.year_key,
    s.judged,
    s.n_pupils,
    case
        when s.hides then 'hidden_complementary'
        when
            (
                (c.hides_for_the_nation and not c.has_hidden_school)
                or ((c.hides_for_the_nation or c.hides_itself) and c.shown_pupils = c.n_pupils)
                or (c.publication = 'hidden_restricted' and c.hidden = 0)
            )
            and s.is_part and s.publication = 'shown' and s.place = 1 then 'hidden_complementary'
        else s.publication
    end as publication
from within_municipalities as s
left join chosen as c
    on
        s.round = c.round
        and s.municipality_code = c.municipality_code
        and s.indicator = c.indicator
        and s.grade_key = c.grade_key
        and s.year_key = c.year_key
union all
select
    m.round,
    m.unit_level,
    m.unit_code,
    m.indicator,
    m.grade_key,
    m.year_key,
    m.judged,
    m.n_pupils,
    case
        when m.publication = 'shown' and (c.hides_itself or c.hides_for_the_nation) then 'hidden_complementary'
        else m.publication
    end as publication
from {{ ref('int_public_small') }} as m
left join chosen as c
    on
        m.round = c.round
        and m.municipality_code = c.municipality_code
        and m.indicator = c.indicator
        and m.grade_key = c.grade_key
        and m.year_key = c.year_key
where m.unit_level = 'municipality'
