"""The door: archive a file, screen it, and only then let its data replace earlier data.

accepted   its rows are in the extracts
held       warnings wait for somebody to accept them by name and reason; nothing has changed
rejected   it failed; its rows lie in quarantine and nothing has changed
duplicate  the same bytes were here before; nothing has changed
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from dagster_project import schema
from dagster_project.archive import Archive
from dagster_project.archive import journal as history
from dagster_project.diagnostics import NotFound, OppfolgingError, Severity
from dagster_project.intake.cells import ExtractTable
from dagster_project.intake.partitions import MergeReport, merge_partition, merge_reference
from dagster_project.intake.screen import Screening, screen, too_large
from dagster_project.settings import Settings
from dagster_project.validation import frames, quarantine

Status = Literal["accepted", "held", "rejected", "duplicate"]
DECIDED = ("accepted", "held", "rejected")


@dataclass(frozen=True)
class IntakeResult:
    """What became of one file. ``earlier`` is the status of the same bytes when they came before.

    ``screening`` holds the findings, and no longer the rows.
    """

    file: str
    sha256: str
    status: Status
    screening: Screening | None
    merges: tuple[MergeReport, ...] = field(default=())
    earlier: str | None = None


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC).replace(microsecond=0)


def _status_of(archive: Archive, sha256: str) -> dict[str, Any] | None:
    """The last event that decided what became of a file."""
    events = [e for e in archive.events() if e.get("sha256") == sha256 and e["event"] in DECIDED]
    return events[-1] if events else None


def merge_tables(settings: Settings, tables: Iterable[ExtractTable]) -> tuple[MergeReport, ...]:
    """Let the tables of one file replace what they replace in the extracts; tell what changed."""
    import pyarrow.compute as pc

    reports = []
    for table in tables:
        if table.dataset not in schema.YEARLY_DATASETS:
            reports.append(merge_reference(settings, table.dataset, table.table))
            continue
        for year in table.school_years:
            rows = table.table.filter(pc.equal(table.table["school_year"], year))
            reports.append(merge_partition(settings, table.dataset, year, rows))
    return tuple(reports)


def _settle(settings: Settings, archive: Archive, screening: Screening, now: dt.datetime, file: str) -> IntakeResult:
    """Merge, hold or reject a screened file, and write down which."""
    event: dict[str, Any] = {
        "time": now.isoformat(),
        "sha256": screening.sha256,
        "file": file,
        "format": screening.recognised.format if screening.recognised else None,
        "datasets": list(screening.datasets),
        "school_years": list(screening.school_years),
    }
    if screening.verdict is Severity.FAIL:
        quarantine.keep(settings, screening)
        archive.append({**event, "event": "rejected", "codes": sorted({f.code for f in screening.findings})})
        return IntakeResult(file, screening.sha256, "rejected", screening)
    accepted = {a["code"] for a in history.acceptances(settings) if a["sha256"] == screening.sha256}
    waiting = [code for code in screening.blocking_codes if code not in accepted]
    if waiting:
        quarantine.keep(settings, screening)
        archive.append({**event, "event": "held", "codes": waiting})
        return IntakeResult(file, screening.sha256, "held", screening)
    merges = merge_tables(settings, screening.tables)
    fictional = [
        bool(v) for t in screening.tables if t.table.num_rows for v in t.table["fictional"].unique().to_pylist()
    ]
    archive.append(
        {
            **event,
            "event": "accepted",
            "fictional": any(fictional),
            "signature": list(screening.signature),
            "merges": [m.as_dict() for m in merges],
        }
    )
    return IntakeResult(file, screening.sha256, "accepted", screening, merges)


def take_in(path: Path, settings: Settings, *, now: dt.datetime | None = None, by: str = "inbox") -> IntakeResult:
    """Take one file through the door. The file itself is left where it is.

    The original is archived first, whatever it is. A run that is killed after that is finished by
    ``resume_pending``. The same bytes a second time change nothing. A file larger than any real one is refused
    unread: it gets no hash and no place in the archive, and stays where it is.
    """
    now = now or _now()
    if (refused := too_large(path)) is not None:
        history.record_screening(settings, {"time": now.isoformat(), **refused.summary()})
        return IntakeResult(path.name, "", "rejected", refused)
    archive = Archive(settings)
    arrival = archive.store(path)
    before = _status_of(archive, arrival.sha256)
    if before is not None:
        return IntakeResult(path.name, arrival.sha256, "duplicate", None, earlier=before["event"])
    archive.append(
        {"event": "arrived", "time": now.isoformat(), "sha256": arrival.sha256, "file": path.name,
         "size": arrival.size, "by": by}
    )  # fmt: skip
    return _screen_and_settle(settings, archive, arrival.path, path.name, now)


def _screen_and_settle(settings: Settings, archive: Archive, path: Path, file: str, now: dt.datetime) -> IntakeResult:
    screening = screen(path, settings, now=now, name=file)
    history.record_screening(settings, {"time": now.isoformat(), **screening.summary()})
    result = _settle(settings, archive, screening, now, file)
    # The rows are merged or in quarantine; kept here, those of every file would fill the memory.
    return replace(result, screening=replace(screening, tables=()))


def resume_pending(settings: Settings, *, now: dt.datetime | None = None) -> list[IntakeResult]:
    """Finish files that were archived by a run that ended before it decided on them."""
    archive = Archive(settings)
    events = archive.events()
    decided = {e["sha256"] for e in events if e["event"] in DECIDED}
    pending = [e for e in events if e["event"] == "arrived" and e["sha256"] not in decided]
    return [_screen_and_settle(settings, archive, archive.path(e["sha256"]), e["file"], now or _now()) for e in pending]


def in_order(paths: Iterable[Path]) -> list[Path]:
    """Registers before figures, earlier school years before later ones, so that each has what it is compared with."""
    from dagster_project.intake.recognise import recognise

    def key(path: Path) -> tuple[int, str, str]:
        try:
            kind = recognise(path).format
        except OppfolgingError:
            return (2, "", path.name)
        if kind in ("klass_version", "klass_changes", "nsr_v4"):
            return (0, kind, path.name)
        return (1, _first_year(path), path.name)

    return sorted(paths, key=key)


def _first_year(path: Path) -> str:
    """The first school year in the head of a file, as text that sorts; empty when there is none in it."""
    import re

    from dagster_project.intake.text import encoding_of, sniff

    head = sniff(path)
    encoding = encoding_of(head)
    text = head[: len(head) // 2 * 2].decode(encoding, errors="ignore") if encoding else ""
    match = re.search(r"\d{4}-\d{2}\b", text)
    return match[0] if match else ""


def take_in_all(
    paths: Sequence[Path],
    settings: Settings,
    *,
    now: dt.datetime | None = None,
    by: str = "inbox",
    on_file: Callable[[str], None] | None = None,
) -> list[IntakeResult]:
    """Take several files in, registers and earlier years first. One bad file does not stop the others."""
    results = []
    for path in in_order(paths):
        if on_file is not None:
            on_file(path.name)
        results.append(take_in(path, settings, now=now, by=by))
    return results


def take_in_inbox(
    settings: Settings,
    *,
    now: dt.datetime | None = None,
    by: str = "inbox",
    on_file: Callable[[str], None] | None = None,
) -> list[IntakeResult]:
    """Finish what is pending, take in everything in the inbox, and empty it of what the archive has."""
    results = resume_pending(settings, now=now)
    settings.inbox.mkdir(parents=True, exist_ok=True)
    files = [p for p in settings.inbox.iterdir() if p.is_file() and not p.name.startswith(".")]
    for path in in_order(files):
        if on_file is not None:
            on_file(path.name)
        results.append(take_in(path, settings, now=now, by=by))
        if results[-1].sha256:
            path.unlink()
    frames.release()
    return results


def find_file(settings: Settings, name_or_sha256: str) -> dict[str, Any]:
    """The last decision on a file, by its name or (the beginning of) its hash.

    Raises:
        NotFound: no such file, or several of that name.
    """
    events = [
        e
        for e in Archive(settings).events()
        if e["event"] in DECIDED and (e["file"] == name_or_sha256 or e["sha256"].startswith(name_or_sha256))
    ]
    hashes = {e["sha256"] for e in events}
    if len(hashes) != 1:
        what = "is not in the ledger" if not hashes else f"names {len(hashes)} different files; use the hash"
        raise NotFound(f"{name_or_sha256} {what}. `oppfolging status` lists the files that wait.")
    return events[-1]


def accept(
    settings: Settings, name_or_sha256: str, *, code: str, by: str, reason: str, now: dt.datetime | None = None
) -> IntakeResult:
    """Accept one warning of a held file, by name and reason. When none is left, its data come into force.

    Raises:
        NotFound: the file is not held, or has no such warning.
        OppfolgingError: the name or the reason is blank.
    """
    now = now or _now()
    if not by.strip() or not reason.strip():
        raise OppfolgingError("An acceptance needs a name and a reason.")
    last = find_file(settings, name_or_sha256)
    if last["event"] != "held":
        raise NotFound(f"{last['file']} is not held back: it is {last['event']}.")
    if code not in last["codes"]:
        raise NotFound(f"{last['file']} does not wait for {code}. It waits for {', '.join(last['codes'])}.")
    record = {"time": now.isoformat(), "sha256": last["sha256"], "file": last["file"], "code": code, "by": by.strip(),
              "reason": reason.strip()}  # fmt: skip
    history.record_acceptance(settings, record)
    archive = Archive(settings)
    archive.append({**record, "event": "warning_accepted"})
    return _screen_and_settle(settings, archive, archive.path(last["sha256"]), last["file"], now)


def find_held_or_rejected(settings: Settings, run_id: str) -> list[dict[str, Any]]:
    """The files that a run took in and that did not come into force."""
    events = Archive(settings).events()
    mine = {e["sha256"] for e in events if e["event"] == "arrived" and run_id in str(e.get("by", ""))}
    last = {e["sha256"]: e for e in events if e["event"] in DECIDED and e["sha256"] in mine}
    return [e for e in last.values() if e["event"] != "accepted"]
