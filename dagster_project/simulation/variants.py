"""Variants of each open rule choice, and how sensitive the result is to them.

The readings are data (``data/variants/<rule_set>.yaml``), checked at load like the rules; one build computes them all.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, model_validator

from dagster_project.diagnostics import Finding, NotFound, RuleProblem, Severity
from dagster_project.rules.loader import read_checked
from dagster_project.rules.model import RuleSet, Sourced, SourceEntry, Strict
from dagster_project.settings import Settings
from dagster_project.simulation.compare import Comparison, compare, stability
from dagster_project.simulation.paths import with_settings, without
from dagster_project.simulation.scenario import AS_IT_STANDS, Base, Outcome, Scenario, base_of, compute
from dagster_project.simulation.weights import indicator_weights

if TYPE_CHECKING:
    import pyarrow as pa

QUESTIONS = tuple(f"A{i}" for i in range(1, 17))
WITHOUT = "without "
Setting = bool | int | float | str | tuple[str, ...] | None


class Variant(Sourced):
    """One reading: which question it answers, in words, and the settings that make it."""

    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]*$")]
    question: Literal[QUESTIONS]  # type: ignore[valid-type]
    en: str
    no: str
    set: dict[str, Setting] = Field(default_factory=dict)
    years_back: Annotated[int, Field(ge=0, le=5)] = 0

    @model_validator(mode="after")
    def _changes_something(self) -> Variant:
        if not self.set and not self.years_back:
            raise ValueError("a variant needs settings, or years_back")
        return self


class Variants(Strict):
    """The readings of one rule set, as one YAML file holds them."""

    rule_set: str
    sources: dict[str, SourceEntry]
    variants: tuple[Variant, ...]

    @model_validator(mode="after")
    def _consistent(self) -> Variants:
        ids = [v.id for v in self.variants]
        if repeated := sorted({i for i in ids if ids.count(i) > 1}):
            raise ValueError(f"variant {repeated[0]} is given twice")
        for variant in self.variants:
            if variant.source not in self.sources:
                raise ValueError(f"{variant.id}: source {variant.source} is not among the sources of the file")
        return self


@dataclass(frozen=True)
class Sensitivity:
    """Every reading computed and compared, and the weights of the indicators."""

    base: Base
    variants: tuple[Variant, ...]
    outcome: Outcome
    comparisons: dict[str, Comparison]


def variants_file(settings: Settings, rule_set: str) -> Path:
    """Where the readings of a rule set lie."""
    return settings.variants / f"{rule_set}.yaml"


def load_variants(settings: Settings, rules: RuleSet) -> list[tuple[Variant, Scenario]]:
    """The readings of a rule set with the rule each of them makes.

    Raises:
        NotFound: nobody has written readings for the rule set.
        RuleProblem: a reading is wrong; file and line are named.
    """
    path = variants_file(settings, rules.rule_set)
    if not path.exists():
        raise NotFound(f"There are no variants for {rules.rule_set}: variants/{path.name} is missing.")
    content, places = read_checked(path, Variants, settings)
    if content.rule_set != rules.rule_set:
        raise RuleProblem(f"variants/{path.name} is written for {content.rule_set}, not for {rules.rule_set}.")
    made, findings = [], []
    for position, variant in enumerate(content.variants):
        try:
            changed = with_settings(rules, variant.set)
        except RuleProblem as problem:
            row, column = places.find(("variants", position, "set"))
            for f in problem.findings:
                findings.append(
                    Finding(f.code, Severity.FAIL, f"{variant.id}: {f.message}", stage="variants",
                            file=f"variants/{path.name}", row=row, column=f"column {column}", found=f.found, fix=f.fix)
                )  # fmt: skip
            continue
        made.append((variant, Scenario(variant.id, changed, variant.years_back)))
    if findings:
        raise RuleProblem("The variants cannot be used until these mistakes are corrected.", findings)
    return made


def compute_variants(settings: Settings, round_id: str) -> Sensitivity:
    """Compute all readings of a round, and the rule without each of its indicators, in one build.

    Raises:
        NotFound: no readings for the rule set, or no data of the round.
        RuleProblem: no such round, or a reading is wrong.
    """
    base = base_of(settings, round_id)
    made = load_variants(settings, base.rules)
    names = [i.name for i in base.rules.indicators]
    dropped = [Scenario(f"{WITHOUT}{name}", without(base.rules, [name])) for name in names if len(names) > 1]
    outcome = compute(settings, base, [*(s for _, s in made), *dropped])
    comparisons = {s: compare(outcome, s) for s in outcome.scenarios if s != AS_IT_STANDS}
    return Sensitivity(base, tuple(v for v, _ in made), outcome, comparisons)


def variants_schema() -> pa.Schema:
    """Columns of ``choice_sensitivity``: one row a reading."""
    import pyarrow as pa

    text, whole, real = pa.string(), pa.int64(), pa.float64()
    return pa.schema(
        [
            *((n, text) for n in ("round", "variant", "question", "title", "title_no", "settings", "basis", "source")),
            ("is_reading", pa.bool_()),
            *((n, whole) for n in ("taken", "enters", "leaves", "changes_group", "moves_in_rank")),
            ("largest_rank_change", whole),
            ("rated_in_both", whole),
            ("kendall", real),
            ("spearman", real),
            ("data_origin", text),
        ]
    )


def variants_table(found: Sensitivity) -> pa.Table:
    """``choice_sensitivity``: what each reading changes against the round as it stands, in the order of the file."""
    import pyarrow as pa

    rows: list[dict[str, Any]] = []
    for v in found.variants:
        c = found.comparisons[v.id]
        n = c.counts
        moves = [abs(r["rank_change"]) for r in c.rows if r["rank_change"] is not None]
        said = [f"{path}={value}" for path, value in v.set.items()]
        rows.append(
            {
                "round": found.outcome.round,
                "variant": v.id,
                "question": v.question,
                "title": v.en,
                "title_no": v.no,
                "settings": "; ".join([*said, *([f"years_back={v.years_back}"] if v.years_back else [])]),
                "basis": v.basis,
                "source": v.source,
                "is_reading": v.years_back == 0,
                "taken": sum(r["scenario_group"] is not None for r in c.rows),
                "enters": n["enters"],
                "leaves": n["leaves"],
                "changes_group": n["changes group"],
                "moves_in_rank": sum(m > 0 for m in moves),
                "largest_rank_change": max(moves, default=None),
                "rated_in_both": c.rated_in_both,
                "kendall": c.kendall,
                "spearman": c.spearman,
                "data_origin": found.base.round.origin,
            }
        )
    return pa.Table.from_pylist(rows, schema=variants_schema())


def stability_schema() -> pa.Schema:
    """Columns of ``selection_stability``: one row a municipality that any reading takes."""
    import pyarrow as pa

    text, whole = pa.string(), pa.int64()
    return pa.schema(
        [
            *((n, text) for n in ("round", "municipality_code", "municipality_name")),
            ("taken_in_rule", pa.bool_()),
            *((n, whole) for n in ("readings", "taken_in", "average_in", "spread_in", "rank_lowest", "rank_highest")),
            ("data_origin", text),
        ]
    )


def stability_table(found: Sensitivity) -> pa.Table:
    """``selection_stability``: taken in how many of the reasonable readings, the rule itself among them."""
    import pyarrow as pa

    readings = (AS_IT_STANDS, *(v.id for v in found.variants if v.years_back == 0))
    rows = [{**r, "data_origin": found.base.round.origin} for r in stability(found.outcome, readings)]
    return pa.Table.from_pylist(rows, schema=stability_schema())


def weights_table(found: Sensitivity) -> pa.Table:
    """``indicator_weights``: nominal and effective weight of each indicator (see ``weights.py``)."""
    drops = {s.removeprefix(WITHOUT): c for s, c in found.comparisons.items() if s.startswith(WITHOUT)}
    return indicator_weights(found.base, drops)


def sensitivity_tables(found: Sensitivity) -> dict[str, pa.Table]:
    """The three tables by their names."""
    return {
        "choice_sensitivity": variants_table(found),
        "selection_stability": stability_table(found),
        "indicator_weights": weights_table(found),
    }
