"""Turn the checked rules into the Parquet tables dbt reads. Only a change of shape: no value is made up here."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dagster_project.rules.loader import RuleBook
from dagster_project.rules.model import Indicator, Limit, PublicEdition, Round, RuleSet

if TYPE_CHECKING:
    import pyarrow as pa


def parameter_schemas() -> dict[str, pa.Schema]:
    """Columns of the four parameter tables, as dbt reads them."""
    import pyarrow as pa

    text, whole, flag, day = pa.string(), pa.int32(), pa.bool_(), pa.date32()
    share, value = pa.decimal128(9, 4), pa.decimal128(18, 4)
    sides = []
    for side in ("national", "absolute"):
        sides += [
            (f"{side}_method", text),
            (f"{side}_value", value),
            (f"{side}_percentile", share),
            (f"{side}_k", share),
            (f"{side}_base_year", text),
            (f"{side}_decimals", whole),
        ]
    return {
        "rounds": pa.schema(
            [
                *((n, text) for n in ("round", "title", "origin", "rule_set", "status", "last_school_year")),
                ("selection_date", day),
                ("illustrative", flag),
                ("window_years", whole),
                *((n, text) for n in ("aggregation", "grades", "comparison")),
                ("points_national", whole),
                ("points_absolute", whole),
                ("no_participants", text),
                ("min_coverage", share),
                ("min_areas", whole),
                *(
                    (n, text)
                    for n in (
                        "municipality_ownership",
                        "national_ownership",
                        "school_ownership",
                        "special_schools",
                    )
                ),
                ("require_last_year", flag),
                ("municipality_share_from", text),
                ("restructured", text),
                ("min_observed_school_percent", share),
                ("worst_schools_percent", share),
                *((n, text) for n in ("worst_schools_ties", "tie_break_1", "tie_break_2")),
                ("average_quota", whole),
                ("average_reserve", whole),
                ("average_ties", text),
                ("spread_quota", whole),
                ("spread_reserve", whole),
                ("spread_measure", text),
                ("spread_level", share),
                ("spread_min_schools", whole),
                ("spread_excludes_average", flag),
                ("spread_priority", text),
                ("in_scheme", text),
                ("public_min_pupils", whole),
                ("public_min_hidden", whole),
                ("rule_sha256", text),
            ]
        ),
        "rule_indicators": pa.schema(
            [
                *((n, text) for n in ("round", "indicator", "area", "dataset")),
                ("grade", whole),
                ("weight", share),
                ("direction", text),
                ("decimals", whole),
                ("lag", whole),
                *sides,
            ]
        ),
        "exceptions": pa.schema(
            [
                *((n, text) for n in ("unit_level", "unit_code", "kind", "ground", "source", "round")),
                ("valid_from", day),
                ("valid_to", day),
            ]
        ),
        "county_governors": pa.schema(
            [
                *((n, text) for n in ("county_code", "governor_code", "governor_name")),
                ("valid_from", day),
                ("valid_to", day),
                ("fictional", flag),
            ]
        ),
    }


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
    }


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
            "lag": rules.window.lag[indicator.dataset].value,
            **_limit_columns("national", indicator.national, grade),
            **_limit_columns("absolute", indicator.absolute, grade),
        }
        for grade in indicator.grades.value
    ]


def parameter_rows(rulebook: RuleBook) -> dict[str, list[dict[str, Any]]]:
    """The rows of the four parameter tables, in the order of the files."""
    rounds, indicators = [], []
    for round_ in rulebook.rounds:
        rules = rulebook.rule_sets[round_.rule_set]
        sha256 = rulebook.rule_sha256[round_.rule_set]
        rounds.append(_round_row(round_, rules, rulebook.public_edition, rulebook.is_illustrative(round_), sha256))
        for indicator in rules.indicators:
            indicators += _indicator_rows(round_, rules, indicator)
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
    }


def compile_parameters(rulebook: RuleBook, out_dir: Path) -> dict[str, int]:
    """Write ``rounds``, ``rule_indicators``, ``exceptions`` and ``county_governors`` as Parquet; return row counts."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    out_dir.mkdir(parents=True, exist_ok=True)
    counts = {}
    schemas = parameter_schemas()
    for name, rows in parameter_rows(rulebook).items():
        table = pa.Table.from_pylist(rows, schema=schemas[name])
        temporary = out_dir / f".{name}.{os.getpid()}.tmp"
        pq.write_table(table, temporary)
        temporary.replace(out_dir / f"{name}.parquet")
        counts[name] = table.num_rows
    return counts
