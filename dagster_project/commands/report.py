"""The result of a run in short: rounds, selected municipalities, units that are not rated, problems in the data."""

from __future__ import annotations

from collections import Counter
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from dagster_project.archive import Archive, commits
from dagster_project.archive import journal as history
from dagster_project.archive.commits import current_revision, pointer_of, read_manifest
from dagster_project.archive.files import files_of, open_files
from dagster_project.archive.published import INTERNAL, published_rows
from dagster_project.forms.candidates import decided, unanswered
from dagster_project.intake.inbox import LEFT_LYING, left_lying, name_of, waiting
from dagster_project.intake.partitions import Change
from dagster_project.pages.words import FICTIONAL, both
from dagster_project.rounds.publishing import open_rounds, waits_for
from dagster_project.rules import load_rules
from dagster_project.settings import Settings

SHOWN = 3


def _name(row: dict[str, Any]) -> str:
    return f"{row['municipality_code']} {escape(row['municipality_name'])}"


def _unrated(out: Console, what: str, rows: list[dict[str, Any]]) -> None:
    reasons = Counter(r["not_rated_reason"] for r in rows if not r["rated"])
    rated = sum(1 for r in rows if r["rated"])
    text = ", ".join(f"{count} {reason}" for reason, count in reasons.most_common())
    out.print(f"  {what}: {rated} of {len(rows)} rated{'; not rated: ' + text if text else ''}")


def print_round(out: Console, settings: Settings, round_id: str) -> None:
    """One published round: its state, both groups, and how many units are rated."""
    folder = current_revision(settings, round_id)
    if folder is None:
        return
    manifest = read_manifest(folder)
    out.print(f"\n[bold]{escape(manifest['title'])}[/bold]  ({round_id}, revision {manifest['revision']})")
    if manifest["data_origin"] == "fictional":
        out.print(f"  {both(FICTIONAL)}: none of these municipalities exists")
    for gap in manifest.get("accepted_gaps", ()):
        out.print(f"  INCOMPLETE, computed without: {escape(gap)}")
    if manifest["illustrative"]:
        out.print(f"  ILLUSTRATIVE: {len(manifest['placeholders'])} limits are assumed, not Udir's")
    _unrated(out, "municipalities", published_rows(settings, round_id, "municipality_ranking"))
    _unrated(out, "schools", published_rows(settings, round_id, "school_ranking"))
    selection = published_rows(settings, round_id, "selection")
    table = Table("group", "status", "number", "municipalities")
    for group in ("average", "spread"):
        for status in ("selected", "candidate", "reserve", "declined", "excluded"):
            here = [r for r in selection if r["selection_group"] == group and r["status"] == status]
            if here:
                named = ", ".join(_name(r) for r in here) if status == "selected" else ""
                table.add_row(group, status, str(len(here)), named)
    out.print(table)
    pointer = pointer_of(settings, round_id) or {}
    release = f", release {pointer['release']}" if pointer.get("release") else ""
    out.print(f"  state: {pointer['status']}{release}")
    if not release:
        if silent := unanswered(selection):
            out.print(f"  waiting for the priorities of: {escape(', '.join(silent))}")
        proposed = {r["municipality_code"] for r in selection if r["proposed_status"] == "selected"}
        if undecided := proposed - decided(selection):
            out.print(f"  waiting for Udir's decisions on {len(undecided)} municipalities")
    out.print(f"  tables: {folder / INTERNAL}")


def print_quality(out: Console, settings: Settings) -> None:
    """Results of the validation, and the files that are held or were rejected."""
    lines = {line["sha256"]: line for line in history.screenings(settings)}
    verdicts = Counter(line["verdict"] for line in lines.values())
    out.print(f"\n[bold]Files[/bold]: {sum(verdicts.values())} validated: "
              + ", ".join(f"{n} {v}" for v, n in verdicts.most_common()))  # fmt: skip
    for file in open_files(files_of(Archive(settings).events())):
        out.print(f"  {file.status}: {escape(file.name)} {file.sha256[:12]} ({', '.join(file.codes)})")
    for path in waiting(settings.inbox):
        out.print(f"  still in the inbox: {escape(name_of(path))}")
    for path in left_lying(settings.inbox):
        out.print(f"  not a file: {escape(name_of(path))}. {LEFT_LYING}")
    findings = Counter(f["code"] for line in lines.values() for f in line["findings"] if f["severity"] != "PASS")
    for code, count in findings.most_common(SHOWN):
        out.print(f"  finding: {code}, {count} times")


def print_replaced(settings: Settings, out: Console, since: int) -> None:
    """What files that came into force after a line of the ledger changed in figures that were there before."""
    for event in Archive(settings).events("accepted"):
        changes = [Change(**c) for c in event.get("changes", ())] if event["line"] > since else []
        for change in (c for c in changes if not c.is_first):
            out.print(f"{event['file']}: {change.as_text()}", markup=False)


def print_result(settings: Settings, out: Console) -> None:
    """The result of everything published so far."""
    missing, events = open_rounds(settings), Archive(settings).events()
    for round_ in load_rules(settings).rounds:
        lacking = missing.get(round_.id, [])
        if damaged := commits.damaged(settings, round_.id, events):
            out.print(f"\n[bold]{escape(round_.title)}[/bold]  ({round_.id})")
            for finding in damaged:
                out.print(escape(finding.as_text()))
            continue
        if current_revision(settings, round_.id) is not None:
            print_round(out, settings, round_.id)
            if lacking:
                out.print("  this revision stays in force; a new one needs more data")
        elif lacking:
            out.print(f"\n[bold]{escape(round_.title)}[/bold]  ({round_.id}): waiting for data")
        else:
            out.print(f"{round_.id}: waits for {escape(waits_for(settings, round_)[0])}")
        for line in lacking:
            out.print(f"  missing: {escape(line)}")
    print_quality(out, settings)
