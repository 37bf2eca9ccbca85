"""Verify that a revision is unchanged and follows from the archive. Nothing is repaired here.

Two levels.

quick  compares hashes: ledger, archived files, manifest, pointer, every published file, seals when a key is given.
       It does not see: extracts that differ from the archive, tables that never followed from their inputs (they have
       the hash that was recorded), and a ledger that somebody made anew from end to end, unless a seal shows it.
full   does all that, and then reads the archived files again, makes the extracts of the ledger as it stood when the
       revision was computed, and builds the tables with the revision's own rules, those of a cohort for the day its
       manifest names. Every Parquet and CSV file of both editions must come out byte for byte.

Workbooks are views of the Parquet and not built again; their hashes are compared. Working files that every run makes
anew (``marts/``, ``parameters/``, ``warehouse/``) prove nothing and are not looked at.

What is wrong is a finding. What has changed around the revision (code, libraries, rules in force) is a note: it is
named as the cause when the tables come out otherwise, and harmless when they do not.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dagster_project.archive import Archive, Head, seals
from dagster_project.archive.commits import (
    MANIFEST,
    MOVED,
    POINTER,
    commits_of,
    lost_lines,
    manifest_hash,
    pointer_text,
    read_manifest,
    why_gone,
)
from dagster_project.archive.published import INTERNAL
from dagster_project.archive.store import LINE_LOST, ledger_lines, lost_line, sha256_of, whole_line
from dagster_project.arrow import same_values
from dagster_project.audit import rebuild
from dagster_project.diagnostics import Finding, NotFound, OppfolgingError, Severity
from dagster_project.intake.partitions import Extracts
from dagster_project.publication import manifest as manifests
from dagster_project.publication.edition import RULEBOOK
from dagster_project.publication.public import PUBLIC
from dagster_project.settings import Settings

if TYPE_CHECKING:
    import pyarrow as pa

REBUILT_SUFFIXES = (".parquet", ".csv")
FROM_COPY = "Restore it from a copy of the published folder, or publish again."
LEDGER_FROM_COPY = "Restore the ledger from a copy of the archive."
AS_THEN = "Check out the code and libraries that the manifest names."
RUN_AGAIN = "Find out who changed it; `oppfolging doctor --fix` rebuilds it from the archive."

NO_DAY = (
    "only hashes were compared: the version that published it did not record the day from which reports counted as "
    "late, "
    "nor the settings of the estimation. The next revision of the cohort can be rebuilt"
)


@dataclass
class Verification:
    """What was compared and what differs.

    ``rebuilt`` is True when the tables were built again. ``checked`` maps what was compared to how many of it.
    """

    round: str
    revision: str
    rebuilt: bool = False
    findings: list[Finding] = field(default_factory=list)
    notes: list[Finding] = field(default_factory=list)
    checked: dict[str, int] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """True when nothing differs."""
        return not self.findings

    def add(self, code: str, message: str, *, stage: str, **more: Any) -> None:
        """Record a difference."""
        self.findings.append(Finding(code, Severity.FAIL, message, stage=stage, **more))

    def note(self, code: str, message: str, **more: Any) -> None:
        """Record something that has changed and that need not matter."""
        self.notes.append(Finding(code, Severity.WARN, message, stage="surroundings", **more))

    def as_text(self) -> str:
        """The answer for a terminal."""
        verdict = "OK" if self.ok else f"{len(self.findings)} differences"
        lines = [f"{self.round} {self.revision}: {verdict} ({'rebuilt' if self.rebuilt else 'hashes only'})"]
        lines += [f"  {what}: {count}" for what, count in self.checked.items()]
        lines += ["  " + f.as_text().replace("\n", "\n  ") for f in [*self.findings, *self.notes]]
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "round": self.round, "revision": self.revision, "rebuilt": self.rebuilt, "ok": self.ok,
            "checked": self.checked, "findings": [f.as_dict() for f in self.findings],
            "notes": [f.as_dict() for f in self.notes],
        }  # fmt: skip


def verify(
    settings: Settings,
    round_id: str,
    *,
    revision: str | None = None,
    quick: bool = False,
    key: Path | None = None,
    on_stage: Callable[[str], None] = lambda _: None,
) -> Verification:
    """Compare a revision (else the one in force) with everything it was made from.

    Args:
        key: a key whose seals are checked too.
        on_stage: told what is being compared.

    Raises:
        NotFound: there is no such round or revision.
        KeyProblem: the key file holds no key.
    """
    folder = settings.published / round_id
    revisions = sorted(p.name for p in folder.glob("r[0-9]*") if p.is_dir())
    if not revisions or (revision is not None and revision not in revisions):
        what = f"revision {revision} of round {round_id}" if revisions else f"round {round_id}"
        gone = why_gone(Archive(settings).events(), round_id, revision)
        raise NotFound(f"{what[0].upper()}{what[1:]} is not published here.{gone}")
    result = Verification(round_id, "")
    on_stage("archive")
    broken = Archive(settings).broken_lines()
    lost = [] if broken else [f for f in lost_lines(settings) if f.code == LINE_LOST]
    events = _check_archive(settings, result, key, shortened=bool(lost))
    ledger_is_whole = result.ok
    if ledger_is_whole:  # else it has said itself where its lines do not fit together
        result.findings += lost
    recorded = commits_of(events, round_id)
    in_force = _check_pointer(folder, revisions, recorded if ledger_is_whole else [], events, result)
    result.revision = revision or in_force
    on_stage("revision")
    manifest = _check_manifest(folder / result.revision, recorded, ledger_is_whole, result)
    if manifest is not None:
        _check_files(folder / result.revision, manifest, result)
        if ledger_is_whole:
            _check_inputs(settings, manifest, events, result)
        _note_surroundings(settings, manifest, result)
    if quick:
        return result
    blocked = {f.stage for f in result.findings} & {"archive", "manifest", "rulebook"}
    if manifest is None or blocked:
        result.note(
            "not-built-again",
            "nothing was rebuilt, because what the tables are built from differs from what was recorded",
        )
        return result
    if manifest["subject"] != manifest["round"] and "as_of" not in manifest:
        result.note("cohort-not-built-again", NO_DAY)
        return result
    with tempfile.TemporaryDirectory(prefix="oppfolging-verify-") as scratch:
        _check_by_doing(settings, folder / result.revision, manifest, Path(scratch), result, on_stage)
    return result


def _check_archive(
    settings: Settings, result: Verification, key: Path | None, *, shortened: bool
) -> list[dict[str, Any]]:
    """Archive, ledger and seals. Returns the events of the lines that are whole."""
    archive = Archive(settings)
    result.findings += archive.verify(shortened=shortened)
    if key is not None:
        findings, vouched = seals.check(settings, key)
        result.findings += findings
        result.checked["ledger lines covered by a seal"] = vouched
    lines = ledger_lines(archive.ledger.read_bytes() if archive.ledger.exists() else b"")
    events = [event for line in lines if (event := whole_line(line)) is not None]
    result.checked["ledger lines"] = len(lines)
    result.checked["archived files"] = len({e["sha256"] for e in events if e.get("sha256")})
    return events


def _check_pointer(
    folder: Path, revisions: list[str], recorded: list[Mapping[str, Any]], events: list[dict[str, Any]],
    result: Verification,
) -> str:  # fmt: skip
    """The pointer must say what was published last, and how it stands. Returns that revision."""
    last = str(recorded[-1]["revision"] if recorded else revisions[-1])
    path = folder / POINTER
    if not path.exists():
        result.add("pointer-missing", "the pointer to the revision in force is missing", stage="pointer", file=POINTER,
                   expected=last, fix="oppfolging run")  # fmt: skip
        return last
    text = path.read_bytes().decode("utf-8", errors="replace")
    lives = _lives(folder / last, text, recorded, events)
    fitting = {
        pointer_text({"round": folder.name, "revision": last, "status": v["status"], "release": v.get("release")})
        for v in lives
    }
    if text not in fitting:
        result.add("pointer-changed", "the pointer does not name the last published revision", stage="pointer",
                   file=POINTER, found=" ".join(text.split()), expected=f"{folder.name} {last}",
                   fix="oppfolging run")  # fmt: skip
    return last


def _lives(
    revision: Path, text: str, recorded: list[Mapping[str, Any]], events: list[dict[str, Any]]
) -> Iterator[dict[str, Any]]:
    """How a revision may stand: as its manifest says, or as the ledger says since. Unknown when that is damaged."""
    path = revision / MANIFEST
    if recorded and path.exists() and sha256_of(path) == manifest_hash(recorded[-1]):
        manifest = read_manifest(revision)
        yield manifest
        for event in events:
            if event["event"] == MOVED and event["round"] == manifest["subject"]:
                yield {"status": event["to"], "release": manifest["release"]}
        return
    try:
        content = json.loads(text)
        yield {"status": content["status"], "release": content["release"]}
    except (ValueError, KeyError, TypeError):
        return


def _check_manifest(
    folder: Path, recorded: list[Mapping[str, Any]], ledger_is_whole: bool, result: Verification
) -> dict[str, Any] | None:
    """The manifest must have the hash that the ledger states. Returns it only when it can be trusted."""
    stated = {e["revision"]: manifest_hash(e) for e in recorded}.get(folder.name)
    path = folder / MANIFEST
    name = f"{folder.name}/{MANIFEST}"
    if not path.exists():
        result.add("manifest-missing", "the manifest is missing", stage="manifest", file=name, fix=FROM_COPY)
        return None
    found = sha256_of(path)
    if stated is None and ledger_is_whole:
        result.add("revision-not-in-ledger", "the ledger does not record that this revision was published",
                   stage="manifest", file=name, found=found, fix=LEDGER_FROM_COPY)  # fmt: skip
    elif stated not in (None, found):
        result.add("manifest-changed", "the manifest has changed since publication, so it proves "
                                       "nothing", stage="manifest",
                   file=name, found=found, expected=stated, fix=FROM_COPY)  # fmt: skip
        return None
    return read_manifest(folder)


def _check_files(folder: Path, manifest: dict[str, Any], result: Verification) -> None:
    for finding in manifests.verify_revision(folder):
        rules = str(finding.file).startswith(f"{RULEBOOK}/")
        code = finding.code.replace("published-file", "rule-file") if rules else finding.code
        stage = "rulebook" if rules else "publication"
        result.findings.append(replace(finding, code=code, stage=stage, fix=FROM_COPY))
    result.checked["published files"] = len(manifest["files"])


def _check_inputs(
    settings: Settings, manifest: dict[str, Any], events: list[dict[str, Any]], result: Verification
) -> None:
    accepted = {e["sha256"] for e in events if e["event"] == "accepted"}
    told = LINE_LOST in {f.code for f in result.findings}
    if not told and "ledger" in manifest and not Archive(settings).holds(Head(**manifest["ledger"])):
        result.findings.append(lost_line(manifest["ledger"]["lines"], manifest["ledger"]["sha256"]))
    for entry in manifest["inputs"]:
        if entry["sha256"] not in accepted:
            result.add("input-not-recorded", "the ledger does not record that this input was accepted", stage="archive",
                       file=entry["file"], expected=entry["sha256"],
                       fix=LEDGER_FROM_COPY)  # fmt: skip
    result.checked["inputs"] = len(manifest["inputs"])


def _note_surroundings(settings: Settings, manifest: dict[str, Any], result: Verification) -> None:
    """What has changed since: code, libraries, rules in force."""
    from importlib.metadata import PackageNotFoundError, version

    def now(package: str) -> str:
        try:
            return version(package)
        except PackageNotFoundError:
            return "not installed"

    code = manifests.code_version()
    if code != manifest["code_version"]:
        result.note("code-changed", "the code has changed since the revision", found=code,
                    expected=manifest["code_version"])  # fmt: skip
    for package, then in manifest["packages"].items():
        if now(package) != then:
            result.note("library-changed", f"the version of {package} has changed since the "
                                           "revision", found=now(package),
                        expected=then)  # fmt: skip
    choices = {path.name: path for path in (settings.effects, settings.uncertainty)}
    in_force = {"rules": settings.rules, "registers": settings.registers}
    for name, entry in manifest["files"].items():
        folder, _, file = name.removeprefix(f"{RULEBOOK}/").rpartition("/")
        # other rounds come and go; the round's own entry stands in the manifest
        if not name.startswith(f"{RULEBOOK}/") or file == "rounds.yaml":
            continue
        path = in_force[folder] / file if folder else choices[file]
        if not path.exists() or sha256_of(path) != entry["sha256"]:
            result.note("rule-in-force-changed", "the rule in force has changed since the revision",
                        file=f"{folder}/{file}".lstrip("/"), expected=entry["sha256"])  # fmt: skip


def _causes(result: Verification) -> str:
    """Why tables can come out otherwise although their inputs and rules are those of then."""
    changed = [
        f"{n.message} ({n.expected} then, {n.found} now)" for n in result.notes if n.code != "rule-in-force-changed"
    ]
    unknown = "neither code nor libraries have changed, so the revision was not made from these inputs"
    return "; ".join(changed) or unknown


def _check_by_doing(
    settings: Settings, revision: Path, manifest: dict[str, Any], scratch: Path, result: Verification,
    on_stage: Callable[[str], None],
) -> None:  # fmt: skip
    """Compare what the archive gives: extracts with those in force, tables with the published."""
    replayed, own = Settings(home=scratch / "all"), Settings(home=scratch / "own")
    try:
        on_stage("extracts")
        with Extracts(settings, out=replayed, anew=True) as every:
            every.ensure()
        result.findings += compare_extracts(settings, replayed)
        result.checked["extracts rebuilt"] = len(_parquet(replayed.extracts))
        on_stage("tables")
        with manifests.extracts_of(settings, manifest, own, anew=True) as extracts:
            rebuild.rebuild_tables(revision, manifest, extracts, scratch / "tables")
    except OppfolgingError as problem:
        result.add("not-rebuildable", f"the revision cannot be rebuilt. Cause: {_causes(result)}", stage="rebuilt",
                   found=problem.as_text(), fix=AS_THEN)  # fmt: skip
        return
    tables = scratch / "tables"
    made = {p.relative_to(tables).as_posix(): p for p in tables.rglob("*") if p.is_file()}
    stated = {n: f["sha256"] for n, f in manifest["files"].items() if n in made or _is_rebuilt(n)}
    damaged = {f.file for f in result.findings if f.stage == "publication"}
    for name in sorted(set(made) | set(stated)):
        result.findings += list(_compare_table(name, made.get(name), stated.get(name), revision, damaged, result))
    result.rebuilt = True
    result.checked["tables rebuilt, byte for byte"] = len(stated)


def _is_rebuilt(name: str) -> bool:
    return name.startswith((f"{INTERNAL}/", f"{PUBLIC}/")) and name.endswith(REBUILT_SUFFIXES)


def _compare_table(
    name: str, made: Path | None, stated: str | None, revision: Path, damaged: set[str | None], result: Verification
) -> Iterator[Finding]:
    def finding(code: str, message: str, **more: Any) -> Finding:
        return Finding(code, Severity.FAIL, f"{message}. Cause: {_causes(result)}", stage="rebuilt", file=name,
                       fix=AS_THEN, **more)  # fmt: skip

    if made is None:
        yield finding("rebuilt-table-missing", "today's code does not make this table")
    elif stated is None:
        yield finding("rebuilt-table-unexpected", "today's code makes a table that was not published")
    elif (found := sha256_of(made)) != stated:
        code, where = "rebuilt-table-changed", "the rebuilt table differs"
        if name.endswith(".parquet") and name not in damaged:
            kind, where = difference(_table(revision / name), _table(made))
            code = f"rebuilt-table-{kind}"
        yield finding(code, where, found=found, expected=stated)


def _parquet(root: Path) -> dict[str, Path]:
    return {p.relative_to(root).as_posix(): p for p in sorted(root.rglob("*.parquet")) if not p.name.startswith(".")}


def _table(path: Path) -> pa.Table:
    import pyarrow.parquet as pq

    return pq.read_table(path, partitioning=None)


def compare_extracts(settings: Settings, replayed: Settings) -> list[Finding]:
    """The extracts in force against those that the archive gives: changed, missing, unexpected, reordered."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    findings: list[Finding] = []
    here, made = _parquet(settings.extracts), _parquet(replayed.extracts)

    def add(kind: str, message: str, name: str, **more: Any) -> None:
        findings.append(Finding(f"extract-{kind}", Severity.FAIL, message, stage="extracts", file=f"extracts/{name}",
                                fix=RUN_AGAIN, **more))  # fmt: skip

    for name in sorted(set(made) - set(here)):
        add("missing", "an extract is missing", name)
    for name in sorted(set(here) - set(made)):
        add("unexpected", "an extract has no source in the archive", name)
    for name in sorted(set(here) & set(made)):
        if here[name].read_bytes() == made[name].read_bytes():
            continue
        try:
            table, writer = _table(here[name]), pq.read_metadata(here[name]).created_by
        except (pa.ArrowException, OSError):
            add("changed", "the extract cannot be read", name)
            continue
        kind, where = difference(made_table := _table(made[name]), table)
        # another version of the library may write the same cells with other bytes
        if table.equals(made_table) and writer != pq.read_metadata(made[name]).created_by:
            continue
        add(kind, f"the extract differs from the archive: {where}", name)
    return findings


def difference(expected: pa.Table, found: pa.Table) -> tuple[str, str]:
    """How two tables differ: ``changed`` or ``reordered``, and the first place in words."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not expected.schema.equals(found.schema):
        names = set(expected.column_names) ^ set(found.column_names)
        return "changed", f"columns differ: {', '.join(sorted(names)) or 'their types or order'}"
    if expected.num_rows != found.num_rows:
        return "changed", f"{found.num_rows} rows instead of {expected.num_rows}"
    if expected.equals(found):
        return "changed", "the cells are the same, the bytes are not"
    order = [(name, "ascending") for name in expected.column_names]
    if expected.sort_by(order).equals(found.sort_by(order)):
        return "reordered", "the same rows in another order"
    cells, first = 0, ""
    for name in expected.column_names:
        a, b = expected[name], found[name]
        same = same_values(a, b)
        wrong = pc.indices_nonzero(pc.invert(same))
        if isinstance(wrong, pa.Array) and len(wrong):
            cells += len(wrong)
            at = wrong[0].as_py()
            first = first or f"row {at + 1}, {name}: {b[at].as_py()!r} instead of {a[at].as_py()!r}"
    return "changed", f"{cells} cells differ, the first in {first}"
