"""A process is ended at any of its writes: what is published stays whole, nothing is lost, and the next run mends the rest.

The process is ended for real, between two writes or in the middle of one; no ``finally`` runs. ``benchmarks/kills.py``
ends ten times as many, at the writes of all acts, and dbt as well.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from dagster_project.archive import Archive
from dagster_project.archive.commits import POINTER, pointer_of
from dagster_project.audit import doctor
from dagster_project.diagnostics import Severity
from dagster_project.intake.partitions import PART
from dagster_project.publication.manifest import verify_revision
from dagster_project.settings import Settings
from tests.faults import tiny
from tests.faults.test_states import Plain, tables_of
from tests.faults.tiny import Server, Specimens

ARRIVING = ("reading25", "numeracy25", "older25", "bad25", "junk", "decided24")
ARCHIVE, SETTLE, PUBLISH, BY_DBT = "take in", "settle", "publish", "build models with dbt"
MANY = 30


@dataclass(frozen=True)
class Act:
    """An act on a home that stands ready for it. ``of_people``: a run does not do it again."""

    name: str
    home: Path
    act: str
    arguments: tuple[str, ...] = ()
    of_people: bool = False
    quick: bool = True


@dataclass(frozen=True)
class Result:
    """What a home holds in the end: what is published and stands, the partitions, what waits, and the ledger's lines."""

    published: dict[str, tuple[str, str | None, dict[str, bytes]]]
    stand: list[tuple[str, str, tuple[str, ...]]]
    partitions: dict[str, bytes]
    waiting: Counter[str]
    lines: Counter[str]


def events_of(home: Settings) -> list[dict[str, Any]]:
    """The whole lines of the ledger."""
    content = home.ledger.read_bytes() if home.ledger.exists() else b""
    return [json.loads(line) for line in content[: content.rfind(b"\n") + 1].splitlines()]


class Kills:
    """Homes that stand ready, a server that puts copies of them through acts, and what undisturbed acts lead to."""

    def __init__(self, specimens: Specimens, server: Server) -> None:
        self.specimens, self.server = specimens, server
        self.whole: dict[str, tuple[tuple[str, ...], Result]] = {}

    def home(self, name: str, copied: Settings | None = None) -> Settings:
        return self.specimens.home(name, copied.home if copied else None)

    @cached_property
    def acts(self) -> dict[str, Act]:
        """Every act, each on a home where it has most to do."""
        published = self.home("published")
        self.specimens.put(published, "base24", "base25")
        tiny.run(published)
        inbox = self.home("inbox", published)
        self.specimens.put(inbox, *ARRIVING)
        pending = self.home("pending", inbox)
        tiny.archive(pending)
        due = self.home("due", pending)
        tiny.settle(due)
        built = self.home("built", due)
        tiny.models(built)
        ready = self.home("ready", built)
        tiny.estimates(ready)
        decided = self.home("decided", ready)
        tiny.publish(decided)
        final = self.home("final", decided)
        tiny.finalise(final, "tiny-2024")
        changed = self.home("changed", final)
        self.specimens.put(changed, "reading24")
        tiny.run(changed)
        damaged = self.home("damaged", ready)
        for path in (
            *damaged.extracts.rglob(PART),
            *damaged.parameters.glob("r*"),
            *damaged.published.glob("*/" + POINTER),
        ):
            path.unlink()
        sha, paths = self.specimens.shas, self.specimens.paths
        final_round = ("tiny-2024",)
        acts = [
            Act(ARCHIVE, inbox.home, "archive"),
            Act(SETTLE, pending.home, "settle"),
            Act("make extracts", due.home, "extracts"),
            Act("compile parameters", due.home, "parameters"),
            Act("build models", due.home, "models"),
            Act(PUBLISH, ready.home, "publish"),
            Act("finalise", decided.home, "finalise", final_round, of_people=True),
            Act("amend", changed.home, "amend", final_round, of_people=True),
            Act("estimate", built.home, "estimates"),
            Act("whole run", inbox.home, "run"),
            Act("ingest", published.home, "ingest", tuple(str(paths[s]) for s in ("reading25", "decided24", "junk")),
                of_people=True),
            Act("accept a warning", due.home, "accept", (sha["older25"], "older-export"), of_people=True),
            Act("withdraw a file", due.home, "withdraw", (sha["reading25"],), of_people=True),
            Act("do without an input", due.home, "accept_missing", ("tiny-2025", "reading_scale_score"), of_people=True),
            Act("withdraw a release", final.home, "withdraw_release", final_round, of_people=True),
            Act("reopen", final.home, "reopen", final_round, of_people=True),
            Act("doctor", damaged.home, "fix"),
            Act(BY_DBT, due.home, "models", quick=False),
        ]  # fmt: skip
        return {act.name: act for act in acts}

    def result(self, home: Settings) -> Result:
        """What a home holds after everything was done."""
        plain, told = Plain(self.specimens.shorts), events_of(home)
        for event in told:
            plain.tell(event)
        named = ("event", "file", "round", "revision", "release", "to", "code", "codes")
        published = {}
        for name in plain.commits:
            pointer = pointer_of(home, name)
            assert pointer is not None
            tables = tables_of(home.published / name / pointer["revision"])
            published[name] = (pointer["status"], pointer["release"], tables)
        return Result(
            published,
            [(a.short, a.status, tuple(sorted(a.codes))) for a in plain.arrivals.values()],
            {p.relative_to(home.home).as_posix(): p.read_bytes() for p in home.extracts.rglob(PART)},
            Counter(state.finding.code for state in doctor.examine(home)),
            Counter(" ".join(str(event.get(name)) for name in named) for event in told),
        )

    def undisturbed(self, act: Act) -> tuple[tuple[str, ...], Result]:
        """The writes of an act, and what it and a run after it lead to."""
        if act.name not in self.whole:
            home = self.home("whole", Settings(home=act.home))
            done = self.server.put_through(home, act.act, *act.arguments, quick=act.quick)
            assert done.status == 0, done.error
            tiny.run(home)
            self.whole[act.name] = done.writes, self.result(home)
        return self.whole[act.name]

    def kill(self, act: Act, at: int) -> None:
        """Put a copy of a home through an act, end it at a write, and hold what is left to what was promised."""
        writes, expected = self.undisturbed(act)
        where = f"{act.name}, {at} of {len(writes)}: {writes[at - 1]}"
        home = self.home("killed", Settings(home=act.home))
        before = events_of(home)
        sent = {hashlib.sha256(p.read_bytes()).hexdigest() for p in home.inbox.rglob("*") if p.is_file()}
        died = self.server.put_through(home, act.act, *act.arguments, at=at, quick=act.quick)
        # dbt writes from several threads, a little more or less each time
        assert died.was_killed or (died.status == 0 and not act.quick), f"{where}: {died.error}"
        told = events_of(home)
        assert told[: len(before)] == before, f"{where}: the ledger lost a line"
        self._published_is_whole(home, where)
        there = {hashlib.sha256(p.read_bytes()).hexdigest() for p in home.inbox.rglob("*") if p.is_file()}
        there |= {e["sha256"] for e in told if "sha256" in e and Archive(home).damage(e["sha256"]) is None}
        hidden = {p.name.removeprefix(".arriving-") for p in (home.archive / "objects").glob(".arriving-*")}
        assert sent <= there | hidden, f"{where}: a file is lost"
        if act.quick:
            tiny.run(home)
        else:
            mended = self.server.put_through(home, "run", quick=False)
            assert mended.status == 0, f"{where}: {mended.error}"
        left = [p for p in home.home.rglob("*.tmp") if p.is_file()]
        assert not left, f"{where}: the next run did not sweep {left}"
        grave = [s.finding.code for s in doctor.examine(home) if s.finding.severity is Severity.FAIL]
        assert not grave, f"{where}: after the next run the doctor still names {grave}"
        found, compared = self.result(home), list(Result.__dataclass_fields__)
        if act.of_people and found != expected:
            # it was not done, or not all of it: whoever was interrupted does it again, after a run that published more
            again = self.server.put_through(home, act.act, *act.arguments)
            assert again.status == 0, f"{where}: done by halves\n{again.error}"
            tiny.run(home)
            found = self.result(home)
            compared.remove("lines")
        for name in compared:
            assert getattr(found, name) == getattr(expected, name), f"{where}: another {name}"

    def _published_is_whole(self, home: Settings, where: str) -> None:
        """Whoever reads now finds, under every pointer, a revision that is whole and that the ledger knows."""
        commits: dict[str, dict[str, str]] = {}
        for event in events_of(home):
            if "manifest_sha256" in event:
                commits.setdefault(event["round"], {})[event["revision"]] = event["manifest_sha256"]
        for path in home.published.glob(f"*/{POINTER}"):
            named = json.loads(path.read_text(encoding="utf-8"))["revision"]
            folder = path.parent / named
            assert verify_revision(folder) == [], f"{where}: {folder.name} is not whole"
            stated = hashlib.sha256((folder / "manifest.json").read_bytes()).hexdigest()
            assert commits[path.parent.name][named] == stated, f"{where}: {folder.name} is not in the ledger"
        for folder in home.published.glob("*/r[0-9]*"):
            assert verify_revision(folder) == [] and folder.name in commits[folder.parent.name], where

    def points(self, acts: Sequence[str], count: int) -> list[tuple[Act, int]]:
        """So many writes: of each act the first, the last and the middle one, then those around a line of the ledger and
        around what follows a commit, then all others, far from each other first."""
        wanted: dict[str, list[int]] = {}
        for name in acts:
            writes, _ = self.undisturbed(self.acts[name])
            number = len(writes)
            grave = [
                n
                for n, w in enumerate(writes, 1)
                if "ledger.jsonl" in w or w.endswith(POINTER) or ("rename" in w and "/r0" in w)
            ]
            spread = sorted(range(1, number + 1), key=lambda n: (f"{n:012b}"[::-1], n))
            wanted[name] = list(dict.fromkeys([1, number, number // 2 + 1, *grave[-8:], *grave, *spread]))
        found: list[tuple[Act, int]] = []
        while len(found) < count and any(wanted.values()):
            for name in acts:
                if wanted[name] and len(found) < count:
                    found.append((self.acts[name], wanted[name].pop(0)))
        return found


@contextmanager
def ready(folder: Path) -> Iterator[Kills]:
    """Everything that kills need."""
    with tiny.quickly(), Server() as server:
        yield Kills(Specimens(folder), server)


@pytest.fixture(scope="module")
def kills(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kills]:
    with ready(tmp_path_factory.mktemp("kills")) as made:
        yield made


EIGHT = (ARCHIVE, SETTLE, "make extracts", "compile parameters", "build models", PUBLISH, "finalise", "amend")


@pytest.mark.parametrize("name", EIGHT)
def test_a_process_that_is_ended_at_its_first_middle_or_last_write_leaves_nothing_wrong(
    kills: Kills, name: str
) -> None:
    for act, at in kills.points([name], 3):
        kills.kill(act, at)


def test_a_process_that_is_ended_around_the_commit_has_published_or_has_not(kills: Kills) -> None:
    for act, at in kills.points([PUBLISH], 3 + MANY - 3 * len(EIGHT))[3:]:
        kills.kill(act, at)
