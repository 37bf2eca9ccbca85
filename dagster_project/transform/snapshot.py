"""The snapshot a run computes from, taken when it starts: end of the ledger, files in force, rules, readers, models.

Everything that is made (extracts, parameters, marts, manifests) says which snapshot it follows from, and whoever uses
it compares first. A snapshot is worked out from the archive and the files of rules and code; it is never edited.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from dagster_project.archive import Archive, Head
from dagster_project.archive.store import sha256_of
from dagster_project.atomic import replacing
from dagster_project.fingerprint import code_in, fingerprint
from dagster_project.intake.partitions import Extracts
from dagster_project.intake.reader import readers_version
from dagster_project.settings import Settings
from dagster_project.transform import dbt_step

GAP_ACCEPTED = "missing_input_accepted"
KEPT = 50


@dataclass(frozen=True)
class Snapshot:
    """``extracts`` maps partitions to one hash over their files in order, ``rules`` files to their hashes.

    ``gaps`` is a hash over the acceptances of missing inputs. ``day`` is the day for which reports count as late; it
    decides what is overdue and nothing about a round.
    """

    head: Head
    day: dt.date
    extracts: Mapping[str, str]
    rules: Mapping[str, str]
    gaps: str
    readers: str
    models: str

    @cached_property
    def identity(self) -> str:
        """One hash over all that a figure follows from."""
        parts = [self.extracts, self.rules, self.gaps, self.readers, self.models]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "day": self.day.isoformat(), "identity": self.identity}

    @staticmethod
    def from_dict(raw: Mapping[str, Any]) -> Snapshot:
        """Raises KeyError, TypeError or ValueError when it is not as ``as_dict`` writes it."""
        values = {k: v for k, v in raw.items() if k != "identity"}
        return Snapshot(**{**values, "head": Head(**raw["head"]), "day": dt.date.fromisoformat(raw["day"])})

    def differences(self, other: Snapshot) -> list[str]:
        """How another snapshot differs from this one, in words; empty when the same figures follow from both."""
        if self.identity == other.identity:
            return []
        found = []
        for name in sorted(self.extracts.keys() | other.extracts.keys()):
            mine, theirs = self.extracts.get(name), other.extracts.get(name)
            if mine != theirs:
                what = "is new" if mine is None else "is gone" if theirs is None else "is made from other files"
                found.append(f"{name} {what}")
        found += [
            f"{name} was changed" if name in self.rules and name in other.rules else f"{name} was added or removed"
            for name in sorted(self.rules.keys() | other.rules.keys())
            if self.rules.get(name) != other.rules.get(name)
        ]
        if self.gaps != other.gaps:
            found.append("a missing input was accepted")
        if self.readers != other.readers:
            found.append("the code that reads files was changed")
        if self.models != other.models:
            found.append("the models under dbt/, the code that compiles the rules, or DuckDB were changed")
        return found


def rule_files(settings: Settings) -> dict[str, Path]:
    """The files that rules are compiled from, by their name below the data folder."""
    found = {"rounds.yaml": settings.rounds}
    found |= {f"rules/{p.name}": p for p in sorted(settings.rules.glob("*.yaml"))}
    found |= {f"registers/{p.name}": p for p in sorted(settings.registers.glob("*.yaml"))}
    return found


def compiling_code() -> list[Path]:
    """The code that turns rules and registers into the tables the models read."""
    return code_in("rules", "transform/parameters.py")


def models_version(settings: Settings) -> str:
    """One hash over the dbt project, the code that compiles its parameters, and the engine that runs it."""
    project = dbt_step.source_digest(settings)
    return fingerprint(compiling_code(), libraries=["duckdb"], texts=[project])


def accepted_gaps(settings: Settings, head: Head | None = None) -> list[dict[str, Any]]:
    """The acceptances of missing inputs, oldest first."""
    return Archive(settings).events(GAP_ACCEPTED, until=head)


def take(settings: Settings, *, head: Head | None = None, day: dt.date | None = None) -> Snapshot:
    """The snapshot as things stand now, or stood when the ledger ended at ``head``."""
    with Extracts(settings, head) as extracts:
        return of_extracts(settings, extracts, day=day)


def of_extracts(settings: Settings, extracts: Extracts, *, day: dt.date | None = None) -> Snapshot:
    """The snapshot that rests on these extracts and the rules of the home."""
    gaps = json.dumps(accepted_gaps(extracts.settings, extracts.head), sort_keys=True)
    return Snapshot(
        head=extracts.head,
        day=day or dt.date.today(),
        extracts=extracts.files_by_partition(),
        rules={name: sha256_of(path) for name, path in rule_files(settings).items() if path.exists()},
        gaps=hashlib.sha256(gaps.encode()).hexdigest(),
        readers=readers_version(),
        models=models_version(settings),
    )


def _path(settings: Settings, run_id: str) -> Path:
    return settings.home / "snapshots" / f"{run_id}.json"


def pin(settings: Settings, run_id: str) -> Snapshot:
    """The snapshot of a run: what was pinned for it, or what stands now, which is pinned thereby.

    Rules, readers and models are those of now in any case: a rule that is edited while a run goes on is found by
    whoever compares.
    """
    path = _path(settings, run_id)
    try:
        pinned = Snapshot.from_dict(json.loads(path.read_text(encoding="utf-8")))
        return take(settings, head=pinned.head, day=pinned.day)
    except (OSError, ValueError, KeyError, TypeError):
        return repin(settings, run_id)


def repin(settings: Settings, run_id: str) -> Snapshot:
    """Pin what stands now for a run, as after it took in the inbox."""
    snapshot, path = take(settings), _path(settings, run_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(snapshot.as_dict(), indent=2) + "\n", encoding="utf-8")
    others = [p for p in path.parent.glob("*.json") if p != path]
    for old in sorted(others, key=lambda p: p.stat().st_mtime)[: -KEPT + 1]:
        old.unlink()
    return snapshot
