"""Ingest a file: archive it and record it in the ledger, then validate it and decide on it.

Taking in changes nothing but archive and ledger. ``settle`` screens what is pending, in order of arrival:

accepted   in force: the extracts are made from it
held       warnings wait for somebody to accept them by name and reason; nothing has changed
rejected   it failed; its rows lie in quarantine and nothing has changed
duplicate  the same bytes are here already and stand as they stood; nothing has changed
moving     it is still being written; it is left where it is

Whatever a file does, it never stops the files behind it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from dagster_project import clock, log, schema
from dagster_project.archive import Archive, journal
from dagster_project.archive.files import ARRIVED, File, Key, files_of, find_file, lost_its_list, open_files
from dagster_project.diagnostics import Finding, NotFound, OppfolgingError, Severity, UnreadableFile
from dagster_project.intake import inbox as inboxes
from dagster_project.intake import quarantine
from dagster_project.intake.cells import ExtractTable
from dagster_project.intake.paging import PAGE_MISSING, fitting, joined
from dagster_project.intake.partitions import Change, Extracts, difference, keys_of, merged, rows_for
from dagster_project.intake.reader import Reader, ReadFile
from dagster_project.intake.readers import unit_list
from dagster_project.intake.recognise import Recognised, recognise
from dagster_project.intake.screen import Screening, circumstances, program_version, screen, signature_of
from dagster_project.intake.text import encoding_of, refuse_oversize, sniff
from dagster_project.settings import Settings
from dagster_project.validation import frames

if TYPE_CHECKING:
    import pyarrow as pa

Outcome = Literal["accepted", "held", "rejected", "duplicate", "moving", "pending"]
FIRST = (unit_list.FORMAT, "klass_version", "klass_version_csv", "klass_changes", "klass_changes_csv", "nsr_v4")
NOT_ITS_FAULT = {
    "reader-failed",
    "reader-died",
    "reading-took-too-long",
    "reading-took-too-much-memory",
    "screening-failed",
}
"""What the program or the machine did wrong, such as a full disk: a file that comes again gets another try."""
REGISTERS = (schema.MUNICIPALITY_VERSIONS, schema.MUNICIPALITY_CHANGES, schema.SCHOOL_REGISTER)
Told = Callable[[str], None]


@dataclass(frozen=True)
class IntakeResult:
    """What became of one file. ``earlier`` says how the same bytes stand when they came before.

    ``screening`` holds the findings, and no longer the rows. ``line`` is the arrival in the ledger.
    """

    file: str
    sha256: str
    status: Outcome
    screening: Screening | None = None
    changes: tuple[Change, ...] = field(default=())
    earlier: str | None = None
    line: int | None = None

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """What somebody should know of a file that is in force all the same, such as a column that was not read."""
        found = self.screening.findings if self.screening is not None and self.status == "accepted" else ()
        return tuple(f for f in found if f.severity is Severity.WARN)


def _ignore(_: str) -> None:
    pass


def in_order(paths: Iterable[Path]) -> list[Path]:
    """Registers before figures, earlier school years before later ones, so that each has what it is compared with."""

    def key(path: Path) -> tuple[int, str, str]:
        known, name = _recognised(path), inboxes.name_of(path)
        if known is None:
            return (2, "", name)
        return (0, known.format, name) if known.format in FIRST else (1, _first_year(path), name)

    return sorted(paths, key=key)


def _recognised(path: Path, name: str | None = None) -> Recognised | None:
    """What a file is, None when that cannot be told. The reason is told when it is screened."""
    try:
        return recognise(path, name)
    except OppfolgingError:
        return None


def _first_year(path: Path) -> str:
    """The first school year in the head of a file, as text that sorts; empty when there is none in it."""
    import re

    head = sniff(path)
    encoding = encoding_of(head)
    text = head.decode(encoding, errors="ignore") if encoding else ""
    match = re.search(r"\d{4}-\d{2}\b", text)
    return match[0] if match else ""


def _too_large(path: Path, settings: Settings, now: dt.datetime) -> IntakeResult | None:
    """The refusal of a file larger than any real one: unread, without hash or place in the archive."""
    name = inboxes.name_of(path)
    try:
        refuse_oversize(path, name, lines=False)
    except UnreadableFile as problem:
        refused = Screening(name, "", None, {"readable": Severity.FAIL}, problem.findings)
        journal.record_screening(settings, {"time": now.isoformat(), **refused.summary()})
        log.findings(problem.findings)
        return IntakeResult(name, "", "rejected", refused)
    return None


def take_in(path: Path, settings: Settings, *, now: dt.datetime | None = None, by: str = "inbox") -> IntakeResult:
    """Archive one file and write its arrival in the ledger; screening follows with ``settle``. The file stays.

    The same bytes are a new arrival only when that can change something: they were replaced, withdrawn, dismissed, or
    rejected under another program, in other circumstances, or for no fault of theirs.
    """
    now = now or clock.now()
    if (refused := _too_large(path, settings, now)) is not None:
        return refused
    archive, name = Archive(settings), inboxes.name_of(path)
    stored = archive.store(path)
    with Extracts(settings) as extracts:
        before = [f for f in extracts.files if f.sha256 == stored.sha256]
        if before and _stands(extracts, before[-1], now):
            archive.keep(stored.sha256)  # brings the original back where the archive had lost it
            log.event("file known already", file=name, sha256=stored.sha256, status=before[-1].status)
            return IntakeResult(name, stored.sha256, "duplicate", earlier=before[-1].status, line=before[-1].line)
    known = _recognised(stored.path, name)
    head = archive.append(
        {"event": ARRIVED, "time": now.isoformat(), "sha256": stored.sha256, "file": name, "size": stored.size,
         "by": by, "format": known and known.format, "datasets": list(known.datasets) if known else [],
         **journal.fetched(settings, stored.sha256)}
    )  # fmt: skip
    archive.keep(stored.sha256)
    return IntakeResult(name, stored.sha256, "pending", line=head.lines)


def _stands(extracts: Extracts, file: File, now: dt.datetime) -> bool:
    """Whether a file that came before would end as it did, so that its coming again changes nothing."""
    if file.status in ("pending", "held"):
        return True
    if (file.decision or {}).get("paged") and file.status == "rejected":
        return False  # another page of its answer may have been at fault
    if file.status == "rejected":
        return not (_is_due(extracts, file, now) or NOT_ITS_FAULT.intersection(file.codes))
    if file.status != "accepted":
        return False
    if file.format == unit_list.FORMAT and extracts.unit_list != file.sha256:
        return False  # another list came since: sent again, it is the newest
    # a page of a newer answer may be the same bytes, when nothing changed on it
    if file.answer and any(_may_be_page(f, file) for f in extracts.files):
        return False
    for key in file.partitions:
        here = extracts.in_force.get(key, ())
        later = [f for f in here if f.line > file.line and f.sha256 not in file.answer]
        if file.answer:
            if later or file not in here:
                return False  # the pages of the answer have to come again, each
            continue
        if later and (table := extracts.table(key)) is not None:
            rows = rows_for(extracts.read(file), key)
            if rows is not None and not difference(key, table, merged(key[0], [table, rows])).is_nothing:
                return False
    return True


def _may_be_page(other: File, file: File) -> bool:
    """Whether another file came after a page and waits for the pages of another answer, or may turn out to."""
    later = other.line > file.line and other.sha256 not in file.answer and bool({*other.datasets} & {*file.datasets})
    return later and (other.status == "pending" or (other.status == "held" and PAGE_MISSING in other.codes))


def _is_due(extracts: Extracts, file: File, now: dt.datetime) -> bool:
    """Whether a rejected file is screened again: the program changed, or what its rejection rested on."""
    said = file.decision or {}
    if unit_list.FROM_LIST.intersection(file.codes) and extracts.unit_list not in (None, file.units):
        return True
    if said.get("program") != program_version():
        return True
    seen = said.get("circumstances", "")
    return bool(seen) and seen != circumstances(extracts, file.datasets, file.codes, now)


def pending(extracts: Extracts, now: dt.datetime) -> list[File]:
    """Files to screen, in order of arrival: those nobody decided on, and rejected ones that are due again."""
    waiting = open_files(extracts.files)
    return [
        f
        for f in waiting
        if f.status == "pending"
        or (f.status == "rejected" and _is_due(extracts, f, now))
        or lost_its_list(f, extracts.files)
    ]


def settle(
    settings: Settings, *, now: dt.datetime | None = None, datasets: Collection[str] | None = None,
    on_file: Told = _ignore,
) -> list[IntakeResult]:  # fmt: skip
    """Screen what is pending (for ``datasets``, else for any) in order of arrival, and write each decision down.

    A register belongs to every dataset, since figures are held to it; so does a file that was not recognised, since
    nobody else would screen it. When a list of units comes, pivots that wait for one are screened again.
    """
    now = now or clock.now()
    results: dict[int | None, IntakeResult] = {}
    with Reader(settings) as reader:
        with Extracts(settings) as extracts:
            due = pending(extracts, now)
        while due:
            came = False
            for file in due:
                mine = datasets is None or not file.datasets or set(file.datasets) & {*datasets, *REGISTERS}
                if mine:
                    on_file(file.name)
                    results[file.line] = found = _settle(settings, reader, file, now)
                    came = came or (found.status == "accepted" and file.format == unit_list.FORMAT)
            with Extracts(settings) as extracts:
                due = [f for f in pending(extracts, now) if came and unit_list.FROM_LIST.intersection(f.codes)]
    frames.release()
    return _as_they_ended(settings, list(results.values()))


def _as_they_ended(settings: Settings, results: Sequence[IntakeResult]) -> list[IntakeResult]:
    """The results, with pages that waited for one of the files behind them as they stand now."""
    now = {f.line: f.status for f in files_of(Archive(settings).events())}
    return [
        replace(r, status="accepted") if r.status == "held" and r.line and now.get(r.line) == "accepted" else r
        for r in results
    ]


def _settle(settings: Settings, reader: Reader, file: File, now: dt.datetime) -> IntakeResult:
    """Screen one file and write down whether it is accepted, held or rejected."""
    archive = Archive(settings)
    with Extracts(settings) as extracts:
        found, pages, units = _whole(extracts, reader, file)
        names = {page.file.sha256: page.file.name for page in pages}
        screening = screen(extracts, found, file.sha256, file.name, now=now, line=file.line, names=names)
        journal.record_screening(settings, {"time": now.isoformat(), **screening.summary()})
        log.findings(screening.findings)
        event: dict[str, Any] = {
            "time": now.isoformat(),
            "sha256": file.sha256,
            "file": file.name,
            "arrival": file.line,
            "format": screening.recognised.format if screening.recognised else None,
            "datasets": list(screening.datasets),
            "school_years": list(screening.school_years),
            "partitions": [list(key) for key in screening.partitions],
            "program": program_version(),
        }
        if pages:
            event["paged"] = True
        if units is not None:
            event["units"] = units
        shown = replace(screening, tables=())  # kept here, the rows of every file would fill the memory
        accepted = journal.accepted_codes(settings, file.sha256, file.line)
        waiting = [code for code in screening.blocking_codes if code not in accepted]
        if screening.verdict is Severity.FAIL or waiting:
            quarantine.keep(settings, screening)
        if screening.verdict is Severity.FAIL:
            codes = sorted({f.code for f in screening.findings if f.severity is Severity.FAIL})
            rests_on = circumstances(extracts, screening.datasets, codes, now) if screening.tables else ""
            archive.append({**event, "event": "rejected", "codes": codes, "circumstances": rests_on})
            return IntakeResult(file.name, file.sha256, "rejected", shown, line=file.line)
        if waiting:
            archive.append({**event, "event": "held", "codes": waiting})
            return IntakeResult(file.name, file.sha256, "held", shown, line=file.line)
        answer = [page.file.sha256 for page in pages if len(pages) > 1]
        for page in pages:
            if page.file.line != file.line:
                archive.append({**event, **page.told(), "event": "accepted", "answer": answer, "changes": []})
        if answer:
            event |= {**pages[-1].told(), "answer": answer}
        made = list(_with(extracts, file, screening))
        changes = tuple(difference(*each) for each in made)
        archive.append(
            {**event, "event": "accepted", "fictional": _any_fictional(screening.tables),
             "signature": list(screening.signature), "changes": [c.as_dict() for c in changes]}
        )  # fmt: skip
    with Extracts(settings) as after:
        for key, _, table in made:
            before = {f.line for f in extracts.in_force.get(key, ())}
            # with a page, others of its answer come into force, and those of an older answer may go
            alone = {f.line for f in after.in_force.get(key, ())} == {*before, file.line}
            after.make(key, table if alone else None)
    return IntakeResult(file.name, file.sha256, "accepted", shown, changes, line=file.line)


def _any_fictional(tables: Iterable[ExtractTable]) -> bool:
    return any(bool(v) for t in tables for v in t.table["fictional"].unique().to_pylist())


@dataclass(frozen=True)
class _PageFile:
    """A file that holds a part of an answer, and what it gives by itself."""

    file: File
    read: ReadFile

    def told(self) -> dict[str, Any]:
        """What the ledger says of it when its answer comes into force."""
        tables = self.read.tables
        return {
            "sha256": self.file.sha256, "file": self.file.name, "arrival": self.file.line,
            "datasets": list(self.read.datasets), "school_years": sorted({y for t in tables for y in t.school_years}),
            "partitions": [list(key) for key in keys_of(tables)],
            "signature": list(signature_of([c for t in tables for c in t.columns_seen])),
            "fictional": _any_fictional(tables),
        }  # fmt: skip


def _whole(extracts: Extracts, reader: Reader, file: File) -> tuple[ReadFile, list[_PageFile], str | None]:
    """What a file gives; where it is a page, with the pages of its answer that came before, itself the last of them.

    The hash at the end is that of the list of units, where the file needed one.
    """
    found, units = extracts.try_read(reader, file.sha256, file.name)
    at = next((i for i, t in enumerate(found.tables) if t.page is not None), None)
    if at is None:
        return found, [], units
    own = _PageFile(file, found)
    newest = {f.sha256: f for f in extracts.files}
    in_force = {(f.sha256, f.answer) for f in extracts.files if f.status == "accepted"}

    def was_cut_off(page: File) -> bool:
        """Whether a run was killed between the pages of an answer, so that this one is accepted and not in force."""
        return page.status == "accepted" and any((other, page.answer) not in in_force for other in page.answer)

    # the newest first, so that a page that was sent again stands for the one before
    waiting = [
        f
        for f in reversed(newest.values())
        if f.sha256 != file.sha256 and (f.decision or {}).get("paged")
        and (f.status in ("held", "rejected") or (file.sha256 in f.answer and was_cut_off(f)))
    ]  # fmt: skip
    others = [_PageFile(f, reader.read(f.sha256, f.name)) for f in waiting]
    parts = [(o, t) for o in others for t in o.read.tables if t.page is not None]
    fits = fitting(found.tables[at], [t for _, t in parts], together=False)
    pages = sorted((parts[i][0] for i in fits), key=lambda page: page.file.line)
    whole = joined([*(t for i, (_, t) in enumerate(parts) if i in fits), found.tables[at]])
    more = [t for page in pages for t in page.read.tables if t.page is None]
    tables = (*found.tables[:at], whole, *found.tables[at + 1 :], *more)
    return replace(found, tables=tables), [*pages, own], units


def _with(extracts: Extracts, file: File, screening: Screening) -> Iterator[tuple[Key, pa.Table | None, pa.Table]]:
    """Each partition of the file, as it is and as it will be with the file in its place in the order of arrival."""
    for key in keys_of(screening.tables):
        rows, before = rows_for(screening.tables, key), extracts.table(key)
        assert rows is not None, "the keys are those of its own rows"
        files = extracts.in_force.get(key, ())
        later = [f for f in files if f.line > file.line]
        if before is not None and not later:
            # what is in force is merged already: a partition of many files is not made of all of them once more
            yield key, before, merged(key[0], [before, rows])
        else:
            parts = extracts.parts(key, [f for f in files if f.line < file.line])
            yield key, before, merged(key[0], [*parts, rows, *extracts.parts(key, later)])


def take_in_all(
    paths: Sequence[Path], settings: Settings, *, now: dt.datetime | None = None, by: str = "inbox",
    on_file: Told = _ignore,
) -> list[IntakeResult]:  # fmt: skip
    """Take several files in, registers and earlier years first, and settle everything that is pending."""
    standing, moving = inboxes.still(paths)
    taken = [IntakeResult(inboxes.name_of(path), "", "moving") for path in moving]
    for path in in_order(standing):
        on_file(inboxes.name_of(path))
        taken.append(take_in(path, settings, now=now, by=by))
    return _with_decisions(taken, settle(settings, now=now, on_file=on_file))


def archive_inbox(
    settings: Settings, *, now: dt.datetime | None = None, by: str = "inbox", on_file: Told = _ignore
) -> list[IntakeResult]:
    """Take in what stands still in the inbox, and empty it of what archive and ledger have. Nothing is screened."""
    settings.inbox.mkdir(parents=True, exist_ok=True)
    standing, moving = inboxes.still(inboxes.waiting(settings.inbox))
    left = [IntakeResult(inboxes.name_of(path), "", "moving") for path in moving]
    batch = inboxes.new_batch(settings)
    for path in standing:
        inboxes.claim(path, batch)
    left += [IntakeResult(inboxes.name_of(p), "", "moving") for p in standing if p.exists()]
    results = []
    # what a call that was killed had claimed came before what is claimed now
    for path in (p for files in inboxes.batches(settings.inbox) for p in in_order(files)):
        on_file(inboxes.name_of(path))
        state = inboxes.state_of(path)
        result = take_in(path, settings, now=now, by=by)
        results.append(result)
        if not result.sha256 or inboxes.state_of(path) != state:
            inboxes.give_back(path, settings.inbox)  # unread, or somebody still wrote to it
        else:
            path.unlink()
    inboxes.tidy(settings.inbox)
    return [*results, *left]


def take_in_inbox(
    settings: Settings, *, now: dt.datetime | None = None, by: str = "inbox", on_file: Told = _ignore
) -> list[IntakeResult]:
    """Take in everything in the inbox, and settle everything that is pending."""
    taken = archive_inbox(settings, now=now, by=by, on_file=on_file)
    return _with_decisions(taken, settle(settings, now=now, on_file=on_file))


def _with_decisions(taken: Sequence[IntakeResult], settled: Sequence[IntakeResult]) -> list[IntakeResult]:
    """One result per file: the decision where there is one; decisions on files that came earlier first."""
    by_line = {r.line: r for r in settled}
    own = [by_line.pop(r.line) if r.status == "pending" and r.line in by_line else r for r in taken]
    return [*by_line.values(), *own]


def _signed(by: str, reason: str, what: str) -> dict[str, str]:
    if not by.strip() or not reason.strip():
        raise OppfolgingError(f"{what} needs a name and a reason.")
    return {"by": by.strip(), "reason": reason.strip()}


def accept(
    settings: Settings, name_or_sha256: str, *, code: str, by: str, reason: str, now: dt.datetime | None = None
) -> IntakeResult:
    """Accept one warning of a held file, by name and reason. When none is left, the file comes into force.

    Raises:
        NotFound: the file is not held, or has no such warning.
        OppfolgingError: the name or the reason is blank.
    """
    now = now or clock.now()
    signed = _signed(by, reason, "An acceptance")
    file = find_file(files_of(Archive(settings).events()), name_or_sha256, "held")
    if code == PAGE_MISSING and code in file.codes:
        raise OppfolgingError(
            f"{file.name} waits for the other pages of its answer: send them. Half an answer is not used."
        )
    if code not in file.codes:
        raise NotFound(f"{file.name} is not held for {code}, but for {', '.join(file.codes)}.")
    Archive(settings).append(
        {"event": journal.WARNING_ACCEPTED, "time": now.isoformat(), "sha256": file.sha256, "file": file.name,
         "arrival": file.line, "code": code, **signed}
    )  # fmt: skip
    with Reader(settings) as reader:
        return _settle(settings, reader, file, now)


def _mark(
    settings: Settings, name_or_sha256: str, event: str, status: tuple[str, ...], now: dt.datetime | None,
    signed: dict[str, str],
) -> File:  # fmt: skip
    file = find_file(files_of(Archive(settings).events()), name_or_sha256, *status)
    Archive(settings).append(
        {"event": event, "time": (now or clock.now()).isoformat(), "sha256": file.sha256, "file": file.name,
         "arrival": file.line, "datasets": list(file.datasets),
         "school_years": sorted({year for _, year in file.partitions if year}), **signed}
    )  # fmt: skip
    return file


def dismiss(settings: Settings, name_or_sha256: str, *, by: str, reason: str, now: dt.datetime | None = None) -> File:
    """Settle a held or rejected file without it: it is no open problem any more.

    Raises:
        NotFound: the file is not held or rejected.
        OppfolgingError: the name or the reason is blank.
    """
    signed = _signed(by, reason, "To dismiss a file")
    return _mark(settings, name_or_sha256, "file_dismissed", ("held", "rejected"), now, signed)


def withdraw(settings: Settings, name_or_sha256: str, *, by: str, reason: str, now: dt.datetime | None = None) -> File:
    """Take an accepted file out of force, a page with its whole answer. The extracts follow without; it stays archived.

    Raises:
        NotFound: the file is not in force.
        OppfolgingError: the name or the reason is blank.
    """
    signed = _signed(by, reason, "To withdraw a file")
    file = _mark(settings, name_or_sha256, "file_withdrawn", ("accepted",), now, signed)
    for page in files_of(Archive(settings).events()):
        if page.status == "accepted" and page.answer == file.answer != ():
            _mark(settings, page.sha256, "file_withdrawn", ("accepted",), now, signed)
    return file
