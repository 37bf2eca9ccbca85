"""Which revision of a round or cohort is in force. A line of the ledger commits it; the rest is derived.

A revision is built in a hidden folder. Its commit is written to the ledger, then the folder gets its name, then
``current.json`` names it. A run that is killed before the commit has published nothing; one that is killed after it has
published, and ``finish`` gives the folder its name and writes ``current.json`` anew.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dagster_project.archive.store import COMMITS, Archive, Head, lost_line, sha256_of
from dagster_project.atomic import replacing
from dagster_project.diagnostics import Finding, IntegrityProblem, Severity
from dagster_project.settings import Settings

MANIFEST = "manifest.json"
POINTER = "current.json"
MOVED = "round_state"
BUILDING, REMOVING = ".building-", ".removing-"
REMOVED = "revision_removed"
"""A revision that was superseded for long was removed (``audit/retention.py``)."""
LOCK = ".write-lock"
"""The file whose lock a writer of the home holds (see ``guard``)."""
Event = Mapping[str, Any]


def commits_of(events: Iterable[Event], name: str) -> list[Event]:
    """The commits of a round or cohort, oldest first; of a revision named twice, the last."""
    found = {e["revision"]: e for e in events if e["event"] in COMMITS and e["round"] == name}
    return list(found.values())


def committed(events: Iterable[Event]) -> set[str]:
    """The rounds and cohorts of which a revision was ever put in force."""
    return {e["round"] for e in events if e["event"] in COMMITS}


def why_gone(events: Iterable[Event], name: str, revision: str | None) -> str:
    """Who removed a revision when, as the end of a message that it is not there; empty when nobody did."""
    found = [e for e in events if e["event"] == REMOVED and (e["round"], e["revision"]) == (name, revision)]
    return f" {found[-1]['by']} removed it on {found[-1]['time'][:10]}, when it was superseded." if found else ""


def manifest_hash(commit: Event) -> str | None:
    """The hash of the manifest that a commit vouches for. In ledgers of version 0.2 releases call it otherwise."""
    return commit.get("manifest_sha256") or commit.get("manifest")


def building_folder(settings: Settings, name: str, revision: str) -> Path:
    """Where a revision is built until it is committed."""
    return settings.published / name / f"{BUILDING}{revision}"


def not_as_published(folder: Path, name: str, message: str, **more: Any) -> Finding:
    """The finding that a file of a revision, or the whole of it, is gone or not what was published."""
    code = "published-file-changed" if (folder / name).exists() else "published-file-missing"
    return Finding(
        code, Severity.FAIL, message, stage="publication",
        file=f"published/{folder.parent.name}/{folder.name}/{name}",
        fix="Restore it from a copy of the published folder.", **more,
    )  # fmt: skip


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a revision.

    Raises:
        IntegrityProblem: it is gone, or no longer a manifest.
    """
    try:
        content: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        content["files"], content["revision"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        finding = not_as_published(folder, MANIFEST, "the manifest is missing or cannot be read", found=str(error))
        raise IntegrityProblem(
            f"{folder.parent.name} {folder.name} has changed since it was published.", [finding]
        ) from error
    return content


def lost_releases(settings: Settings, name: str, events: Iterable[Event]) -> list[Finding]:
    """Whether the revision in force of a round that was released is gone. Only a copy brings a release back."""
    commits = commits_of(events, name)
    if not any(c["event"] != "published" for c in commits):
        return []
    folder = settings.published / name / commits[-1]["revision"]
    # in this order: a run that goes on may rename the folder between the two looks
    if building_folder(settings, name, commits[-1]["revision"]).exists() or folder.exists():
        return []
    return [not_as_published(folder, "", "a released revision is missing")]


def pointer_of(settings: Settings, name: str, events: Sequence[Event] | None = None) -> dict[str, Any] | None:
    """Revision, release and status of what is in force of a round or cohort; None when nothing was ever published.

    Raises:
        IntegrityProblem: a release in force is gone, or its manifest cannot be read.
    """
    known = Archive(settings).events() if events is None else events
    if lost := lost_releases(settings, name, known):
        raise IntegrityProblem(f"The revision in force of {name} is missing.", lost)
    for commit in reversed(commits_of(known, name)):
        folder = settings.published / name / commit["revision"]
        if not folder.exists():
            continue
        manifest = read_manifest(folder)
        moves = [e for e in known if e["event"] == MOVED and e["round"] == name and e["revision"] == folder.name]
        status = moves[-1]["to"] if moves else manifest["status"]
        return {"round": name, "revision": folder.name, "status": status, "release": manifest.get("release")}
    return None


def damaged(settings: Settings, name: str, events: Iterable[Event]) -> list[Finding]:
    """What of the revision in force of a round or cohort is gone, so far that nobody can say what is in force."""
    try:
        pointer_of(settings, name, list(events))
    except IntegrityProblem as problem:
        return list(problem.findings)
    return []


def current_revision(settings: Settings, name: str) -> Path | None:
    """The folder of the revision in force, None when the round or cohort has never been published."""
    pointer = pointer_of(settings, name)
    return settings.published / name / pointer["revision"] if pointer else None


def subjects(settings: Settings) -> list[str]:
    """The rounds and cohorts that have a folder of published revisions."""
    if not settings.published.is_dir():
        return []
    return sorted(p.name for p in settings.published.iterdir() if p.is_dir())


def revisions_of(settings: Settings, name: str) -> list[Path]:
    """The folders of the revisions of a round or cohort, oldest first."""
    return sorted(p.parent for p in (settings.published / name).glob(f"r[0-9]*/{MANIFEST}"))


def write_atomic(path: Path, text: str) -> None:
    """Write a small file at once and for good: it is on the disk before it takes the place of the old one."""
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8") as handle:
        handle.write(text)
        handle.flush()
        os.fsync(handle.fileno())


def pointer_text(pointer: Mapping[str, Any]) -> str:
    """What ``current.json`` of a round or cohort holds."""
    return json.dumps(dict(pointer), indent=2) + "\n"


def unfinished(settings: Settings) -> list[tuple[str, str]]:
    """Subject and revision of every commit whose folder has not got its name yet."""
    events = Archive(settings).events()
    found = []
    for name in subjects(settings):
        for commit in commits_of(events, name):
            folder = building_folder(settings, name, commit["revision"])
            manifest = folder / MANIFEST
            if manifest.exists() and sha256_of(manifest) == manifest_hash(commit):
                found.append((name, str(commit["revision"])))
    return found


def wrong_pointers(settings: Settings) -> list[str]:
    """Rounds and cohorts whose ``current.json`` is missing or does not say what the ledger gives.

    Where what is in force is gone, ``doctor`` says so, and a pointer to something else would hide it.
    """
    events = Archive(settings).events()
    found = []
    for name in subjects(settings):
        try:
            pointer, path = pointer_of(settings, name, events), settings.published / name / POINTER
        except IntegrityProblem:
            continue
        text = pointer_text(pointer) if pointer else None
        if text != (path.read_bytes().decode("utf-8", errors="replace") if path.exists() else None):
            found.append(name)
    return found


def uncommitted(settings: Settings) -> list[Path]:
    """Folders of revisions that were being built and that no commit names."""
    events = Archive(settings).events()
    return [
        folder
        for name in subjects(settings)
        for folder in sorted((settings.published / name).glob(f"{BUILDING}*"))
        if folder.name.removeprefix(BUILDING) not in {c["revision"] for c in commits_of(events, name)}
    ]


def finish(settings: Settings) -> None:
    """Finish what a killed run had committed, and sweep away what it had not.

    Folders get their names, and every pointer that is not as it should be is written. The caller holds the write lock
    and builds nothing.
    """
    for name, revision in unfinished(settings):
        building_folder(settings, name, revision).rename(settings.published / name / revision)
    for folder in (*uncommitted(settings), *settings.published.glob(f"*/{REMOVING}*")):
        shutil.rmtree(folder)
    for name in wrong_pointers(settings):
        write_pointer(settings, name)


def write_pointer(settings: Settings, name: str) -> None:
    """Write ``current.json`` as the ledger gives it."""
    pointer = pointer_of(settings, name)
    if pointer is not None:
        write_atomic(settings.published / name / POINTER, pointer_text(pointer))


def lost_lines(settings: Settings) -> list[Finding]:
    """Whether the ledger lacks what it once held: it was deleted, shortened, or replaced by another or an older one.

    Asked of everything that names a place in the ledger or follows from a line of it: published revisions and their
    manifests, the marts, the snapshots of runs, the last writer, and the archived files.
    """
    archive = Archive(settings)
    # what is there is looked at before the ledger: a run that goes on may add a file and its line in between
    published = {name: revisions_of(settings, name) for name in subjects(settings)}
    stored = {p.name for p in (settings.archive / "objects").glob("??/*") if not p.name.startswith(".")}
    events = archive.events()
    findings = []
    for name, folders in published.items():
        known = {c["revision"]: manifest_hash(c) for c in commits_of(events, name)}
        for folder in folders:
            if folder.name not in known:
                findings.append(
                    Finding(
                        "revision-not-in-ledger", Severity.FAIL, "the ledger does not record that this was published",
                        stage="archive", file=f"published/{name}/{folder.name}",
                        fix="Restore the newest copy of the ledger.",
                    )
                )  # fmt: skip
                break
    places = list(settings.published.glob(f"*/r[0-9]*/{MANIFEST}"))
    places += [settings.marts / "_made_from.json", *sorted((settings.home / "snapshots").glob("*.json"))]
    places.append(settings.home / LOCK)
    for path in places:
        head = head_in(path)
        if head is not None and not archive.holds(head):
            named = path.relative_to(settings.home).as_posix()
            findings.append(lost_line(head.lines, head.sha256, found=f"{len(events)} lines; {named} knows more"))
            break
    unknown = stored - {e["sha256"] for e in events if "sha256" in e}
    if unknown:
        findings.append(
            Finding(
                "archived-file-unexpected", Severity.FAIL, "the ledger does not name a file of the archive",
                stage="archive", file=min(unknown), count=len(unknown), fix="Restore the newest copy of the ledger.",
            )
        )  # fmt: skip
    return findings


def head_in(path: Path) -> Head | None:
    """The place in the ledger that a manifest, a build, a snapshot or the lock names; None when it names none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        raw = content.get("ledger") or content.get("head") or content["snapshot"]["head"]
        return Head(int(raw["lines"]), str(raw["sha256"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
