"""The status of each archived file, and which files are in force. Read from the ledger alone.

An arrival is known by its line in the ledger, and arrivals count in that order, whenever they were decided on.
The last decision on an arrival holds:

pending    archived, not screened yet
accepted   in force, unless it was withdrawn since
held       warnings wait for somebody to accept them
rejected   it failed; it is screened again when the program or the circumstances change
dismissed  somebody said that a held or rejected file is settled
withdrawn  somebody took an accepted file out of force
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

from dagster_project import schema
from dagster_project.archive.store import FIRST, Archive, Head
from dagster_project.diagnostics import NotFound

Status = Literal["pending", "accepted", "held", "rejected", "dismissed", "withdrawn"]
Key = tuple[str, str | None]
"""A partition of the extracts: dataset, and school year where the dataset has years."""

ARRIVED = "arrived"
SHORTEST = 6
"""So many digits of a hash name a file."""
STATUS: Mapping[str, Status] = {
    "accepted": "accepted",
    "held": "held",
    "rejected": "rejected",
    "file_dismissed": "dismissed",
    "file_withdrawn": "withdrawn",
}
"""Events of the ledger that decide on a file, with the status they give it."""


@dataclass(frozen=True)
class File:
    """One arrival of a file and how it stands. ``decision`` is the event that says so, None while it is pending."""

    line: int
    sha256: str
    name: str
    arrived: str
    by: str
    format: str | None
    datasets: tuple[str, ...]
    status: Status = "pending"
    decision: Mapping[str, Any] | None = None

    @property
    def partitions(self) -> tuple[Key, ...]:
        """The partitions it has rows for, once it was read."""
        said = self.decision or {}
        if "partitions" in said:
            return tuple((dataset, year) for dataset, year in said["partitions"])
        # the ledgers of version 0.2 name datasets and years apart
        found: list[Key] = []
        for dataset in said.get("datasets", ()):
            yearly = dataset in schema.YEARLY_DATASETS
            found += [(dataset, year) for year in (said.get("school_years", ()) if yearly else (None,))]
        return tuple(found)

    @property
    def answer(self) -> tuple[str, ...]:
        """Hashes of the files with the pages of its answer, itself among them; empty where it is whole by itself."""
        return tuple((self.decision or {}).get("answer", ()))

    @property
    def units(self) -> str | None:
        """Hash of the list of units that it was read with, where it gives no codes of its own."""
        return (self.decision or {}).get("units")

    @property
    def codes(self) -> tuple[str, ...]:
        """What it was held or rejected for."""
        return tuple((self.decision or {}).get("codes", ()))

    @property
    def fictional(self) -> bool:
        return bool((self.decision or {}).get("fictional"))


@dataclass
class _Standing:
    """How the arrivals stand by their line, and the newest arrival of each file, after the events up to ``head``."""

    files: dict[int, File] = field(default_factory=dict)
    newest: dict[str, int] = field(default_factory=dict)
    head: Head = field(default_factory=lambda: Head(0, FIRST))


_standing: dict[Path, _Standing] = {}
"""How the arrivals of each ledger stood when they were asked for last, so that only new events are looked at."""


def files_at(archive: Archive, head: Head) -> tuple[File, ...]:
    """Every arrival in order, as the ledger stood at ``head``.

    Raises:
        IntegrityProblem: as ``Archive.events``.
    """
    events = archive.events(until=head)
    known = _standing.pop(archive.ledger, _Standing())
    # the hash of a line tells all lines before it
    if known.head.lines > head.lines or not archive.holds(known.head):
        known = _Standing()
    _stand(known, events[known.head.lines :])
    known.head = head
    _standing[archive.ledger] = known
    return tuple(known.files.values())


def files_of(events: Iterable[Mapping[str, Any]]) -> tuple[File, ...]:
    """Every arrival in order, as it stands after these events (with their ``line``)."""
    standing = _Standing()
    _stand(standing, events)
    return tuple(standing.files.values())


def _stand(standing: _Standing, events: Iterable[Mapping[str, Any]]) -> None:
    """Move the arrivals on by some events."""
    files, newest = standing.files, standing.newest
    for event in events:
        if event["event"] == ARRIVED:
            newest[event["sha256"]] = event["line"]
            files[event["line"]] = File(
                event["line"], event["sha256"], event["file"], event["time"], event.get("by", ""), event.get("format"),
                tuple(event.get("datasets", ())),
            )  # fmt: skip
        elif event["event"] in STATUS:
            line = event.get("arrival", newest[event["sha256"]])
            known = files[line]
            said = event
            if event["event"] in (
                "file_dismissed",
                "file_withdrawn",
            ):  # what the file holds stands in the decision before
                said = {**(known.decision or {}), **event}
            datasets = tuple(said.get("datasets") or known.datasets)
            files[line] = replace(
                known, status=STATUS[event["event"]], decision=said, datasets=datasets,
                format=said.get("format") or known.format,
            )  # fmt: skip


def in_force(files: Sequence[File]) -> dict[Key, tuple[File, ...]]:
    """The accepted files of each partition, in the order in which they arrived. A page counts with its whole answer."""
    found: dict[Key, list[File]] = {}
    pages = {(file.sha256, file.answer) for file in files if file.status == "accepted"}
    for file in files:
        if (
            file.status == "accepted"
            and not lost_its_list(file, files)
            and all((page, file.answer) in pages for page in file.answer)
        ):
            for key in file.partitions:
                found.setdefault(key, []).append(file)
    return {key: tuple(found[key]) for key in sorted(found, key=lambda key: (key[0], key[1] or ""))}


def lost_its_list(file: File, files: Sequence[File]) -> bool:
    """Whether the list of units that an accepted file was read with was withdrawn since: it has to be read again."""
    if file.status != "accepted" or not file.units:
        return False
    newest = {f.sha256: f.status for f in files}
    return newest.get(file.units) == "withdrawn"


def open_files(files: Sequence[File]) -> tuple[File, ...]:
    """Files that wait for somebody: pending, held or rejected ones whose bytes did not arrive again since."""
    newest = {file.sha256: file.line for file in files}
    waiting = ("pending", "held", "rejected")
    return tuple(f for f in files if newest[f.sha256] == f.line and (f.status in waiting or lost_its_list(f, files)))


def find_file(files: Sequence[File], wanted: str, *status: str) -> File:
    """The newest arrival of a file by its name or the beginning of its hash; of those that stand so, when named.

    Raises:
        NotFound: no such file, or several.
    """
    named = [f for f in files if f.name == wanted or (len(wanted) >= SHORTEST and f.sha256.startswith(wanted.lower()))]
    found = {f.sha256: f for f in named if not status or f.status in status}
    if len(found) == 1:
        return next(iter(found.values()))
    if found:
        lines = [f"  {f.sha256[:12]}  {f.status}, arrived {f.arrived}  {f.name}" for f in found.values()]
        raise NotFound("\n".join([f"{wanted} matches {len(found)} files; give a hash prefix:", *lines]))
    if named:
        raise NotFound(f"{named[-1].name} is not {' or '.join(status)}: it is {named[-1].status}.")
    close = get_close_matches(wanted, {f.name for f in files}, n=3, cutoff=0.5)
    near = f"Did you mean {', '.join(sorted(close))}?" if close else "`oppfolging status` lists the files that wait."
    raise NotFound(f"{wanted} is not in the ledger. {near}")
