"""Where everything stands, in short: each round, what comes next in it, and the files that wait for somebody.

`oppfolging status` and `run` print it, and give it as JSON.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from dagster_project.archive import Archive, commits, journal
from dagster_project.archive.commits import current_revision, pointer_of, read_manifest
from dagster_project.archive.files import File, files_of, open_files
from dagster_project.archive.published import INTERNAL, published_rows
from dagster_project.forms.candidates import unanswered, undecided
from dagster_project.intake.inbox import LEFT_LYING, left_lying, name_of, waiting
from dagster_project.publication.site.build import SITE
from dagster_project.rounds.publishing import behind, open_rounds, waits_for
from dagster_project.rules import RuleBook, load_rules
from dagster_project.rules.model import Round
from dagster_project.settings import Settings
from dagster_project.transform import dbt_step
from dagster_project.transform.snapshot import take

GROUPS = ("average", "spread")
STATUSES = ("selected", "candidate", "reserve", "declined", "excluded")


@dataclass(frozen=True)
class Stand:
    """How a round stands. ``state`` is None while nothing has come for it; ``lists`` are names by group and status.

    ``next`` is what has to happen next, with the command where a command does it. ``lacks`` are figures that a first
    or a new revision waits for, ``damage`` what is wrong with the one in force.
    """

    round: str
    title: str
    state: str | None
    revision: str | None = None
    release: str | None = None
    withdrawn: str | None = None
    fictional: bool = False
    assumed_limits: int = 0
    restricted_cells: int = 0
    without: tuple[str, ...] = ()
    lists: Mapping[str, Mapping[str, Sequence[str]]] = field(default_factory=dict)
    spread_quota: int = 0
    rated: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    next: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    damage: tuple[str, ...] = ()
    report: str | None = None


@dataclass(frozen=True)
class OpenFile:
    """A file that is not in force and waits for somebody, with its first finding: why, and what to do."""

    file: str
    sha256: str
    status: str
    codes: tuple[str, ...]
    why: str = ""
    todo: tuple[str, ...] = ()


@dataclass(frozen=True)
class Followed:
    """How the follow-up of a round stands: how many take part, how many reports are overdue, and where its site is."""

    cohort: str
    revision: str
    municipalities: int
    overdue: int
    report: str | None


@dataclass(frozen=True)
class Overview:
    """Everything: rounds in the order of their register, how many files stand how, and those that wait.

    ``not_computed`` says what came or changed since the marts were made, so that the rounds are as they were before.
    """

    rounds: tuple[Stand, ...]
    cohorts: tuple[Followed, ...]
    files: Mapping[str, int]
    open: tuple[OpenFile, ...]
    not_computed: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def overview(settings: Settings, today: dt.date) -> Overview:
    """How everything stands; ``today`` tells what is overdue.

    Raises:
        RuleProblem: the rules cannot be used.
        IntegrityProblem: the ledger was changed.
    """
    missing, events = open_rounds(settings), Archive(settings).events()
    rulebook, rounds = load_rules(settings), []
    for round_ in rulebook.rounds:
        lacks = tuple(missing.get(round_.id, ()))
        if damaged := commits.damaged(settings, round_.id, events):
            rounds.append(Stand(round_.id, round_.title, "damaged", damage=tuple(f.as_text() for f in damaged)))
        elif (folder := current_revision(settings, round_.id)) is not None:
            rounds.append(_published(settings, rulebook, round_, folder, lacks, today))
        else:
            state = "draft" if lacks else None
            rounds.append(Stand(round_.id, round_.title, state, lacks=lacks or tuple(waits_for(settings, round_))))
    files = files_of(events)
    counts = Counter(f.status for f in {f.sha256: f for f in files}.values())
    return Overview(
        tuple(rounds),
        tuple(_followed(settings, rulebook)),
        {str(k): n for k, n in counts.items()},
        tuple(_open(settings, open_files(files))),
        _not_computed(settings),
    )


def _followed(settings: Settings, rulebook: RuleBook) -> Iterator[Followed]:
    for round_ in rulebook.rounds:
        if (folder := current_revision(settings, round_.cohort_id)) is None:
            continue
        reports = published_rows(settings, round_.cohort_id, "followup_report_status")
        yield Followed(
            round_.cohort_id, folder.name, len({r["municipality_code"] for r in reports}),
            sum(r["status"] == "overdue" for r in reports), _report(folder),
        )  # fmt: skip


def _not_computed(settings: Settings) -> tuple[str, ...]:
    if not dbt_step.is_prepared(settings) or not any(settings.marts.glob("*.parquet")):
        return ()
    return tuple(text for f in behind(settings, take(settings)) for text in str(f.found).split("; "))


def _published(
    settings: Settings, rulebook: RuleBook, round_: Round, folder: Path, lacks: tuple[str, ...], today: dt.date
) -> Stand:
    manifest, pointer = read_manifest(folder), pointer_of(settings, round_.id) or {}
    selection = published_rows(settings, round_.id, "selection")
    lists = {
        group: {status: names for status in STATUSES if (names := _names(selection, group, status))} for group in GROUPS
    }
    rated = {
        table.removesuffix("_ranking"): dict(
            Counter(r["not_rated_reason"] or "rated" for r in published_rows(settings, round_.id, table))
        )
        for table in ("municipality_ranking", "school_ranking")
    }
    rules = rulebook.rule_sets[round_.rule_set]
    return Stand(
        round_.id, manifest["title"], pointer["status"], manifest["revision"], pointer.get("release"),
        (manifest.get("withdrawn") or {}).get("reason"), manifest["data_origin"] == "fictional",
        len(manifest["placeholders"]) if manifest["illustrative"] else 0,
        manifest.get("restricted_cells") or 0,
        tuple(manifest.get("accepted_gaps", ())), lists, rules.groups.spread.quota.value, rated,
        () if pointer.get("release") else next_acts(round_, selection, today), lacks,
        report=_report(folder),
    )  # fmt: skip


def _report(folder: Path) -> str | None:
    """Where the report of a revision begins; a revision of earlier days has none."""
    front = folder / INTERNAL / SITE / "index.html"
    return str(front) if front.exists() else None


def _names(selection: Sequence[Mapping[str, Any]], group: str, status: str) -> list[str]:
    return [
        f"{r['municipality_code']} {r['municipality_name']}"
        for r in selection
        if (r["selection_group"], r["status"]) == (group, status)
    ]


def next_acts(round_: Round, selection: Sequence[Mapping[str, Any]], today: dt.date) -> tuple[str, ...]:
    """What has to happen before a round that is not released can be final, the first thing first."""
    acts = []
    if silent := unanswered(selection):
        due = round_.priorities_due
        when = f" (due {due}{', overdue' if due < today else ''})" if due else ""
        more = f" and {len(silent) - 1} more have" if len(silent) > 1 else " has"
        acts.append(f"{silent[0]}{more} not replied{when}: oppfolging round candidates {round_.id}")
    if open_ := undecided(selection):
        acts.append(f"Udir decides on {len(open_)} municipalities: forms/beslutninger-{round_.id}.xlsx")
    return tuple(acts) or (f"release it: oppfolging round finalise {round_.id} --by NAME --reason WHY",)


def _open(settings: Settings, files: Sequence[File]) -> list[OpenFile]:
    """The files that wait for somebody, those in the inbox and what is no file among them."""
    faults_of = _faults(settings)
    found = []
    for f in files:
        faults = faults_of(f)
        first = faults[0] if faults else {}
        todo = tuple(f"{name}: {first[name]}" for name in ("expected", "fix") if first.get(name))
        found.append(OpenFile(f.name, f.sha256, f.status, tuple(f.codes), _why(faults), todo))
    found += [OpenFile(name_of(path), "", "in the inbox", ()) for path in waiting(settings.inbox)]
    left = left_lying(settings.inbox).items()
    found += [OpenFile(name_of(path), "", "no file", (), f"{what}. {LEFT_LYING}") for path, what in left]
    return found


def why_open(settings: Settings) -> Callable[[File], str]:
    """Why a file waits: the first of the findings against it, with its place and what was found, and how many more."""
    faults_of = _faults(settings)
    return lambda file: _why(faults_of(file))


def _faults(settings: Settings) -> Callable[[File], list[Mapping[str, Any]]]:
    """The findings of the latest screening that a file waits for."""
    newest = {line["sha256"]: line for line in journal.screenings(settings)}
    return lambda file: [f for f in newest.get(file.sha256, {}).get("findings", ()) if f["code"] in file.codes]


def _why(faults: Sequence[Mapping[str, Any]]) -> str:
    if not faults:
        return ""
    found = f" (found {faults[0]['found']})" if faults[0].get("found") else ""
    more = f"; {len(faults) - 1} more" if len(faults) > 1 else ""
    return _place(faults[0]) + found + more


def _place(finding: Mapping[str, Any]) -> str:
    where = ", ".join(
        filter(None, (f"line {finding['row']}" if finding.get("row") is not None else "", finding.get("column")))
    )
    return f"{where}: {finding['message']}" if where else str(finding["message"])
