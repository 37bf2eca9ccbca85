"""The mart of the uncertainty of each round. It is made again only when its inputs have changed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from dagster_project.fingerprint import code_in, fingerprint
from dagster_project.publication.edition import RULEBOOK
from dagster_project.rounds.state import lock_of, round_events
from dagster_project.rules import RuleBook
from dagster_project.settings import Settings
from dagster_project.simulation.assumptions import load_assumptions
from dagster_project.simulation.judge import MODELS, SUMS
from dagster_project.simulation.kernel import digest
from dagster_project.simulation.scenario import Base, base_in_marts
from dagster_project.simulation.uncertainty import compute_uncertainty, uncertainty_schema, uncertainty_table
from dagster_project.transform import derived

if TYPE_CHECKING:
    import pyarrow as pa

    from dagster_project.intake.partitions import Extracts

RESTS_ON = ("exceptions_in_force", "indicator_points", "limits", "municipality_ranking", "school_ranking")
"""Not ``selection``: priorities and decisions change no rank, and who is within the quotas follows from these."""


def round_uncertainty(
    settings: Settings, rulebook: RuleBook, round_id: str, extracts: Extracts | None = None
) -> pa.Table:
    """``selection_uncertainty`` of a round as the marts have it; no rows when nobody is rated.

    ``extracts`` are those that the marts were built on; those in force when None. A final round keeps the assumptions
    of its release.

    Raises:
        RuleProblem: the assumptions are wrong.
        PipelineProblem: the models do not give the marts again.
    """
    base = base_in_marts(settings, rulebook, round_id)
    if not any(base.table("municipality_ranking")["rated"].to_pylist()):
        return uncertainty_schema().empty_table()
    assumed = load_assumptions(_assumed_in(settings, round_id))
    return uncertainty_table(compute_uncertainty(settings, base, assumed, extracts=extracts))


def uncertainty_bases(settings: Settings, rulebook: RuleBook, round_ids: Iterable[str]) -> dict[str, str]:
    """For each round one hash over all that its rows of ``selection_uncertainty`` follow from."""
    return {r: _basis(settings, base_in_marts(settings, rulebook, r)) for r in round_ids}


def current_uncertainty(settings: Settings, rulebook: RuleBook, round_ids: Iterable[str]) -> pa.Table:
    """The mart ``selection_uncertainty`` of these rounds as it stands."""
    return derived.current(
        settings.marts / "selection_uncertainty.parquet",
        uncertainty_bases(settings, rulebook, round_ids),
        lambda round_id: round_uncertainty(settings, rulebook, round_id),
        part="round",
        empty=uncertainty_schema().empty_table(),
    )


def _assumed_in(settings: Settings, round_id: str) -> Settings:
    """Where the assumptions of a round stand: beside its release when it is final."""
    lock = lock_of(round_events(settings, round_id))
    return settings if lock is None else Settings(home=settings.published / round_id / lock.revision / RULEBOOK)


def _basis(settings: Settings, base: Base) -> str:
    """One hash over all that the rows of a round follow from. Where a file states the uncertainty of a cell, the place
    of the cell, which is among the tables, names the very file."""
    import pyarrow as pa

    def content(name: str) -> bytes:
        table = base.table(name).replace_schema_metadata(None).combine_chunks()
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema) as stream:
            stream.write_table(table)
        return sink.getvalue().to_pybytes()

    return fingerprint(
        [_assumed_in(settings, base.round.id).uncertainty, *code_in("simulation")],
        libraries=("duckdb", "numpy"),
        texts=[
            *(content(name) for name in RESTS_ON),
            base.round.model_dump_json(), base.rules.model_dump_json(), digest(settings, (*SUMS, *MODELS)),
        ],
    )  # fmt: skip
