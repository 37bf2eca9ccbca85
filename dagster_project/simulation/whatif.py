"""What-if: compute a round with other values in its rule, and write the answer to files."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dagster_project.arrow import write_parquet
from dagster_project.diagnostics import RuleProblem
from dagster_project.pages.words import FICTIONAL, both
from dagster_project.publication import tables
from dagster_project.rules import RuleSet
from dagster_project.rules.loader import read_checked
from dagster_project.settings import Settings
from dagster_project.simulation import figure
from dagster_project.simulation.compare import Comparison, compare, stability
from dagster_project.simulation.paths import with_settings
from dagster_project.simulation.scenario import (
    AS_IT_STANDS,
    FOLDER,
    SCENARIO_COLUMN,
    WATERMARK,
    WATERMARK_COLUMN,
    Base,
    Outcome,
    Scenario,
    base_of,
    compute,
)
from dagster_project.simulation.sweep import sweep

if TYPE_CHECKING:
    import pyarrow as pa

NAME = re.compile(r"^[a-z0-9][a-z0-9._-]*$")


@dataclass(frozen=True)
class WhatIf:
    """The answer: what was asked, and each scenario compared with the round as it stands."""

    name: str
    base: Base
    asked: dict[str, Any]
    outcome: Outcome
    comparisons: tuple[Comparison, ...]

    @property
    def notes(self) -> list[str]:
        """What a reader must know before the figures."""
        lines = [WATERMARK]
        if self.base.round.origin == "fictional":
            lines.append(both(FICTIONAL))
        if self.base.revision is None:
            lines.append("Nothing of this round is published. The current rules are the starting point.")
        elif not self.outcome.matches_published:
            lines.append(
                f"The extracts have changed since revision {self.base.revision.name}: recomputed without "
                "changes, the round differs from what is published."
            )
        lines.append(
            "The comparison is of municipalities selected by the computation alone, before priorities and decisions."
        )
        return lines

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "name": self.name,
            "round": self.outcome.round,
            "revision": self.base.revision.name if self.base.revision else None,
            WATERMARK_COLUMN: WATERMARK,
            "notes": self.notes,
            "asked": self.asked,
            "scenarios": [
                {
                    SCENARIO_COLUMN: c.scenario,
                    "counts": c.counts,
                    "kendall": c.kendall,
                    "spearman": c.spearman,
                    "rated_in_both": c.rated_in_both,
                    "changes": c.changes,
                }
                for c in self.comparisons
            ],
            "stability": stability(self.outcome, self.outcome.scenarios),
        }


def what_if(
    settings: Settings,
    round_id: str,
    *,
    values: Mapping[str, Any],
    rule_files: Sequence[Path] = (),
    series: Sequence[str] = (),
    name: str | None = None,
) -> WhatIf:
    """Compute a round with other values of its rule, with other rule files, or over a sweep; all in one build.

    Raises:
        RuleProblem: no such round, path or value.
        NotFound: the extracts hold nothing of the round.
        PipelineProblem: a model failed.
    """
    base = base_of(settings, round_id)
    scenarios = [
        Scenario(path.stem, with_settings(read_checked(path, RuleSet, settings)[0], values)) for path in rule_files
    ]
    if series:
        scenarios += sweep(base.rules, values, series)
    elif not rule_files:
        named = ", ".join(f"{path}={value}" for path, value in values.items())
        scenarios.append(Scenario(named or "unchanged", with_settings(base.rules, values)))
    if len({s.name for s in scenarios} | {AS_IT_STANDS}) != len(scenarios) + 1:
        raise RuleProblem(f"Two scenarios have the same name, or one is called {AS_IT_STANDS}.")
    chosen = name or _slug(scenarios[0].name if len(scenarios) == 1 else " ".join([*series, *values]))
    if not NAME.match(chosen):
        raise RuleProblem(f"{chosen} cannot name a folder: use small letters, digits, dots and hyphens.")
    asked = {
        "set": {k: str(v) for k, v in values.items()},
        "rules": [p.name for p in rule_files],
        "sweep": list(series),
    }
    outcome = compute(settings, base, scenarios)
    return WhatIf(chosen, base, asked, outcome, tuple(compare(outcome, s.name) for s in scenarios))


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-.")[:80] or "unchanged"


def changes_schema() -> pa.Schema:
    """Columns of the table of changes: one row a scenario and municipality."""
    import pyarrow as pa

    text, whole, real = pa.string(), pa.int64(), pa.float64()
    return pa.schema(
        [
            *((n, text) for n in ("round", SCENARIO_COLUMN, WATERMARK_COLUMN, "municipality_code")),
            *((n, text) for n in ("municipality_name", "county_governor", "change", "base_group", "scenario_group")),
            *((n, whole) for n in ("base_rank", "scenario_rank", "rank_change")),
            *((n, real) for n in ("base_share", "scenario_share", "base_spread", "scenario_spread")),
        ]
    )


def changes_table(answer: WhatIf) -> pa.Table:
    """The municipalities that differ, of all scenarios."""
    import pyarrow as pa

    return pa.Table.from_pylist([row for c in answer.comparisons for row in c.changes], schema=changes_schema())


def write(settings: Settings, answer: WhatIf) -> Path:
    """Write the answer under ``scenarios/<round>/<name>/``, in place of an earlier one of that name."""
    folder = settings.home / FOLDER / answer.outcome.round / answer.name
    building = folder.with_name(f".building-{answer.name}-{os.getpid()}")
    shutil.rmtree(building, ignore_errors=True)
    building.mkdir(parents=True)
    for name, table in {"changes": changes_table(answer), **answer.outcome.tables}.items():
        write_parquet(building / f"{name}.parquet", table)
        tables.write_csv(building / f"{name}.csv", table)
    title = f"{answer.outcome.round}: {answer.name}"
    spec = figure.vega_lite(answer.outcome, title)
    (building / "figure.vl.json").write_text(json.dumps(spec, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    text = json.dumps(answer.as_dict(), ensure_ascii=False, indent=2) + "\n"
    (building / "scenario.json").write_text(text, encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    building.rename(folder)
    return folder
