"""Publish a round or cohort: build the new revision next to the old ones, then commit it with one line of the ledger.

A revision folder never changes once it has its name. A run that is killed before the commit leaves the revision in
force as it was; what it had begun is swept away by the next run. Tables that are the same as in the revision in
force, from the same rules, make no new revision.
"""

from __future__ import annotations

import datetime as dt
import errno
import filecmp
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dagster_project.archive import Archive
from dagster_project.archive.commits import (
    BUILDING,
    MANIFEST,
    building_folder,
    commits_of,
    current_revision,
    finish,
    read_manifest,
)
from dagster_project.archive.published import INTERNAL, read_published
from dagster_project.archive.register import register
from dagster_project.archive.store import sha256_of
from dagster_project.arrow import write_parquet
from dagster_project.diagnostics import Finding, NotFound, PipelineProblem, Severity
from dagster_project.pages.words import FICTIONAL, INCOMPLETE, N_, both, both_of_code, texts
from dagster_project.private import READ_ONLY
from dagster_project.publication import crate, public, report_site, tables
from dagster_project.publication import manifest as manifests
from dagster_project.publication.notes import marts
from dagster_project.publication.subjects import Subject
from dagster_project.publication.workbook import as_shown, write_xlsx
from dagster_project.rules import RuleBook, describe
from dagster_project.settings import Settings
from dagster_project.transform.snapshot import Snapshot

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.compute as pc

RULEBOOK = "rulebook"
FORMS = "forms"
WITHDRAWN_COLUMN = "withdrawn_reason"
GAPS_COLUMN = "missing_inputs"
# what a manifest says of how its tables were made
MADE_FROM = {
    "illustrative", "placeholders", "round_entry", "rule_set", "registers", "inputs", "code_version", "packages",
    "python", "ledger", "snapshot", "extracts", "readers", "models",
}  # fmt: skip
SOURCES = ("point_sources", "cohort_sources")
"""The tables of source cells, of a round and of a cohort."""
FOR_PROGRAMS = frozenset(SOURCES)
UNOFFICIAL = {"scenario", "watermark"}
"""Columns that mark a table as computed under another reading of the rule."""


@dataclass(frozen=True)
class Revision:
    """A published revision.

    ``is_new`` is False when nothing had changed. ``rows`` maps tables to row counts. ``differences`` names the cells
    in which a final release differs from what would be computed now; such a run publishes nothing.
    """

    round: str
    revision: str
    path: Path
    is_new: bool
    rows: dict[str, int]
    differences: tuple[Finding, ...] = field(default=())


def round_revision(settings: Settings, round_id: str) -> Path | None:
    """The same of a round.

    Raises:
        NotFound: it is a cohort, which has other tables; its round is named.
    """
    folder = current_revision(settings, round_id)
    if folder is not None and (stated := read_manifest(folder))["subject"] != stated["round"]:
        raise NotFound(f"{round_id} is a cohort, not a round. Its round is {stated['round']}.")
    return folder


def same_tables(old: dict[str, Any], new: dict[str, Any]) -> bool:
    """Whether two manifests publish the same tables from the same rules. Workbooks and pages are views."""

    def essence(m: dict[str, Any]) -> tuple[Any, ...]:
        # of the rounds and their rule sets only the subject's own count, and the manifest holds those
        others = (f"{RULEBOOK}/rounds.yaml", f"{RULEBOOK}/rules/")
        files = {
            n: f["sha256"]
            for n, f in m["files"].items()
            if not (n.endswith(".xlsx") or n.startswith(others) or n == crate.CRATE or report_site.is_site(n))
        }
        return files, m["rule_set"], m["round_entry"], m["registers"], m["inputs"], m["status"]

    return essence(old) == essence(new)


def notes_of(rulebook: RuleBook, subject: Subject, manifest: Mapping[str, Any]) -> list[str]:
    """Lines of the notes sheet: what this is, how far to trust it, and the whole rule."""
    round_ = subject.round
    last_year = both(N_("last school year"))
    lines = [f"{round_.title} ({subject.name}), {last_year} {round_.last_school_year}"]
    if round_.origin == "fictional":
        lines.append(both(N_("FICTIONAL DATA: no school or municipality here exists.")).upper())
    if manifest.get("withdrawn"):
        lines.append(both(N_("WITHDRAWN")) + f": {manifest['withdrawn']['reason']}")
    lines += [f"{both(INCOMPLETE)}: {gap}" for gap in manifest.get("accepted_gaps", ())]
    number = both(N_("release")) + f" {manifest['release']}" if manifest.get("release") else None
    lines.append(f"Status: {', '.join(filter(None, (both_of_code('round_' + manifest['status']), number)))}")
    return [*lines, *describe(rulebook.rule_sets[round_.rule_set])]


def status_of(subject: Subject, manifest: Mapping[str, Any], *, public: bool) -> str:
    """What limits the use of a revision's figures, in Norwegian; blank for a final release of official figures."""
    t = texts("no")
    said = [t._(FICTIONAL)] if subject.round.origin == "fictional" else []
    if manifest.get("withdrawn"):
        said.append(t._(N_("WITHDRAWN")))
    if manifest.get("illustrative"):
        said.append(t._("illustrative: {count} limits are assumed, not Udir's", count=len(manifest["placeholders"])))
    if not public and (cells := manifest.get("restricted_cells")):
        said.append(t._("NOT PUBLIC: {count} figures are for those with access", count=cells))
    if manifest.get("accepted_gaps"):
        said.append(t._("computed without some figures"))
    if not manifest.get("release") and not subject.is_cohort:
        said.append(t._("provisional: {state}", state=t.code(f"round_{manifest['status']}")))
    return " · ".join(said)


def _next_name(folder: Path, committed: Iterable[str]) -> str:
    """A number that no folder has, and no commit: a revision that is gone keeps its number."""
    names = {*committed, *(p.name for p in folder.glob("r[0-9]*"))}
    taken = [int(name[1:]) for name in names if name[1:].isdigit()]
    return f"r{max(taken, default=0) + 1:04d}"


def _refuse_scenario(name: str, columns: Iterable[str]) -> None:
    """What was computed under another reading of the rule carries a mark, and is never published as official."""
    if marks := sorted(UNOFFICIAL.intersection(columns)):
        finding = Finding(
            "scenario-table", Severity.FAIL, f"{name} comes from a scenario and cannot be published",
            stage="publication", file=f"marts/{name}.parquet", column=marks[0], found=", ".join(marks),
            expected="a table made by the models", fix="Run the models again; scenarios belong under scenarios/.",
        )  # fmt: skip
        raise PipelineProblem("Nothing was published, because a scenario is not official.", [finding])


def subject_tables(settings: Settings, subject: Subject) -> Iterator[tuple[str, pa.Table]]:
    """Every mart's rows of the subject, by name; those of the public edition as ``public/<name>``.

    A comparison without rows is none. A round that does without an input carries that in a column of every table.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    whole = {name: path for name, path in marts(settings).items() if not public.is_public_model(name)}
    shown = {f"{public.PUBLIC}/{name}": path for name, path in public.public_tables(settings).items()}
    mine = pc.field(subject.column) == subject.name
    gaps = "" if subject.is_cohort else "; ".join(accepted_gaps(whole["round_inputs"], mine))
    for name, path in (whole | shown).items():
        if subject.owns(pq.read_schema(path).names):
            table = pq.read_table(path, filters=mine).combine_chunks()
            if table.num_rows == 0 and public.is_comparison(settings, name):
                continue
            yield name, table.append_column(GAPS_COLUMN, pa.repeat(gaps, table.num_rows)) if gaps else table


def accepted_gaps(round_inputs: Path, where: pc.Expression | None = None) -> list[str]:
    """The inputs that a round does without, in words, with why somebody accepted that; from its ``round_inputs``."""
    import pyarrow.parquet as pq

    rows = pq.read_table(round_inputs, filters=where).to_pylist()
    return [
        f"{r['indicator']}, trinn/grade {r['grade']}, {r['school_year']}: {r['accepted_reason']}"
        for r in rows
        if r["accepted_by"] is not None
    ]


def _restricted_cells(indicator_points: Path) -> int:
    """How many figures of a round only those with access may see."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    # a table republished from before there were any does not say
    if not indicator_points.exists() or "restricted" not in pq.read_schema(indicator_points).names:
        return 0
    return pq.read_table(indicator_points, columns=["round"], filters=pc.field("restricted")).num_rows


def released_tables(folder: Path) -> Iterator[tuple[str, pa.Table]]:
    """The tables of a revision, by name; those of the public edition as ``public/<name>``.

    Raises:
        IntegrityProblem: one of them is gone or was changed.
    """
    manifest = read_manifest(folder)
    for place in sorted(manifest["files"]):
        if place.startswith((f"{INTERNAL}/", f"{public.PUBLIC}/")) and place.endswith(".parquet"):
            name = place.removeprefix(f"{INTERNAL}/").removesuffix(".parquet")
            yield name, read_published(folder, name, manifest=manifest)


def marked_withdrawn(source: Iterator[tuple[str, pa.Table]], reason: str) -> Iterator[tuple[str, pa.Table]]:
    """Tables with a column that says why their release is withdrawn."""
    import pyarrow as pa

    for name, table in source:
        yield name, table.append_column(WITHDRAWN_COLUMN, pa.array([reason] * table.num_rows, pa.string()))


def fill_data(source: Iterator[tuple[str, pa.Table]], building: Path) -> dict[str, int]:
    """Write tables as Parquet and CSV, whole and for everybody; return row counts."""
    rows: dict[str, int] = {}
    (building / INTERNAL).mkdir(parents=True)
    for name, table in source:
        _refuse_scenario(name, table.column_names)
        rows[name] = table.num_rows
        stem = building / (name if "/" in name else f"{INTERNAL}/{name}")
        stem.parent.mkdir(exist_ok=True)
        write_parquet(stem.with_suffix(".parquet"), table)
        tables.write_csv(stem.with_suffix(".csv"), table)
    return rows


def _fill_rules(settings: Settings, rulebook: RuleBook, subject: Subject, building: Path) -> None:
    """Keep the very rule files beside the figures they gave, laid out as a home has them.

    Rule sets of other rounds of the same origin lie there too: when their follow-up ends decides who is kept out.
    """
    rule_sets = sorted({r.rule_set for r in rulebook.rounds if r.origin == subject.round.origin})
    wanted = {
        "": [settings.rounds, settings.effects if subject.is_cohort else settings.uncertainty],
        "rules": [settings.rules / f"{name}.yaml" for name in rule_sets],
        "registers": sorted(settings.registers.glob("*.yaml")),
    }
    for folder, paths in wanted.items():
        target = building / RULEBOOK / folder
        target.mkdir(parents=True, exist_ok=True)
        for path in paths:
            shutil.copyfile(path, target / path.name)


def _fill_spreadsheets(
    settings: Settings, rulebook: RuleBook, subject: Subject, manifest: Mapping[str, Any], building: Path
) -> None:
    """Write a workbook beside every table people read; the list of source cells is for programs."""
    notes = notes_of(rulebook, subject, manifest)
    write = partial(write_xlsx, settings=settings, subject=subject.round.title)

    def sheets(edition: str) -> Iterator[Path]:
        yield from (p for p in sorted((building / edition).glob("*.parquet")) if p.stem not in FOR_PROGRAMS)

    for path in sheets(INTERNAL):
        write(path.with_suffix(".xlsx"), path.stem, as_shown(path), notes,
              status=status_of(subject, manifest, public=False))  # fmt: skip
    for path in sheets(public.PUBLIC):
        write(
            path.with_suffix(".xlsx"), path.stem, as_shown(path), [*public.notes_of_table(path), *notes],
            model=public.model_of(settings, path.stem), status=status_of(subject, manifest, public=True),
        )  # fmt: skip


@contextmanager
def _building(settings: Settings, subject: Subject, revision: str) -> Iterator[Path]:
    """A hidden folder to build a revision in; swept away when it has not become one."""
    building = building_folder(settings, subject.name, revision)
    building.parent.mkdir(parents=True, exist_ok=True)
    for left in building.parent.glob(f"{BUILDING}*"):
        shutil.rmtree(left)
    try:
        yield building
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise PipelineProblem(
            f"The disk is full: {subject.name} was not published. The revision in force is unchanged. "
            "Free some space and run again."
        ) from error
    finally:
        if building.exists() and not _is_committed(settings, subject.name, revision):
            shutil.rmtree(building)


def _is_committed(settings: Settings, name: str, revision: str) -> bool:
    return any(c["revision"] == revision for c in commits_of(Archive(settings).events(), name))


def manifest_of(
    settings: Settings, snapshot: Snapshot, rulebook: RuleBook, subject: Subject, now: dt.datetime
) -> dict[str, Any]:
    """The manifest that a revision made now would have, without its files; what it rests on can be read from it."""
    empty = settings.published / subject.name / "none"
    return manifests.build(settings, snapshot, rulebook, subject, "", empty, {}, None, now, {"status": ""})


def _seal(building: Path, manifest: dict[str, Any]) -> None:
    """Write the manifest of all files, and bring every file to the disk, read-only."""
    manifest["files"] = manifests.describe_files(building)
    text = json.dumps(manifest, ensure_ascii=False, indent=2, sort_keys=True) + "\n"
    (building / MANIFEST).write_text(text, encoding="utf-8")
    for path in building.rglob("*"):
        if path.is_file():
            with path.open("rb+") as handle:
                os.fsync(handle.fileno())
            path.chmod(READ_ONLY)


def _share(building: Path, before: Path) -> None:
    """Let files that equal those of the revision before be the same bytes on the disk (hard links).

    Revisions never change, and most of their tables do not differ from one to the next. Where the file system has no
    hard links each keeps its own copy.
    """
    for path in (p for p in building.rglob("*") if p.is_file()):
        other = before / path.relative_to(building)
        if not other.is_file() or not filecmp.cmp(path, other, shallow=False):
            continue
        link = path.with_name(f".{path.name}.link")
        try:
            link.hardlink_to(other)
        except OSError:
            return
        link.replace(path)


def make_revision(
    settings: Settings,
    snapshot: Snapshot,
    rulebook: RuleBook,
    subject: Subject,
    source: Iterator[tuple[str, pa.Table]],
    *,
    now: dt.datetime,
    life: dict[str, Any],
    forms: Callable[[Path], None] | None = None,
    unless_same: bool = True,
    republished: Path | None = None,
    commit: Mapping[str, Any] | None = None,
) -> Revision:
    """Build a revision from tables and put it in force.

    ``snapshot`` is what the tables follow from. ``life`` goes into the manifest. ``forms`` fills a folder with
    workbooks to hand out. With ``unless_same`` a revision like the one in force is not made again. ``republished`` is
    the revision whose tables ``source`` gives once more: its inputs, rules, code and libraries made them, whatever has
    come since. ``commit`` is the record of the ledger that puts the revision in force, when it is more than
    ``published``.

    Raises:
        PipelineProblem: the disk is full; the revision in force stays.
    """
    folder = settings.published / subject.name
    current = current_revision(settings, subject.name)
    committed = commits_of(Archive(settings).events(), subject.name)
    name = _next_name(folder, (str(commit["revision"]) for commit in committed))
    with _building(settings, subject, name) as building:
        rows = fill_data(source, building)
        if republished is None:
            _fill_rules(settings, rulebook, subject, building)
        else:
            shutil.copytree(republished / RULEBOOK, building / RULEBOOK, copy_function=shutil.copyfile)
        replaces = current.name if current else None
        manifest = manifests.build(settings, snapshot, rulebook, subject, name, building, rows, replaces, now, life)
        if not subject.is_cohort:
            manifest["accepted_gaps"] = accepted_gaps(building / INTERNAL / "round_inputs.parquet")
            manifest["restricted_cells"] = _restricted_cells(building / INTERNAL / "indicator_points.parquet")
        if republished is not None:
            manifest |= {k: v for k, v in read_manifest(republished).items() if k in MADE_FROM}
        as_before = unless_same and current is not None and same_tables(read_manifest(current), manifest)
        if as_before and current is not None and not manifests.verify_revision(current):
            return Revision(subject.name, current.name, current, False, rows)
        _fill_spreadsheets(settings, rulebook, subject, manifest, building)
        if forms is not None:
            (building / FORMS).mkdir()
            forms(building / FORMS)
        report_site.fill_sites(settings, rulebook, subject, building, manifest)
        crate.write_crate(building, manifest)
        _seal(building, manifest)
        if current is not None:
            _share(building, current)
        record = {"event": "published", "time": now.isoformat(), "round": subject.name, **(commit or {})}
        if (shown := building / public.PUBLIC / f"{SOURCES[subject.is_cohort]}.parquet").exists():
            register(settings, shown, {"time": record["time"], "round": subject.name, "revision": name})
        Archive(settings).append({**record, "revision": name, "manifest_sha256": sha256_of(building / MANIFEST)})
    finish(settings)
    return Revision(subject.name, name, folder / name, True, rows)
