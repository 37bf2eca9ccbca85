"""The two ways the data is cut: school years for what comes in, rounds for what goes out."""

from __future__ import annotations

import dagster as dg

from dagster_project.schema import school_year_label
from dagster_project.settings import Settings, load_settings

FIRST_START_YEAR = 2020
LAST_START_YEAR = 2027

SCHOOL_YEARS = dg.StaticPartitionsDefinition(
    [school_year_label(start) for start in range(FIRST_START_YEAR, LAST_START_YEAR + 1)]
)
"""A fixed list rather than a calendar: national tests of a school year come out before the year has ended."""


def round_ids(settings: Settings | None = None) -> list[str]:
    """The rounds of ``rounds.yaml`` in their order. Only the ids: the rules room checks the rest when it compiles."""
    import yaml

    path = (settings or load_settings()).rounds
    if not path.exists():
        return []
    content = yaml.load(path.read_bytes(), getattr(yaml, "CSafeLoader", yaml.SafeLoader)) or {}
    entries = content.get("rounds", content) if isinstance(content, dict) else content
    if isinstance(entries, dict):
        return [str(name) for name in entries]
    return [str(entry["id"]) for entry in entries]


ROUNDS = dg.StaticPartitionsDefinition(round_ids())


def processed_keys(context: dg.AssetExecutionContext, at_hand: list[str]) -> list[str]:
    """Which partitions this step is to process: those the run names, else all at hand.

    A run without a partition (the job ``everything``) holds assets cut by year beside assets cut by round, which no
    single partition key could name.
    """
    if context.has_partition_key or context.has_partition_key_range:
        return list(context.partition_keys)
    return at_hand


def names_partitions(context: dg.AssetExecutionContext) -> bool:
    """True when the run itself names partitions, so that Dagster records them without help."""
    return context.has_partition_key or context.has_partition_key_range
