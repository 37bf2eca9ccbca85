"""Compute a round under other rules, with the same models.

A scenario is a round of its own in the compiled parameters: every model keeps rounds apart, so one dbt build computes
any number of them, in a scratch home with the extracts of the published revision. The round as it stands is always
computed beside its scenarios, so that only the rule differs between what is compared.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from dagster_project.archive.commits import read_manifest
from dagster_project.archive.published import INTERNAL, read_published
from dagster_project.diagnostics import NotFound, PipelineProblem
from dagster_project.intake.partitions import Extracts
from dagster_project.publication.edition import RULEBOOK, round_revision
from dagster_project.publication.manifest import extracts_of
from dagster_project.publication.rulebook import with_cohorts
from dagster_project.rules import Round, RuleBook, RuleSet, load_rules
from dagster_project.schema import school_year_label, start_year
from dagster_project.settings import Settings
from dagster_project.transform import dbt_step
from dagster_project.transform.parameters import compile_for

if TYPE_CHECKING:
    import pyarrow as pa

WATERMARK = "SCENARIO - NOT OFFICIAL / SCENARIO - IKKE OFFISIELT"
SCENARIO_COLUMN = "scenario"
WATERMARK_COLUMN = "watermark"
AS_IT_STANDS = "rule"
"""Name of the round as it stands among the scenarios."""
FOLDER = "scenarios"
MODELS = ("+municipality_ranking", "+school_ranking", "+selection")


@dataclass(frozen=True)
class Scenario:
    """One reading: its name, its rule set, and how many years earlier the round is held."""

    name: str
    rules: RuleSet
    years_back: int = 0


@dataclass(frozen=True)
class Base:
    """A round to start from: its rules, and the folder of its tables, None when it has none.

    ``revision`` is the revision in force the tables belong to, None when they are the marts or there are none.
    """

    round: Round
    rulebook: RuleBook
    tables: Path | None
    revision: Path | None = None

    @property
    def rules(self) -> RuleSet:
        return self.rulebook.rule_sets[self.round.rule_set]

    def has(self, table: str) -> bool:
        """Whether the round has this table; a revision of earlier days may lack one."""
        return self.tables is not None and (self.tables / f"{table}.parquet").exists()

    def table(self, name: str) -> pa.Table:
        """The round's rows of a table.

        Raises:
            NotFound: the round has no tables here.
        """
        import pyarrow.compute as pc
        import pyarrow.parquet as pq

        if self.tables is None:
            raise NotFound(f"Round {self.round.id} is not published here: there are no figures to compute from.")
        mine = pc.field("round") == self.round.id
        if self.revision is not None:
            return read_published(self.revision, name, filters=mine)
        return pq.read_table(self.tables / f"{name}.parquet", filters=mine)


@dataclass(frozen=True)
class Outcome:
    """The marts of all scenarios, each row with its scenario and the watermark; the round as it stands among them."""

    round: str
    scenarios: tuple[str, ...]
    tables: dict[str, pa.Table]
    matches_published: bool | None
    """Whether the round as it stands gave the published ranking again; None when nothing is published."""

    def table(self, name: str, scenario: str) -> pa.Table:
        """The rows of one scenario."""
        import pyarrow.compute as pc

        return self.tables[name].filter(pc.field(SCENARIO_COLUMN) == scenario)


def base_of(settings: Settings, round_id: str) -> Base:
    """The round with the rules that lie beside its published figures, or the current rules when nothing is published.

    Raises:
        RuleProblem: there is no such round, or its rules cannot be read.
        NotFound: it is a cohort.
    """
    revision = round_revision(settings, round_id)
    if revision is not None and (revision / RULEBOOK / "rounds.yaml").exists():
        rulebook = load_rules(Settings(home=revision / RULEBOOK), only=round_id)
    else:
        rulebook = load_rules(settings)
    tables = None if revision is None else revision / INTERNAL
    return Base(rulebook.round(round_id), with_cohorts(rulebook, round_id, tables), tables, revision)


def base_in_marts(settings: Settings, rulebook: RuleBook, round_id: str) -> Base:
    """The round as the models have just computed it, before it is published."""
    return Base(rulebook.round(round_id), with_cohorts(rulebook, round_id, settings.marts), settings.marts)


def _earlier(round_: Round, years: int) -> Round:
    if years == 0:
        return round_
    day = round_.selection_date
    return round_.model_copy(
        update={
            "last_school_year": school_year_label(start_year(round_.last_school_year) - years),
            # 29 February has no yesteryear
            "selection_date": day.replace(year=day.year - years, day=min(day.day, 28)),
        }
    )


def _book(base: Base, scenarios: Sequence[Scenario]) -> tuple[RuleBook, dict[str, str]]:
    """A rule book with a round for each scenario, and which round stands for which."""
    names = {f"{base.round.id}-s{i:03d}": s for i, s in enumerate(scenarios)}
    rounds = tuple(
        _earlier(base.round, s.years_back).model_copy(update={"id": name, "rule_set": name})
        for name, s in names.items()
    )
    exceptions = base.rulebook.exceptions
    rows = tuple(
        row if row.rounds == "all" else row.model_copy(update={"rounds": tuple(names)})
        for row in exceptions.exceptions
        if row.rounds == "all" or base.round.id in row.rounds
    )
    book = replace(
        base.rulebook,
        rule_sets={name: s.rules for name, s in names.items()},
        rule_sha256=dict.fromkeys(names, base.rulebook.rule_sha256[base.round.rule_set]),
        rounds=rounds,
        exceptions=exceptions.model_copy(update={"exceptions": rows}),
    )
    return book, {name: s.name for name, s in names.items()}


@contextmanager
def scratch_home(settings: Settings) -> Iterator[Settings]:
    """A home for the time of a computation, empty. It leaves no trace."""
    parent = settings.home / FOLDER
    parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".building-", dir=parent) as folder:
        yield Settings(home=Path(folder))


def _extracts_of(settings: Settings, base: Base, home: Settings) -> Extracts:
    """The extracts of the published revision, or those in force when nothing is published."""
    if base.revision is None:
        return Extracts(settings, out=home)
    return extracts_of(settings, read_manifest(base.revision), home)


def compute(settings: Settings, base: Base, scenarios: Sequence[Scenario]) -> Outcome:
    """Build the round as it stands and all scenarios at once.

    Raises:
        NotFound: the extracts hold nothing of the round.
        PipelineProblem: a model failed, or the dbt manifest is missing or stale.
    """
    every = (Scenario(AS_IT_STANDS, base.rules), *scenarios)
    book, name_of = _book(base, every)
    with scratch_home(settings) as home, _extracts_of(settings, base, home) as extracts:
        extracts.ensure()
        compile_for(home, book, extracts, as_of=None, follow=())
        # the run that took the extracts in has tested these models on them
        outcome = dbt_step.build(home, extracts.paths(), select=MODELS, tests=False)
        if not outcome.success:
            raise PipelineProblem("The scenarios could not be computed.", outcome.findings)
        tables = {path.stem: _labelled(path, base.round.id, name_of) for path in sorted(home.marts.glob("*.parquet"))}
    result = Outcome(base.round.id, tuple(s.name for s in every), tables, None)
    if result.table("municipality_ranking", AS_IT_STANDS).num_rows == 0:
        raise NotFound(f"Round {base.round.id} has no data here: nothing can be computed from it.")
    return replace(result, matches_published=_as_published(base, result))


def _labelled(path: Path, round_id: str, name_of: dict[str, str]) -> pa.Table:
    """A mart with the scratch rounds replaced by the round and the scenario's name, and the watermark."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(path, read_dictionary=["round"]).unify_dictionaries().combine_chunks()
    rounds = table["round"].chunk(0) if table.num_rows else pa.array([], pa.dictionary(pa.int32(), pa.string()))
    names = pa.array([name_of[r] for r in rounds.dictionary.to_pylist()], pa.string())
    scenario = names.take(rounds.indices)
    stamps = {SCENARIO_COLUMN: scenario, WATERMARK_COLUMN: pa.repeat(WATERMARK, table.num_rows)}
    columns = {"round": pa.repeat(round_id, table.num_rows), **stamps}
    columns |= {name: table[name] for name in table.column_names if name != "round"}
    return pa.table(columns)


def _as_published(base: Base, outcome: Outcome) -> bool | None:
    if base.tables is None:
        return None
    columns = ["municipality_code", "rank", "risk_share", "school_spread"]
    published = base.table("municipality_ranking").select(columns)
    computed = outcome.table("municipality_ranking", AS_IT_STANDS).select(columns)
    return bool(published.sort_by("municipality_code").to_pylist() == computed.sort_by("municipality_code").to_pylist())
