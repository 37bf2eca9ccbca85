"""The result of a run, and the status, in at most some twenty lines; lists and reasons when somebody asks for them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from textwrap import wrap

from dagster_project import clock
from dagster_project.archive import Archive
from dagster_project.intake.partitions import Change
from dagster_project.pages.words import texts
from dagster_project.publication.site.facts import title_in
from dagster_project.rounds.overview import OpenFile, Overview, Stand, overview
from dagster_project.settings import Settings

SHOWN = 3
IN_WORDS = {"selected": "proposed", "candidate": "candidates"}


def replaced_lines(settings: Settings, since: int) -> list[str]:
    """What files that came into force after a line of the ledger changed in figures that were there before."""
    lines = []
    for event in Archive(settings).events("accepted"):
        changes = [Change(**c) for c in event.get("changes", ())] if event["line"] > since else []
        lines += [f"{event['file']}: {change.as_text()}" for change in changes if not change.is_first]
    return lines


def standing(settings: Settings) -> Overview:
    """How everything stands today."""
    return overview(settings, clock.now().date())


def as_text(found: Overview, width: int, *, names: bool = False, why: bool = False) -> str:
    """How everything stands, in lines of a width. ``names`` lists the municipalities, ``why`` tells reasons in full."""
    shown = []
    for line in _lines(found, names=names, why=why):
        indent = " " * (len(line) - len(line.lstrip()) + 2)
        shown += wrap(line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
    return "\n".join(shown)


def _lines(found: Overview, *, names: bool, why: bool) -> Iterator[str]:
    for stand in found.rounds:
        if stand.state is not None:
            yield from _round(stand, names=names, why=why)
    for cohort in found.cohorts:
        late = f" · {cohort.overdue} reports overdue" if cohort.overdue else ""
        where = f" · Report: {_short(cohort.report)}" if cohort.report else ""
        yield f"{cohort.cohort}: {cohort.municipalities} municipalities followed up{late}{where}"
    idle = [stand for stand in found.rounds if stand.state is None]
    if idle and not why:
        yield f"Waiting for figures: {', '.join(stand.round for stand in idle)}"
    yield from (f"{stand.round}: waits for {stand.lacks[0]}" for stand in idle if why)
    yield from _files(found, why=why)
    if found.not_computed:
        more = f" and {len(found.not_computed) - 1} more" if len(found.not_computed) > 1 and not why else ""
        yield f"Not computed yet: {'; '.join(found.not_computed[: None if why else 1])}{more}. Run: oppfolging run"
    hints = [] if names else ["Municipalities by name: oppfolging status --list."]
    hints += [] if why else ["Reasons: --why."]
    if hints:
        yield " ".join(hints)


def _round(stand: Stand, *, names: bool, why: bool) -> Iterator[str]:
    state = {"damaged": "DAMAGED", "draft": "waiting for data"}.get(stand.state or "")
    if stand.withdrawn:
        state = f"WITHDRAWN ({stand.withdrawn})"
    said = [f"{title_in(stand.title, 'en')} ({stand.round})", state or texts("en").code(f"round_{stand.state}").upper()]
    said += [f"release {stand.release}"] if stand.release else []
    said += [stand.revision] if stand.revision else []
    said += ["fictional"] if stand.fictional else []
    said += [f"{stand.assumed_limits} limits assumed"] if stand.assumed_limits else []
    said += [f"NOT PUBLIC: {stand.restricted_cells} figures for those with access"] if stand.restricted_cells else []
    yield " · ".join(said) if stand.state != "draft" else f"{said[0]}: {said[1]}"
    yield from (f"  {line}" for text in stand.damage for line in text.splitlines())
    yield from (f"  INCOMPLETE, computed without: {gap}" for gap in stand.without)
    if stand.lists:
        yield "  " + " · ".join(_group(stand, group) for group in stand.lists)
    for group, lists in stand.lists.items() if names else ():
        for status, municipalities in lists.items():
            yield f"  {group}, {_word(stand, status)}: {', '.join(municipalities)}"
    for level, reasons in stand.rated.items() if why else ():
        yield f"  {level}: " + ", ".join(f"{count} {texts('en').code(reason)}" for reason, count in reasons.items())
    for number, act in enumerate(stand.next if why else stand.next[:1]):
        yield f"  {'Then' if number else 'Next'}: {act}"
    if stand.revision and stand.lacks:
        yield "  this revision stays in force; a new one needs more data"
    yield from (f"  missing: {line}" for line in stand.lacks)
    if stand.report:
        yield f"  Report: {_short(stand.report)}"


def _group(stand: Stand, group: str) -> str:
    """``average 30 proposed, 10 reserve``."""
    counts = ", ".join(f"{len(found)} {_word(stand, status)}" for status, found in stand.lists[group].items())
    places = f" for up to {stand.spread_quota} places" if group == "spread" and not stand.release else ""
    return f"{group} {counts or 'nobody'}{places}"


def _word(stand: Stand, status: str) -> str:
    return status if stand.release else IN_WORDS.get(status, status)


def _files(found: Overview, *, why: bool) -> Iterator[str]:
    total = sum(found.files.values())
    parts = [f"{count} {'in force' if status == 'accepted' else status}" for status, count in found.files.items()]
    yield f"Files {total}" + (f": {', '.join(parts)}" if parts else "")
    shown = found.open if why else found.open[:SHOWN]
    for file in shown:
        yield _file(file, why=why)
        yield from (f"    {line}" for line in file.todo if why)
    if len(shown) < len(found.open):
        yield f"  and {len(found.open) - len(shown)} more that wait: --why"


def _file(file: OpenFile, *, why: bool) -> str:
    codes = f" ({', '.join(file.codes)})" if file.codes else ""
    hash_ = f" {file.sha256[:12]}" if why and file.sha256 else ""
    return f"  {file.status.upper()}: {file.file}{hash_}{', ' + file.why if file.why else ''}{codes}"


def _short(path: str) -> str:
    """A path as it is shortest from where the command runs."""
    try:
        return str(Path(path).resolve().relative_to(Path.cwd()))
    except ValueError:
        return path
