"""Rounds as partitions of what goes out, and which partitions a step is to process. School years: ``years.py``."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path
from typing import Any

import dagster as dg

from dagster_project.diagnostics import OppfolgingError, RuleProblem
from dagster_project.intake.partitions import Extracts
from dagster_project.rules import load_rules
from dagster_project.rules.reader import MOST_BYTES, yaml_of
from dagster_project.settings import Settings, load_settings

_ROUND_ID = re.compile(r"[a-z0-9][a-z0-9-]*")
_ID_LINE = re.compile(r"""^[ \t]*(?:-[ \t]*)?id:[ \t]*["']?([^\s"'#]+)""", re.MULTILINE)


def _entries(content: Any) -> list[Any]:
    rounds = content.get("rounds") if isinstance(content, dict) else None
    if not isinstance(rounds, list):
        raise ValueError("no list of rounds")
    return [entry["id"] for entry in rounds]


def read_rounds(settings: Settings) -> tuple[tuple[str, ...], str]:
    """The ids of ``rounds.yaml`` in their order, and what is wrong with the file, empty when nothing is.

    A mistake in the file must not take the definitions away, so every id that can be read is kept. Only the ids are
    looked at here: the rules room checks the whole file, with the same words, when anything is computed.
    """
    try:
        ids = _entries(yaml_of(settings.rounds))
    except (RuleProblem, ValueError, KeyError, TypeError):
        kept = dict.fromkeys(i for i in _ID_LINE.findall(_beginning(settings.rounds)) if _ROUND_ID.fullmatch(i))
        return tuple(kept), _problem(settings)
    kept = dict.fromkeys(i for i in ids if isinstance(i, str) and _ROUND_ID.fullmatch(i))
    return tuple(kept), "" if len(kept) == len(ids) else _problem(settings)


def _beginning(path: Path) -> str:
    """As much of a file as a whole one has, in whatever shape; nothing when it cannot be read."""
    with suppress(OSError), path.open("rb") as file:
        return file.read(MOST_BYTES).decode("utf-8", errors="replace")
    return ""


def _problem(settings: Settings) -> str:
    """The rules room's own words for what is wrong with the rounds."""
    try:
        load_rules(settings)
    except OppfolgingError as error:
        return error.as_text()
    return f"{settings.rounds} cannot be read as a list of rounds."


def round_ids(settings: Settings | None = None) -> list[str]:
    """The rounds of ``rounds.yaml`` in their order, as far as the file can be read."""
    return list(read_rounds(settings or load_settings())[0])


def begun_rounds(settings: Settings) -> list[str]:
    """The rounds of whose origin some file is in force. One of which nothing has come can neither be made nor waits.

    All of them while there is no file, or when the rules or the ledger cannot be read.
    """
    try:
        extracts = Extracts(settings)
        origins = {"fictional" if f.fictional else "official" for files in extracts.in_force.values() for f in files}
        rounds = [r.id for r in load_rules(settings).rounds if r.origin in origins]
    except OppfolgingError:
        rounds = []
    return rounds or round_ids(settings)


ROUNDS = dg.StaticPartitionsDefinition(begun_rounds(load_settings()))


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
