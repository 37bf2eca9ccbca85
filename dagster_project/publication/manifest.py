"""The manifest of a revision: hashes of all that is in it and of all it was made from. And the check against it."""

from __future__ import annotations

import datetime as dt
import platform
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from dagster_project.archive import Head
from dagster_project.archive.commits import MANIFEST, read_manifest
from dagster_project.archive.store import sha256_of
from dagster_project.diagnostics import Finding, Severity
from dagster_project.intake.partitions import Extracts
from dagster_project.publication.site.geography import GEOJSON
from dagster_project.publication.subjects import Subject
from dagster_project.rules import RuleBook
from dagster_project.settings import REPOSITORY, Settings
from dagster_project.transform.snapshot import Snapshot

PACKAGES = ("dagster", "dbt-core", "dbt-duckdb", "duckdb", "great-expectations", "pandas", "pyarrow", "xlsxwriter")


@cache
def code_version() -> str:
    """The commit of the checkout, or the version of the package where there is none."""
    import subprocess

    command = ["git", "-C", str(REPOSITORY), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return version("oppfolging")


def inputs_of(extracts: Extracts, fictional: bool) -> list[dict[str, Any]]:
    """Every file in force of the round's origin, by hash."""
    files = {f.sha256: f for f in extracts.files if f.status == "accepted" and f.fictional == fictional}
    return [
        {"sha256": sha256, "file": f.name, "datasets": sorted({d for d, _ in f.partitions}),
         "school_years": sorted({y for _, y in f.partitions if y})}
        for sha256, f in sorted(files.items(), key=lambda item: (item[1].name, item[0]))
    ]  # fmt: skip


def extracts_of(settings: Settings, manifest: Mapping[str, Any], out: Settings, *, anew: bool = False) -> Extracts:
    """The extracts of a revision, in another home: made from its inputs, as the ledger stood when it was computed."""
    head = Head(**manifest["ledger"]) if "ledger" in manifest else None
    return Extracts(settings, head, out=out, anew=anew, only={entry["sha256"] for entry in manifest["inputs"]})


def describe_files(folder: Path) -> dict[str, dict[str, Any]]:
    """Hash and size of every file of a revision but the manifest, by path."""
    return {
        path.relative_to(folder).as_posix(): {"sha256": sha256_of(path), "bytes": path.stat().st_size}
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != MANIFEST
    }


def build(
    settings: Settings, snapshot: Snapshot, rulebook: RuleBook, subject: Subject, revision: str, folder: Path,
    rows: dict[str, int], replaces: str | None, now: dt.datetime, life: dict[str, Any],
) -> dict[str, Any]:  # fmt: skip
    """The manifest of a folder that is about to become a revision.

    ``snapshot`` is what its tables follow from.

    ``life`` says where the subject stands: ``status``, and for a release its number, who released it and why.
    """
    round_ = subject.round
    extracts = Extracts(settings, snapshot.head)
    return {
        "round": round_.id,
        "subject": subject.name,
        "title": round_.title,
        "revision": revision,
        "replaces": replaces,
        **life,
        "data_origin": round_.origin,
        "illustrative": rulebook.is_illustrative(round_),
        "placeholders": list(rulebook.rule_sets[round_.rule_set].placeholders),
        "round_entry": round_.model_dump(mode="json"),
        "rule_set": {"name": round_.rule_set, "sha256": rulebook.rule_sha256[round_.rule_set]},
        "registers": {p.name: sha256_of(p) for p in sorted(settings.registers.glob("*.yaml"))},
        "outlines": sha256_of(outlines) if (outlines := settings.registers / GEOJSON).exists() else None,
        "inputs": inputs_of(extracts, round_.origin == "fictional"),
        "ledger": snapshot.head.as_dict(),
        "snapshot": snapshot.identity,
        "extracts": dict(snapshot.extracts),
        "readers": snapshot.readers,
        "models": snapshot.models,
        "files": describe_files(folder),
        "rows": rows,
        "code_version": code_version(),
        "packages": {name: version(name) for name in PACKAGES},
        "python": platform.python_version(),
        "created_at": now.isoformat(),
    }


def verify_revision(folder: Path) -> list[Finding]:
    """Compare a revision with its manifest: every file that was changed, is missing, or does not belong."""
    stated = read_manifest(folder)["files"]
    found = describe_files(folder)

    def finding(code: str, message: str, name: str) -> Finding:
        return Finding(
            code, Severity.FAIL, message, stage="publication", file=name,
            found=found.get(name, {}).get("sha256", "no file"), expected=stated.get(name, {}).get("sha256", "no file"),
            fix="Restore it from a copy of the published folder.",
        )  # fmt: skip

    findings = [
        finding("published-file-missing", "a published file is missing", n) for n in sorted(set(stated) - set(found))
    ]
    findings += [
        finding("published-file-unexpected", "a file does not belong to the revision", n)
        for n in sorted(set(found) - set(stated))
    ]
    findings += [
        finding("published-file-changed", "a published file has changed", n)
        for n in sorted(set(found) & set(stated))
        if found[n] != stated[n]
    ]
    return findings
