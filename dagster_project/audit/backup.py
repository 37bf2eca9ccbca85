"""Back up a home into one file, and restore it into an empty home.

A backup holds what no run can make again: originals and ledger, the revisions that the ledger commits, the journal, the
home's own rules, and files that wait in the inbox. It is a zip file with a manifest of all hashes, and holds everything
each time: there are no incremental backups.

A backup may be made while a run goes on. It holds the home as a kill at one moment would leave it, in this order:

1. Under the shared lock of the ledger: the seals, the whole lines of the ledger, and the inbox. No line can be added
   meanwhile, so a file of the inbox is there, or the ledger has its arrival.
2. The originals that these lines name. They were stored before their line was written, and never change.
3. The revisions that these lines commit. They were whole before their line was written, and never change; one that has
   not got its name yet is taken from the folder it was built in. Anything newer is left to the next backup.
4. The whole lines of the journal, and the home's own rules, rounds and registers.
"""

from __future__ import annotations

import datetime as dt
import errno
import fcntl
import hashlib
import io
import json
import os
import shutil
import stat
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import IO, Any, Literal
from urllib.parse import quote, unquote_to_bytes

from pydantic import BaseModel, ConfigDict

from dagster_project.archive import Archive, commits
from dagster_project.archive.guard import refuse_lost_ledger
from dagster_project.archive.seals import FILE as SEALS
from dagster_project.archive.store import CHUNK, sha256_of
from dagster_project.diagnostics import Finding, IntegrityProblem, NotFound, OppfolgingError, Severity
from dagster_project.private import READ_ONLY
from dagster_project.publication import verify_revision
from dagster_project.publication.manifest import code_version
from dagster_project.settings import Settings

MANIFEST = "backup.json"
OWN = ("rules", "registers", "variants")
"""Folders of rules that a home may have of its own; every YAML file beside them is taken too."""
TAKEN = ("archive", "history", "inbox", "published", *OWN)
WRITTEN_ONCE = ("archive/objects", "published")
UNFINISHED = ".unfinished"
RESTORING = ".restoring"
LARGEST_MANIFEST = 1 << 28
ANOTHER = "Restore another backup. Nothing was changed."


class _File(BaseModel):
    """A file of a backup."""

    model_config = ConfigDict(frozen=True, strict=True)

    sha256: str
    bytes: int


class Manifest(BaseModel):
    """What a backup holds: every file by the name that it has in the zip file, and when and by what it was made."""

    model_config = ConfigDict(frozen=True, strict=True)

    format: Literal["oppfolging-backup"] = "oppfolging-backup"
    version: Literal[1] = 1
    created_at: str
    code_version: str
    ledger_lines: int
    revisions: tuple[str, ...]
    files: dict[str, _File]

    def summary(self) -> dict[str, Any]:
        """Counts and size, for people and programs."""
        count = {name: sum(n.startswith(f"{name}/") for n in self.files) for name in ("archive/objects", "inbox")}
        return {
            "created_at": self.created_at, "ledger_lines": self.ledger_lines, "originals": count["archive/objects"],
            "revisions": len(self.revisions), "inbox": count["inbox"], "files": len(self.files),
            "bytes": sum(f.bytes for f in self.files.values()),
        }  # fmt: skip


class _Target:
    """The zip file that is being written, and what was put into it."""

    def __init__(self, handle: IO[bytes]) -> None:
        self.zip = zipfile.ZipFile(handle, "w", zipfile.ZIP_DEFLATED, compresslevel=1)
        self.files: dict[str, _File] = {}

    def add(self, name: str, source: IO[bytes]) -> str:
        """Copy a file; return its hash."""
        digest, size, member = hashlib.sha256(), 0, _member(name)
        with self.zip.open(member, "w", force_zip64=True) as out:
            while chunk := source.read(CHUNK):
                digest.update(chunk)
                size += out.write(chunk)
        self.files[member.filename] = _File(sha256=digest.hexdigest(), bytes=size)
        return digest.hexdigest()


def _member(name: str) -> zipfile.ZipInfo:
    """A file of the zip file, without times. To the system a name is bytes, so what is no plain letter is quoted."""
    member = zipfile.ZipInfo(quote(os.fsencode(name)))
    member.compress_type, member.external_attr = zipfile.ZIP_DEFLATED, (stat.S_IFREG | 0o600) << 16
    return member


def backup(settings: Settings, target: Path, *, now: dt.datetime) -> Manifest:
    """Back up a home into a new file, which gets its name when it is whole. Nothing is written to the home.

    Raises:
        NotFound: nothing was ever ingested here, or the folder of the target is not there.
        OppfolgingError: the target exists, lies in the home, or is being written by another backup.
        IntegrityProblem: the ledger, an original or a revision is damaged. A backup of damage is not made.
    """
    target = target.expanduser().resolve()
    if not settings.ledger.exists():
        raise NotFound(f"No files have been ingested in {settings.home}: there is nothing to back up.")
    if target.is_relative_to(settings.home):
        raise OppfolgingError(f"{target} lies in the data folder. Name a file elsewhere, best on another disk.")
    if target.exists():
        raise OppfolgingError(f"{target} exists. A backup overwrites nothing: name a new file.")
    if not target.parent.is_dir():
        raise NotFound(f"The folder {target.parent} is not there.")
    refuse_lost_ledger(settings)
    unfinished = target.with_name(f".{target.name}{UNFINISHED}")
    unfinished.touch(mode=0o600)
    with unfinished.open("r+b") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OppfolgingError(f"Another process writes {target} now.") from None
        try:
            handle.truncate(0)  # what a backup that was killed has left
            manifest = _fill(settings, _Target(handle), now)
            handle.flush()
            os.fsync(handle.fileno())
            unfinished.rename(target)
        finally:
            unfinished.unlink(missing_ok=True)
    return manifest


def _fill(settings: Settings, target: _Target, now: dt.datetime) -> Manifest:
    with target.zip:
        with Archive(settings).unchanged() as ledger:
            if (seals := settings.archive / SEALS).exists():
                target.add(f"archive/{SEALS}", io.BytesIO(_whole_lines(seals)))
            target.add("archive/ledger.jsonl", io.BytesIO(ledger))
            _add_inbox(settings, target)
        events = [json.loads(line) for line in ledger.split(b"\n")[:-1]]
        _add_originals(settings, target, events)
        revisions = tuple(_add_revisions(settings, target, events))
        for path in sorted(settings.history.glob("*.jsonl")):
            target.add(f"history/{path.name}", io.BytesIO(_whole_lines(path)))
        own = [p for name in OWN for p in sorted((settings.home / name).rglob("*"))]
        for path in (*sorted(settings.home.glob("*.yaml")), *own):
            if path.is_file():
                with path.open("rb") as source:
                    target.add(path.relative_to(settings.home).as_posix(), source)
        manifest = Manifest(
            created_at=now.isoformat(), code_version=code_version(), ledger_lines=len(events), revisions=revisions,
            files=target.files,
        )  # fmt: skip
        target.zip.writestr(_member(MANIFEST), manifest.model_dump_json(indent=1))
    return manifest


def _whole_lines(path: Path) -> bytes:
    content = path.read_bytes()
    return content[: content.rfind(b"\n") + 1]


def _add_inbox(settings: Settings, target: _Target) -> None:
    """The files of the inbox, links aside. One that a run claims meanwhile is looked for again under its new name."""
    moved = True
    while moved:
        moved = False
        for path in sorted(settings.inbox.rglob("*")):
            name = path.relative_to(settings.home).as_posix()
            if _member(name).filename in target.files or path.is_symlink() or not path.is_file():
                continue
            try:
                with path.open("rb") as source:
                    target.add(name, source)
            except FileNotFoundError:
                moved = True


def _opened(*paths: Path) -> IO[bytes] | None:
    """The first of these files that is there. It may get its name at this moment, so the first is tried twice."""
    for path in (*paths, paths[0]):
        try:
            return path.open("rb")
        except FileNotFoundError:
            continue
    return None


def _add_originals(settings: Settings, target: _Target, events: list[dict[str, Any]]) -> None:
    archive = Archive(settings)
    for sha256 in sorted({e["sha256"] for e in events if "sha256" in e}):
        source = _opened(archive.path(sha256), archive.arriving(sha256))
        if source is not None:
            with source:
                found = target.add(archive.path(sha256).relative_to(settings.home).as_posix(), source)
        if source is None or found != sha256:
            raise IntegrityProblem(
                "No backup was made, because an original is damaged.", [f] if (f := archive.damage(sha256)) else []
            )


def _add_revisions(settings: Settings, target: _Target, events: list[dict[str, Any]]) -> Iterator[str]:
    """The revisions that are committed, each whole or not at all; yields their names."""
    for subject in sorted(commits.committed(events)):
        if lost := commits.lost_releases(settings, subject, events):
            raise IntegrityProblem("No backup was made, because a release is missing.", lost)
        for commit in commits.commits_of(events, subject):
            name = f"published/{subject}/{commit['revision']}"
            folder = settings.home / name
            places = (folder, commits.building_folder(settings, subject, commit["revision"]))
            if not any(place.exists() for place in (*places, folder)):
                continue  # superseded, and removed since

            files = {commits.MANIFEST: commits.manifest_hash(commit)}
            if (manifest := _opened(*(place / commits.MANIFEST for place in places))) is not None:
                with manifest, suppress(ValueError):  # one that is no JSON is not the one that was committed
                    files |= {n: f["sha256"] for n, f in json.load(manifest)["files"].items()}
            for file, stated in files.items():
                found, source = None, _opened(*(place / file for place in places))
                if source is not None:
                    with source:
                        found = target.add(f"{name}/{file}", source)
                if found != stated:
                    finding = commits.not_as_published(folder, file, "a published file is not what it was",
                                                       found=found, expected=stated)  # fmt: skip
                    raise IntegrityProblem("No backup was made, because a revision is damaged.", [finding])
            yield f"{subject} {commit['revision']}"


def restore(settings: Settings, source: Path) -> Manifest:
    """Restore a backup into an empty home, which is there when every hash and the ledger were checked.

    It is built beside the home and then renamed: a restore that was killed has restored nothing.

    Raises:
        NotFound: there is no such file.
        OppfolgingError: the home is not empty, or cannot be put in place as a whole.
        IntegrityProblem: the backup is damaged, is none, or holds what does not fit together; the member is named.
    """
    home = settings.home
    if not source.is_file():
        raise NotFound(f"{source} is not a file.")
    if home.is_symlink() or (home.exists() and (not home.is_dir() or any(home.iterdir()))):
        raise OppfolgingError(f"{home} is not empty. Restore into a folder that is empty or not there (--home).")
    if os.path.ismount(home):
        raise OppfolgingError(f"{home} is where a disk is mounted and cannot be replaced. Name a folder below it.")
    building = home.with_name(f".{home.name}{RESTORING}")
    shutil.rmtree(building, ignore_errors=True)  # what a restore that was killed has left
    building.mkdir(parents=True)
    try:
        with _reading(source.name), zipfile.ZipFile(source) as backed_up:
            manifest = _manifest_of(backed_up)
            for name, file in manifest.files.items():
                with _reading(name):
                    _extract(backed_up, name, file, building)
        _check(Settings(home=building))
        os.sync()
        building.rename(home)
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return manifest


def _refused(member: str, message: str, **more: Any) -> IntegrityProblem:
    finding = Finding("backup-not-whole", Severity.FAIL, message, stage="backup", file=member, fix=ANOTHER, **more)
    return IntegrityProblem("The backup was not restored.", [finding])


@contextmanager
def _reading(member: str) -> Iterator[None]:
    """Tell what a zip file cannot give as a finding on the member."""
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError, RuntimeError, ValueError,
            OSError) as error:  # fmt: skip
        # of a file whose beginning is cut off, members lie before its first byte
        if isinstance(error, OSError) and error.errno != errno.EINVAL:
            raise
        told = str(error) or type(error).__name__
        raise _refused(member, "it is damaged, cut off, or not of a backup", found=told) from error


def _manifest_of(backed_up: zipfile.ZipFile) -> Manifest:
    """The manifest, when the zip file holds what it names, and nothing else.

    Raises:
        IntegrityProblem: it does not.
    """
    members = [member.filename for member in backed_up.infolist()]
    if MANIFEST not in members:
        raise _refused(MANIFEST, "there is no manifest: this is not a file of `oppfolging backup`")
    with _reading(MANIFEST), backed_up.open(MANIFEST) as handle:
        raw = json.loads(handle.read(LARGEST_MANIFEST))
        stated = {key: raw.get(key) for key in ("format", "version")}
        expected = {key: Manifest.model_fields[key].default for key in stated}
        if stated != expected:
            raise _refused(MANIFEST, "another version of the program made this backup", found=json.dumps(stated),
                           expected=json.dumps(expected))  # fmt: skip
        manifest = Manifest.model_validate_json(json.dumps(raw))
    found, wanted = Counter(members), Counter([MANIFEST, *manifest.files])
    if wrong := sorted((found - wanted) + (wanted - found)):
        raise _refused(wrong[0], "the manifest and the zip file do not name the same members", count=len(wrong))
    return manifest


def _extract(backed_up: zipfile.ZipFile, name: str, file: _File, home: Path) -> None:
    """Put a file into the home that is being built, when its place, size and hash are those of a backup.

    Raises:
        IntegrityProblem: they are not.
    """
    path, member = PurePosixPath(os.fsdecode(unquote_to_bytes(name))), backed_up.getinfo(name)
    inside = path.parts[0] in TAKEN if len(path.parts) > 1 else path.suffix == ".yaml"
    if not inside or ".." in path.parts or _member(path.as_posix()).filename != name:
        raise _refused(name, "a backup has no such file", expected=f"a file below {', '.join(TAKEN)}, or a YAML file")
    if stat.S_IFMT(member.external_attr >> 16) != stat.S_IFREG:
        raise _refused(name, "it is not a plain file")
    target = home / path
    target.parent.mkdir(parents=True, exist_ok=True)
    digest, left = hashlib.sha256(), file.bytes
    with backed_up.open(member) as source, target.open("xb") as out:
        while left > 0 and (chunk := source.read(min(CHUNK, left))):
            digest.update(chunk)
            left -= out.write(chunk)
        if left or source.read(1) or digest.hexdigest() != file.sha256:
            raise _refused(name, "it has changed since the backup was made", found=digest.hexdigest(),
                           expected=file.sha256)  # fmt: skip
    target.chmod(READ_ONLY if name.startswith(WRITTEN_ONCE) else READ_ONLY | stat.S_IWUSR)


def _check(restored: Settings) -> None:
    """Write the pointers, and hold what was extracted to its ledger: a backup may be whole and yet made up.

    Raises:
        IntegrityProblem: with everything that does not fit.
    """
    archive = Archive(restored)
    wrong = archive.broken_lines() or [*commits.lost_lines(restored), *archive.verify()]
    if not wrong:
        commits.finish(restored)
        events = archive.events()
        for subject in sorted(commits.committed(events)):
            stated = {c["revision"]: commits.manifest_hash(c) for c in commits.commits_of(events, subject)}
            wrong += commits.damaged(restored, subject, events)
            for folder in commits.revisions_of(restored, subject):
                if sha256_of(folder / commits.MANIFEST) != stated[folder.name]:
                    wrong.append(commits.not_as_published(folder, commits.MANIFEST, "the ledger commits another one"))
                else:
                    wrong += verify_revision(folder)
    if wrong:
        raise IntegrityProblem(f"The backup was not restored: what it holds does not fit together. {ANOTHER}", wrong)
