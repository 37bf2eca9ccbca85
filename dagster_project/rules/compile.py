"""Turn the checked rules into the Parquet tables dbt reads. This only changes the form; no values are added here."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dagster_project.atomic import replacing
from dagster_project.rules.loader import RuleBook
from dagster_project.rules.model import Indicator, Limit, PublicEdition, Round, RuleSet
from dagster_project.schema import INDICATORS, school_year_label

if TYPE_CHECKING:
    import pyarrow as pa


ONE_DAY = dt.timedelta(days=1)


@dataclass(frozen=True)
class Monitored:
    """A rule set and origin with cohorts to follow, and through which years, by their first calendar year."""

    rule_set: str
    origin: str
    first_start_year: int
    last_start_year: int


COLUMNS = {
    "rounds": """
        round title origin rule_set status last_school_year selection_date:day illustrative:flag window_years:whole
        aggregation grades comparison points_national:whole points_absolute:whole no_participants min_coverage:share
        min_areas:whole municipality_ownership national_ownership school_ownership special_schools closed_schools
        municipality_share_from restructured min_observed_school_percent:share worst_schools_percent:share
        worst_schools_ties tie_break_1 tie_break_2 average_quota:whole average_reserve:whole average_ties
        spread_quota:whole spread_reserve:whole spread_measure spread_level:share spread_min_schools:whole
        spread_excludes_average:flag spread_priority spread_candidates in_scheme spread_order
        public_min_pupils:whole public_min_hidden:whole public_min_counts:whole public_min_interval:share rule_sha256
        purpose cohort followup_starts_on:day followup_ends_on:day queries_due:day
    """,
    "report_duties": "round cohort report:whole phase sender due_on:day",
    "calendar": "as_of:day",
    "input_files": "dataset school_year source_sha256 file place:whole",
    "accepted_gaps": "round dataset school_year indicator grade:whole accepted_by accepted_reason",
    "public_register": """
        origin unit_level unit_code ownership indicator grade:whole school_year is_shown:flag value:value n_pupils:count
    """,
    "rule_indicators": """
        round indicator area dataset grade:whole weight:share direction decimals:whole share_of_pupils:flag
        scale_min:value scale_max:value lag:whole national_method
        national_value:value national_percentile:share national_k:share national_base_year national_decimals:whole
        absolute_method absolute_value:value absolute_percentile:share absolute_k:share absolute_base_year
        absolute_decimals:whole
    """,
    "exceptions": "unit_level unit_code kind ground source round valid_from:day valid_to:day",
    "county_governors": "county_code governor_code governor_name valid_from:day valid_to:day fictional:flag",
}
"""Columns of the parameter tables, as dbt reads them: ``name:kind``, text where no kind is named."""


def parameter_schemas() -> dict[str, pa.Schema]:
    """The shape of each parameter table."""
    import pyarrow as pa

    kinds = {"": pa.string(), "whole": pa.int32(), "flag": pa.bool_(), "day": pa.date32(),
             "share": pa.decimal128(9, 4), "value": pa.decimal128(18, 4), "count": pa.int64()}  # fmt: skip
    named = {table: [column.partition(":") for column in columns.split()] for table, columns in COLUMNS.items()}
    return {table: pa.schema([(name, kinds[kind]) for name, _, kind in columns]) for table, columns in named.items()}


def _round_row(round_: Round, rules: RuleSet, public: PublicEdition, illustrative: bool, sha256: str) -> dict[str, Any]:
    scope, spread, average = rules.scope, rules.groups.spread, rules.groups.average
    return {
        "round": round_.id,
        "title": round_.title,
        "origin": round_.origin,
        "rule_set": round_.rule_set,
        "status": round_.status,
        "last_school_year": round_.last_school_year,
        "selection_date": round_.selection_date,
        "illustrative": illustrative,
        "window_years": rules.window.years.value,
        "aggregation": rules.window.aggregation.value,
        "grades": rules.window.grades.value,
        "comparison": rules.points.comparison.value,
        "points_national": rules.points.national.value,
        "points_absolute": rules.points.absolute.value,
        "no_participants": rules.points.no_participants.value,
        "min_coverage": rules.coverage.min_coverage.value,
        "min_areas": rules.coverage.min_areas.value,
        **{name: getattr(scope, name).value for name in type(scope).model_fields},
        "restructured": rules.restructured.treatment.value,
        "min_observed_school_percent": rules.restructured.min_observed_school_percent.value,
        "worst_schools_percent": rules.worst_schools.percent.value,
        "worst_schools_ties": rules.worst_schools.ties.value,
        "tie_break_1": rules.tie_breaks.value[0],
        "tie_break_2": rules.tie_breaks.value[1],
        **{f"average_{name}": getattr(average, name).value for name in type(average).model_fields},
        **{f"spread_{name}": getattr(spread, name).value for name in type(spread).model_fields},
        **{f"public_{name}": getattr(public, name).value for name in type(public).model_fields},
        "rule_sha256": sha256,
        "purpose": "selection",
        "cohort": round_.cohort_id,
        "followup_starts_on": _followup_start(round_, rules),
        "followup_ends_on": _months_later(_followup_start(round_, rules), 12 * rules.followup.years) - ONE_DAY,
        "queries_due": round_.queries_due,
    }


def _followup_start(round_: Round, rules: RuleSet) -> dt.date:
    """The first day of the start month after the selection."""
    month = rules.followup.starts_in_month.value
    start = round_.selection_date.replace(month=month, day=1)
    return start if start > round_.selection_date else start.replace(year=start.year + 1)


def _months_later(day: dt.date, months: int) -> dt.date:
    """The first day of a month, some months later."""
    years, month = divmod(day.month - 1 + months, 12)
    return day.replace(year=day.year + years, month=month + 1)


def _duty_rows(round_: Round, rules: RuleSet) -> list[dict[str, Any]]:
    followup, start = rules.followup, _followup_start(round_, rules)
    late = followup.reports_due_after_months.value
    return [
        {
            "round": round_.id,
            "cohort": round_.cohort_id,
            "report": entry.report,
            "phase": "forfase" if entry.after_year <= followup.preparatory_years.value else "gjennomføringsfase",
            "sender": sender,
            "due_on": _months_later(start, 12 * entry.after_year + late) - ONE_DAY,
        }
        for entry in followup.reports.value
        for sender in entry.senders
    ]


def _monitoring_rows(monitored: Monitored, rounds: list[dict[str, Any]], indicators: list[dict[str, Any]]) -> None:
    """Add the round that follows cohorts: the same rule, year by year, over all years from the first cohort on."""
    name = f"monitoring-{monitored.rule_set}-{monitored.origin}"
    first = next(r for r in rounds if (r["rule_set"], r["origin"]) == (monitored.rule_set, monitored.origin))
    rounds.append(
        {
            **first,
            "round": name,
            "title": name,
            "purpose": "monitoring",
            "cohort": None,
            "aggregation": "per_year",
            "last_school_year": school_year_label(monitored.last_start_year),
            "window_years": monitored.last_start_year - monitored.first_start_year + 1,
            # the codes in force when the newest figures came out
            "selection_date": dt.date(monitored.last_start_year, 12, 31),
        }
    )
    indicators += [{**row, "round": name} for row in indicators if row["round"] == first["round"]]


def _limit_columns(side: str, limit: Limit, grade: int) -> dict[str, Any]:
    return {
        f"{side}_method": limit.method,
        f"{side}_value": limit.fixed_for(grade),
        f"{side}_percentile": limit.percentile,
        f"{side}_k": limit.k,
        f"{side}_base_year": limit.base_year,
        f"{side}_decimals": limit.decimals,
    }


def _indicator_rows(round_: Round, rules: RuleSet, indicator: Indicator) -> list[dict[str, Any]]:
    return [
        {
            "round": round_.id,
            "indicator": indicator.name,
            "area": indicator.area,
            "dataset": indicator.dataset,
            "grade": grade,
            "weight": indicator.weight.value,
            "direction": indicator.direction.value,
            "decimals": indicator.decimals.value,
            "share_of_pupils": INDICATORS[indicator.name].share_of_pupils,
            "scale_min": Decimal(INDICATORS[indicator.name].scale_min),
            "scale_max": Decimal(INDICATORS[indicator.name].scale_max),
            "lag": rules.window.lag[indicator.dataset].value,
            **_limit_columns("national", indicator.national, grade),
            **_limit_columns("absolute", indicator.absolute, grade),
        }
        for grade in indicator.grades.value
    ]


def parameter_rows(
    rulebook: RuleBook, *, monitored: Sequence[Monitored] = (), as_of: dt.date | None = None
) -> dict[str, list[dict[str, Any]]]:
    """The rows of the parameter tables, in the order of the files."""
    rounds: list[dict[str, Any]] = []
    indicators: list[dict[str, Any]] = []
    duties: list[dict[str, Any]] = []
    for round_ in rulebook.rounds:
        rules = rulebook.rule_sets[round_.rule_set]
        sha256 = rulebook.rule_sha256[round_.rule_set]
        rounds.append(_round_row(round_, rules, rulebook.public_edition, rulebook.is_illustrative(round_), sha256))
        for indicator in rules.indicators:
            indicators += _indicator_rows(round_, rules, indicator)
        duties += _duty_rows(round_, rules)
    for entry in monitored:
        _monitoring_rows(entry, rounds, indicators)
    exceptions = [
        {**row.model_dump(exclude={"rounds"}), "round": name}
        for row in rulebook.exceptions.exceptions
        for name in ([None] if row.rounds == "all" else row.rounds)
    ]
    governors = [
        {
            "county_code": county,
            "governor_code": office.code,
            "governor_name": office.name,
            "valid_from": office.valid_from,
            "valid_to": office.valid_to,
            "fictional": office.fictional,
        }
        for office in rulebook.governors.governors
        for county in office.counties
    ]
    return {
        "rounds": rounds,
        "rule_indicators": indicators,
        "exceptions": exceptions,
        "county_governors": governors,
        "report_duties": duties,
        "calendar": [{"as_of": as_of}] if as_of else [],
    }


def compiled_day(parameters: Path) -> dt.date | None:
    """The day for which the parameter tables were compiled, and so the day the marts speak of; None when for none."""
    import pyarrow.parquet as pq

    days: list[dt.date] = pq.read_table(parameters / "calendar.parquet")["as_of"].to_pylist()
    return days[0] if days else None


def compile_parameters(
    rulebook: RuleBook, out_dir: Path, *, monitored: Sequence[Monitored] = (), as_of: dt.date | None = None,
    ledger: Mapping[str, Sequence[Mapping[str, Any]]] | None = None, register: pa.Table | None = None,
) -> dict[str, int]:  # fmt: skip
    """Write the parameter tables as Parquet; return row counts.

    ``monitored`` names the rule sets whose cohorts are followed. ``as_of`` is the day on which a missing report counts
    as overdue; without it none does. ``ledger`` gives the rows of ``input_files`` and ``accepted_gaps``, ``register``
    what public editions have shown and hidden.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    out_dir.mkdir(parents=True, exist_ok=True)
    counts, schemas = {}, parameter_schemas()
    tables = {"public_register": schemas["public_register"].empty_table() if register is None else register}
    given: dict[str, Sequence[Mapping[str, Any]]] = {"input_files": (), "accepted_gaps": (), **(ledger or {})}
    for name, rows in {**parameter_rows(rulebook, monitored=monitored, as_of=as_of), **given}.items():
        tables[name] = pa.Table.from_pylist([dict(row) for row in rows], schema=schemas[name])
    for name, table in tables.items():
        with replacing(out_dir / f"{name}.parquet") as temporary:
            pq.write_table(table, temporary)
        counts[name] = table.num_rows
    return counts
