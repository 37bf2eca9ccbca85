"""Whatever is done to a home, in whatever order: what is published is what the archive and the rules give from nothing.

Three tellings are held against each other after every step. The home. The ledger as plain Python reads it, which says of
every line whether it had to be written. And an empty home that is given the files in force, in their order, and the rules.
``benchmarks/states.py`` takes many more steps, with dbt, workbooks and pages.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from dagster_project import schema
from dagster_project.archive import Archive
from dagster_project.archive.commits import BUILDING, POINTER, read_manifest
from dagster_project.archive.files import files_of
from dagster_project.archive.files import in_force as product_in_force
from dagster_project.audit import doctor
from dagster_project.diagnostics import IntegrityProblem, OppfolgingError, RuleProblem
from dagster_project.intake.partitions import PART, RECORD, Extracts
from dagster_project.publication.edition import WITHDRAWN_COLUMN, fill_data, subject_tables
from dagster_project.publication.manifest import verify_revision
from dagster_project.publication.subjects import cohort_subject, round_subject
from dagster_project.rounds import publishing
from dagster_project.rounds.monitoring import current_effects
from dagster_project.rounds.uncertainty import current_uncertainty
from dagster_project.rules import load_rules
from dagster_project.settings import REPOSITORY, Settings
from dagster_project.transform import built, snapshot
from tests.conftest import NOW, tree_hash
from tests.faults import tiny
from tests.faults.tiny import BOTH, COHORTS, FILES, LIMITS, ROUNDS, Decided, Figures, Specimens

Partition = tuple[str, str | None]
Slice = tuple[str, str]
EXAMPLES, STEPS = 6, 14


# ---- the ledger in plain Python --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class World:
    """All that figures follow from: the limit of the rule, the files in force in their order, the inputs done without."""

    limit: int
    files: tuple[tuple[Partition, tuple[str, ...]], ...]
    gaps: tuple[tuple[str, str], ...]

    def owner(self, of: Slice) -> str | None:
        """The file that gives the figures of a school year and indicator."""
        for (dataset, year), shorts in self.files:
            if dataset == schema.NATIONAL_TESTS and year == of[0]:
                holding = [s for s in shorts if of[1] in FILES[s].indicators]  # type: ignore[union-attr]
                return holding[-1] if holding else None
        return None

    def values(self, round_id: str) -> dict[tuple[str, str], int]:
        """The value of every municipality and school that a round counts, by indicator."""
        found: dict[tuple[str, str], int] = {}
        for indicator in BOTH:
            if owner := self.owner((ROUNDS[round_id], indicator)):
                file = FILES[owner]
                assert isinstance(file, Figures)
                units = [*tiny.MUNICIPALITIES, *(s for s in tiny.SCHOOLS if s != file.without)]
                found |= {(indicator, unit): file.score(unit) for unit in units}
        return found

    def missing(self, round_id: str) -> list[str]:
        """The indicators that a round needs, that no file gives, and that nobody said it may do without."""
        return [i for i in BOTH if not self.owner((ROUNDS[round_id], i)) and (round_id, i) not in self.gaps]

    def has_figures(self, round_id: str) -> bool:
        return any(self.owner((ROUNDS[round_id], i)) for i in BOTH)

    @property
    def in_force(self) -> set[str]:
        return {s for _, shorts in self.files for s in shorts}


@dataclass
class Arrival:
    """A file that came, and how it stands."""

    short: str
    status: str = "pending"
    codes: set[str] = field(default_factory=set)
    accepted: set[str] = field(default_factory=set)


def slices_of(short: str) -> list[Slice]:
    file = FILES[short]
    return [(file.year, i) for i in file.indicators] if isinstance(file, Figures) else []


def partition_of(short: str) -> Partition:
    file = FILES[short]
    return (schema.NATIONAL_TESTS, file.year) if isinstance(file, Figures) else (schema.DECISIONS, None)


class Plain:
    """What the ledger says, line by line. ``tell`` refuses a line that should not have been written."""

    def __init__(self, shorts: dict[str, str]) -> None:
        self.shorts = shorts
        self.arrivals: dict[int, Arrival] = {}
        self.gaps: list[tuple[str, str]] = []
        self.commits: dict[str, dict[str, str]] = {}
        self.moves: dict[tuple[str, str], str] = {}
        self.locks: dict[str, str | None] = {}
        self.kept: set[str] = set()
        self.worlds = [World(0, (), ())]

    def newest(self, short: str) -> tuple[int, Arrival] | None:
        return next(((n, a) for n, a in reversed(self.arrivals.items()) if a.short == short), None)

    def owner(self, of: Slice) -> tuple[int, Arrival] | None:
        accepted = ((n, a) for n, a in reversed(self.arrivals.items()) if a.status == "accepted")
        return next(((n, a) for n, a in accepted if of in slices_of(a.short)), None)

    def open(self) -> list[Arrival]:
        """Arrivals that wait for somebody, unless the same bytes came again."""
        waiting = ("pending", "held", "rejected")
        return [a for n, a in self.arrivals.items() if a.status in waiting and self.newest(a.short) == (n, a)]

    def stands(self, short: str) -> bool | None:
        """Whether a file may not arrive once more; None where that hangs on what a rejection rested on."""
        if (found := self.newest(short)) is None:
            return False
        line, arrival = found
        if arrival.status == "rejected":
            return None
        if arrival.status != "accepted":
            return arrival.status in ("pending", "held")
        for of in slices_of(short):
            other = self.owner(of)
            assert other is not None, "it is in force itself"
            mine, theirs = FILES[short], FILES[other[1].short]
            assert isinstance(mine, Figures) and isinstance(theirs, Figures)
            if other[0] > line and (mine.turn, mine.without) != (theirs.turn, theirs.without):
                return False
        return True

    def verdict(self, line: int) -> tuple[str, set[str]]:
        """How a file has to stand when it is screened now, and the warnings it waits for."""
        arrival = self.arrivals[line]
        file, codes = FILES[arrival.short], set[str]()
        if isinstance(file, Decided):
            return ("accepted" if file.round in self.commits else "rejected"), codes
        if not isinstance(file, Figures) or file.off_scale:
            return "rejected", codes
        for of in slices_of(arrival.short):
            if (found := self.owner(of)) is None:
                continue
            at, other = found
            theirs = FILES[other.short]
            assert isinstance(theirs, Figures)
            if file.without and not theirs.without:
                codes.add("cells-in-force-would-vanish")
            came = [n for n, a in self.arrivals.items() if a.short == arrival.short and a.status != "pending"]
            returns = any(n < at for n in came)
            if at < line and other.short != arrival.short and (file.stamp < theirs.stamp or returns):
                codes.add("older-export")
        codes -= arrival.accepted
        return ("held" if codes else "accepted"), codes

    def tell(self, event: dict[str, Any]) -> None:
        kind, line = event["event"], len(self.worlds)
        arrival = self.arrivals.get(event.get("arrival", 0))
        if kind == "arrived":
            short = self.shorts[event["sha256"]]
            assert self.stands(short) is not True, f"{short} stands as it is, and arrived once more"
            self.arrivals[line] = Arrival(short)
        elif kind in ("accepted", "held", "rejected"):
            assert arrival is not None
            assert arrival.status in ("pending", "rejected", "held"), f"{arrival} was decided on once more"
            said, verdict = (kind, set(event["codes"] if kind == "held" else ())), self.verdict(event["arrival"])
            assert said == verdict, f"{arrival} is {said}, should be {verdict}"
            arrival.status, arrival.codes = verdict
        elif kind == "warning_accepted":
            assert arrival is not None and arrival.status == "held" and event["code"] in arrival.codes
            arrival.accepted.add(event["code"])
        elif kind == "file_dismissed":
            assert arrival is not None and arrival.status in ("held", "rejected")
            arrival.status = "dismissed"
        elif kind == "file_withdrawn":
            assert arrival is not None and arrival.status == "accepted"
            arrival.status = "withdrawn"
        elif kind == "missing_input_accepted":
            self.gaps.append((event["round"], event["indicator"]))
        elif kind in ("published", "round_released", "round_withdrawn"):
            self.commits.setdefault(event["round"], {})[event["revision"]] = event["manifest_sha256"]
            if kind == "round_released":
                assert not self.locks.get(event["round"]) or event.get("amends")
                self.locks[event["round"]] = event["revision"]
        elif kind == "round_reopened":
            self.locks[event["round"]] = None
        elif kind == "round_kept":
            self.kept.add(event["round"])
        elif kind == "public_cells_registered":
            assert event["revision"] not in self.commits.get(event["round"], {}), "registered after it was in force"
        else:
            assert kind == "round_state", kind
            self.moves[event["round"], event["revision"]] = event["to"]
        self.worlds.append(self._world())

    def _world(self) -> World:
        files: dict[Partition, list[str]] = {}
        for arrival in self.arrivals.values():
            if arrival.status == "accepted":
                files.setdefault(partition_of(arrival.short), []).append(arrival.short)
        ordered = sorted(files.items(), key=lambda item: (item[0][0], item[0][1] or ""))
        return World(0, tuple((key, tuple(shorts)) for key, shorts in ordered), tuple(self.gaps))


# ---- from nothing ----------------------------------------------------------------------------------------------------


def from_nothing(specimens: Specimens, world: World) -> Path:
    """What an empty home makes of a world: its extracts, and the tables of every round and cohort that it can publish."""
    key = hashlib.sha256(repr(world).encode()).hexdigest()[:20]
    out = specimens.folder / "worlds" / key
    if out.exists():
        return out
    home = specimens.folder / "from-nothing"
    if home.exists():
        shutil.rmtree(home)
    fresh = tiny.lay_out(home, world.limit)
    fresh.read.symlink_to(specimens.read)
    archive, when = Archive(fresh), NOW.isoformat()
    for (dataset, year), shorts in world.files:
        for short in shorts:
            stored = archive.store(specimens.paths[short])
            common = {"time": when, "sha256": stored.sha256, "file": tiny.name_of(short), "datasets": [dataset]}
            line = archive.append({**common, "event": "arrived"}).lines
            archive.append(
                {**common, "event": "accepted", "arrival": line, "partitions": [[dataset, year]], "fictional": True,
                 "school_years": [year] if year else []}
            )  # fmt: skip
    for round_id, indicator in world.gaps:
        tiny.accept_missing(fresh, round_id, indicator)
    now = snapshot.take(fresh)
    assert built.build_models(fresh, now, "nothing").success
    rulebook = load_rules(fresh)
    current_effects(fresh, rulebook)
    current_uncertainty(fresh, rulebook, publishing.computed_rounds(fresh, rulebook))
    making = home / "worlds"
    for round_id in ROUNDS:
        missing = [m["indicator"] for m in publishing.missing_of(fresh, round_id)]
        assert missing == sorted(world.missing(round_id)), "the models miss what plain Python misses"
        for subject in (round_subject(rulebook, round_id), cohort_subject(rulebook, round_id)):
            tables = dict(subject_tables(fresh, subject))
            if subject.is_cohort or (tables[subject.decisive].num_rows and not missing):
                fill_data(iter(tables.items()), making / subject.name)
        if (making / round_id).exists():
            _hold_to_files(specimens, world, round_id, making / round_id)
    making.mkdir(exist_ok=True)
    shutil.copytree(fresh.extracts, making / "extracts") if fresh.extracts.exists() else None
    out.parent.mkdir(exist_ok=True)
    making.rename(out)
    return out


def _hold_to_files(specimens: Specimens, world: World, round_id: str, tables: Path) -> None:
    """Every figure behind the points of a round is that of the file which gives it, and names that file."""
    rows = pq.read_table(tables / "internal" / "indicator_points.parquet").to_pylist()
    found = {
        (r["indicator"], r["unit_code"]): r for r in rows if r["unit_level"] != "national" and r["value"] is not None
    }
    expected = world.values(round_id)
    assert {key: int(row["value"]) for key, row in found.items()} == expected
    for (indicator, _), row in found.items():
        owner = world.owner((ROUNDS[round_id], indicator))
        assert owner is not None and row["source_sha256"] == specimens.shas[owner]
        assert row["points"] == (3 if row["value"] < world.limit else 1 if row["value"] < 49 else 0)


def tables_of(folder: Path) -> dict[str, bytes]:
    """The published Parquet and CSV below a folder."""
    found = [p for edition in ("internal", "public") for p in (folder / edition).glob("*.*")]
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in found if p.suffix in (".parquet", ".csv")}


def _has_members(cohort: Path) -> bool:
    return bool(pq.read_table(cohort / "internal" / "followup_report_status.parquet").num_rows)


def state_of(folder: Path) -> str:
    """Names, sizes and times of all files: a folder that nobody touched has the same."""
    found = sorted((p.as_posix(), p.stat().st_size, p.stat().st_mtime_ns) for p in folder.rglob("*") if p.is_file())
    return hashlib.sha256(repr(found).encode()).hexdigest()


# ---- damage: what may happen to everything that is derived -----------------------------------------------------------


@dataclass(frozen=True)
class Damage:
    """Something that happens to one of the files that ``where`` finds. The doctor then says one of ``codes``, if any."""

    name: str
    codes: tuple[str, ...]
    where: Callable[[Settings], Iterable[Path]]
    do: Callable[[Path], object]

    def happens(self, home: Settings, which: int) -> bool:
        """Let it happen; False when there is nothing it could happen to."""
        paths = sorted(self.where(home))
        if paths:
            self.do(paths[which % len(paths)])
        return bool(paths)


def _halve(path: Path) -> None:
    path.chmod(0o644)
    os.truncate(path, path.stat().st_size // 2)


def _take_the_place_of_another_year(record: Path) -> None:
    """A whole partition with its record, where another belongs: as it was made, and of other files."""
    folder = record.parent
    for other in folder.parent.iterdir():
        if other != folder and (folder / PART).exists():
            for name in (PART, RECORD):
                shutil.copyfile(folder / name, other / name)


def _make_a_year_of_it(part: Path) -> None:
    folder = part.parents[1] / "school_year=2019-20"
    folder.mkdir(exist_ok=True)
    shutil.copyfile(part, folder / PART)


def _name_another_revision(pointer: Path) -> None:
    said = json.loads(pointer.read_text(encoding="utf-8"))
    pointer.write_text(json.dumps({**said, "revision": "r0000"}, indent=2) + "\n", encoding="utf-8")


def _leave_it_building(revision: Path) -> None:
    shutil.copytree(revision, revision.with_name(f"{BUILDING}r9999"), dirs_exist_ok=True)


def _years(home: Settings) -> list[Path]:
    """Records of the national tests, when there are partitions of two years."""
    found = [*(home.extracts / schema.NATIONAL_TESTS).glob(f"*/{RECORD}")]
    return found if len(found) > 1 else []


STALE, PARAMETERS = ("partitions-not-of-the-archive",), ("parameters-not-current",)
MARTS = ("marts-not-of-the-snapshot", "estimates-not-of-the-marts")
DAMAGES = (
    Damage("partition gone", STALE, lambda home: home.extracts.rglob(PART), Path.unlink),
    Damage("partition cut", STALE, lambda home: home.extracts.rglob(PART), _halve),
    Damage("record of a partition gone", STALE, lambda home: home.extracts.rglob(RECORD), Path.unlink),
    Damage("partition of another year", STALE, _years, _take_the_place_of_another_year),
    Damage("partition too many", STALE, lambda home: home.extracts.glob(f"*/*/{PART}"), _make_a_year_of_it),
    Damage("what was read cut", (), lambda home: home.read.rglob("*.parquet"), _halve),
    Damage("parameters gone", PARAMETERS, lambda home: home.parameters.glob("*"), Path.unlink),
    Damage("mart cut", MARTS, lambda home: home.marts.glob("*.parquet"), _halve),
    Damage("mart gone", MARTS, lambda home: home.marts.glob("*.parquet"), Path.unlink),
    Damage("warehouse cut", ("warehouse-damaged",), lambda home: home.warehouse.parent.glob("*.duckdb"), _halve),
    Damage("pointer gone", ("pointer-not-derived",), lambda home: home.published.glob(f"*/{POINTER}"), Path.unlink),
    Damage("pointer wrong", ("pointer-not-derived",), lambda home: home.published.glob(f"*/{POINTER}"),
           _name_another_revision),
    Damage("building left", ("revision-not-committed",), lambda home: home.published.glob("*/r[0-9]*"), _leave_it_building),
    Damage("folder gone", (), lambda home: [p for p in (home.extracts, home.read, home.warehouse.parent, home.marts,
           home.parameters, home.home / "snapshots", home.home / "empty") if p.exists()], shutil.rmtree),
)  # fmt: skip


# ---- the machine -----------------------------------------------------------------------------------------------------

SHORTS = st.sampled_from(sorted(FILES))
ROUND = st.sampled_from(sorted(ROUNDS))
NUMBER = st.integers(0, 11)


class Homes(RuleBasedStateMachine):
    """One home, and everything that people, runs, mishaps and restored backups do to it."""

    specimens: ClassVar[Specimens]
    server: ClassVar[tiny.Server]
    starts: ClassVar[dict[str, Path]]
    quick: ClassVar[bool] = True
    count: ClassVar[Counter[str]] = Counter()

    # -- what is held after every step

    @initialize(start=st.sampled_from(("released", "published", "empty")))
    def begin(self, start: str) -> None:
        self.home = self.specimens.home("home", self.starts[start])
        self.plain = Plain(self.specimens.shorts)
        self.ledger, self.limit, self.clean = b"", LIMITS[0], False
        self.revisions: dict[Path, str] = {}
        self.worlds: dict[Path, World] = {}
        self.pointers_wrong = self.torn = False
        self.put: set[str] = set()
        self.backups: list[bytes] = []
        self.here: Counter[str] = Counter()
        self.count["homes"] += 1

    @property
    def world(self) -> World:
        """What figures follow from now."""
        now = self.plain.worlds[-1]
        return World(self.limit, now.files, now.gaps)

    @invariant()
    def look(self) -> None:
        if not hasattr(self, "home"):
            return
        self._ledger_only_grew_by_right_lines()
        self._nothing_is_lost()
        self._every_revision_is_what_its_files_and_rules_give()
        if not self.pointers_wrong:
            self._pointers_follow_from_the_ledger()

    def _ledger_only_grew_by_right_lines(self) -> None:
        content = self.home.ledger.read_bytes() if self.home.ledger.exists() else b""
        whole = content[: content.rfind(b"\n") + 1]
        self.torn = whole != content
        assert whole.startswith(self.ledger), "a line of the ledger is gone"
        for line in whole[len(self.ledger) :].splitlines():
            self.plain.tell(json.loads(line))
        self.ledger = whole
        files = files_of(Archive(self.home).events())
        assert {f.line: f.status for f in files} == {n: a.status for n, a in self.plain.arrivals.items()}
        found = {key: tuple(self.specimens.shorts[f.sha256] for f in fs) for key, fs in product_in_force(files).items()}
        assert found == dict(self.world.files)

    def _nothing_is_lost(self) -> None:
        waiting = {p.name for p in self.home.inbox.rglob("*") if p.is_file()} if self.home.inbox.exists() else set()
        arrived = {a.short for a in self.plain.arrivals.values()}
        lost = {s for s in self.put if s not in arrived and tiny.name_of(s) not in waiting}
        assert not lost, f"{lost} are neither in the inbox nor in the ledger"

    def _every_revision_is_what_its_files_and_rules_give(self) -> None:
        for folder in self.home.published.glob("*/r[0-9]*"):
            state = state_of(folder)
            if folder in self.revisions:
                assert self.revisions[folder] == state, f"{folder} was changed"
                continue
            self.revisions[folder] = state
            manifest, name = read_manifest(folder), folder.parent.name
            assert verify_revision(folder) == []
            stated = hashlib.sha256((folder / "manifest.json").read_bytes()).hexdigest()
            assert self.plain.commits[name][folder.name] == stated
            head = manifest["ledger"]["lines"]
            assert hashlib.sha256(self.ledger.splitlines()[head - 1]).hexdigest() == manifest["ledger"]["sha256"]
            then = self.plain.worlds[head]
            limit = next(n for n in LIMITS if manifest["rule_set"]["sha256"] == self._rule_hash(n))
            world = self.worlds[folder] = World(limit, then.files, then.gaps)
            assert {self.specimens.shorts[i["sha256"]] for i in manifest["inputs"]} == world.in_force
            expected = tables_of(from_nothing(self.specimens, world) / name)
            found = tables_of(folder)
            if "withdrawn" in manifest:
                self._hold_to_withdrawn(folder, from_nothing(self.specimens, world) / name)
            else:
                assert found.keys() == expected.keys() and found
                assert [n for n in found if found[n] != expected[n]] == []
            self.count["revisions"] += 1

    def _rule_hash(self, limit: int) -> str:
        path = self.specimens.folder / "rules-of-then"
        (path / "rules").mkdir(parents=True, exist_ok=True)
        tiny.write_rules(path, limit)
        return hashlib.sha256((path / "rules" / "tiny.yaml").read_bytes()).hexdigest()

    def _hold_to_withdrawn(self, folder: Path, expected: Path) -> None:
        for path in folder.glob("*/*.parquet"):
            table = pq.read_table(path)
            assert set(table[WITHDRAWN_COLUMN].to_pylist()) <= {tiny.REASON}
            assert table.drop_columns([WITHDRAWN_COLUMN]) == pq.read_table(expected / path.relative_to(folder))

    def _pointers_follow_from_the_ledger(self) -> None:
        for name, commits in self.plain.commits.items():
            newest = list(commits)[-1]
            folder = self.home.published / name / newest
            if not folder.exists():
                continue  # committed by a run that was killed before the folder got its name: the next writer names it
            manifest = read_manifest(folder)
            status = self.plain.moves.get((name, newest), manifest["status"])
            said = {"round": name, "revision": newest, "status": status, "release": manifest.get("release")}
            path = self.home.published / name / POINTER
            assert path.exists() and json.loads(path.read_text(encoding="utf-8")) == said

    # -- files

    def _did(self, act: str, clean: bool = False) -> None:
        self.clean, self.pointers_wrong = clean, False
        self._counted(act)

    def _counted(self, act: str) -> None:
        self.count[act] += 1
        self.here[act] += 1

    @rule(shorts=st.lists(SHORTS, min_size=1, max_size=3, unique=True), settle=st.booleans())
    def into_the_inbox(self, shorts: list[str], settle: bool) -> None:
        self.specimens.put(self.home, *shorts)
        self.put |= set(shorts)
        tiny.archive(self.home)
        assert not [p for p in self.home.inbox.rglob("*") if p.is_file()]
        if settle:
            tiny.settle(self.home)
            assert all(f.status != "pending" for f in files_of(Archive(self.home).events()))
        self._did("into the inbox")

    @rule(shorts=st.lists(SHORTS, min_size=1, max_size=2, unique=True))
    def ingested(self, shorts: list[str]) -> None:
        results = tiny.ingest(self.home, *(str(self.specimens.paths[s]) for s in shorts))
        assert set(shorts) <= {self.specimens.shorts[r.sha256] for r in results}
        self.put |= set(shorts)
        self._did("ingested")

    def _standing(self, *status: str) -> list[tuple[int, Arrival]]:
        newest = [(n, a) for n, a in self.plain.arrivals.items() if self.plain.newest(a.short) == (n, a)]
        return [(n, a) for n, a in newest if a.status in status]

    @precondition(lambda self: self._standing("held"))
    @rule(which=NUMBER)
    def accepted(self, which: int) -> None:
        held = [arrival for _, arrival in self._standing("held")]
        arrival = held[which % len(held)]
        tiny.accept(self.home, self.specimens.shas[arrival.short], code=min(arrival.codes))
        self._did("accepted")

    @precondition(lambda self: self._standing("held", "rejected"))
    @rule(which=NUMBER)
    def dismissed(self, which: int) -> None:
        waiting = self._standing("held", "rejected")
        tiny.dismiss(self.home, self.specimens.shas[waiting[which % len(waiting)][1].short])
        self._did("dismissed")

    @precondition(lambda self: self._standing("accepted"))
    @rule(which=NUMBER)
    def withdrawn(self, which: int) -> None:
        standing = self._standing("accepted")
        tiny.withdraw(self.home, self.specimens.shas[standing[which % len(standing)][1].short])
        self._did("withdrawn")

    @precondition(lambda self: len(self.plain.gaps) < 3)
    @rule(round_id=ROUND, indicator=st.sampled_from(BOTH))
    def a_gap_is_accepted(self, round_id: str, indicator: str) -> None:
        tiny.accept_missing(self.home, round_id, indicator)
        self._did("gap accepted")

    # -- runs and parts of runs

    @rule(twice=st.booleans())
    def a_run(self, twice: bool) -> None:
        found = tiny.run(self.home)
        self._did("run", clean=True)
        self._ledger_only_grew_by_right_lines()
        self._hold_to_world(found)
        replies = [a for a in self.plain.open() if isinstance(FILES[a.short], Decided)]
        if twice and not replies:  # what was decided on a round that was published just now is screened again
            before = self._kept_for_good()
            tiny.run(self.home)
            assert self._kept_for_good() == before, "a run that has nothing to do did something"

    def _kept_for_good(self) -> tuple[str, str]:
        """One hash over archive and ledger, one over what is published."""
        return tree_hash(self.home.archive), tree_hash(self.home.published)

    def _hold_to_world(self, found: dict[str, Any]) -> None:
        """A run made of every round and cohort what its world gives, and nothing of what waits."""
        nothing = from_nothing(self.specimens, self.world)
        self.changing = sum(bool(made and made.differences) for made in found.values())
        for round_id, cohort in COHORTS.items():
            for name in (round_id, cohort):
                made, expected = found[name], tables_of(nothing / name)
                locked = self.plain.locks.get(name)
                if locked is None:
                    # a cohort is published from when somebody belongs to it; when nobody does any more, without rows
                    due = (
                        bool(expected)
                        if name == round_id
                        else name in self.plain.commits or _has_members(nothing / name)
                    )
                    assert (made is not None) == due, f"{name}: {made}"
                    assert made is None or tables_of(made.path) == expected
                    continue
                assert not made.is_new
                then = self.worlds[self.home.published / name / locked]
                if tables_of(from_nothing(self.specimens, then) / name) == expected:
                    assert made.differences == ()
                elif then.values(name) != self.world.values(name) and name not in self.plain.kept:
                    assert made.differences, "a final round would change, and nobody was told"
        folder, made_now = nothing / "extracts", self.home.extracts
        for path in [*folder.rglob(PART)] if folder.exists() else []:
            assert (made_now / path.relative_to(folder)).read_bytes() == path.read_bytes()
        assert len([*made_now.rglob(PART)]) == len([*folder.rglob(PART)])

    @rule(part=st.sampled_from(("extracts", "parameters", "models", "one model", "estimates", "publish")))
    def a_part_of_a_run(self, part: str) -> None:
        before = tree_hash(self.home.published) if self.home.published.exists() else ""
        if part == "one model":
            tiny.models(self.home, "selection")
        else:
            done = tiny.ACTS[part](self.home)
            if part == "publish" and done is None and not self.pointers_wrong:
                assert before == (tree_hash(self.home.published) if self.home.published.exists() else "")
        self._did(part)

    def _killed(self, act: str, at: int, *arguments: str) -> None:
        died = self.server.put_through(self.home, act, *arguments, at=at, quick=self.quick)
        self._did(f"killed {act}" if died.was_killed else act)
        self.pointers_wrong = died.was_killed

    @rule(shorts=st.lists(SHORTS, max_size=2, unique=True), at=st.integers(1, 400))
    def a_run_is_killed(self, shorts: list[str], at: int) -> None:
        self.specimens.put(self.home, *shorts)
        self.put |= set(shorts)
        self._killed("run", at)

    @rule(part=st.sampled_from(("archive", "settle", "extracts", "parameters", "models", "estimates", "publish")),
          shorts=st.lists(SHORTS, max_size=2, unique=True), at=st.integers(1, 80))  # fmt: skip
    def a_part_of_a_run_is_killed(self, part: str, shorts: list[str], at: int) -> None:
        self.specimens.put(self.home, *shorts)
        self.put |= set(shorts)
        self._killed(part, at)

    @rule(act=st.sampled_from(("finalise", "amend", "withdraw_release", "reopen")), round_id=ROUND,
          at=st.integers(1, 120))  # fmt: skip
    def somebody_is_killed(self, act: str, round_id: str, at: int) -> None:
        """The process of somebody who puts a round through something."""
        self._killed(act, at, round_id)

    # -- releases

    def _refused_or(self, act: Callable[[Settings, str], Any], round_id: str) -> bool:
        """Do an act on a round; tell whether it was done. What is refused changes nothing."""
        with tiny.writing(self.home, "settle what was left"):
            pass
        before = tree_hash(self.home.home)
        try:
            act(self.home, round_id)
        except OppfolgingError:
            assert tree_hash(self.home.home) == before
            self._counted("refused")
            return False
        self._did(act.__name__.replace("_", " "))
        return True

    @rule(round_id=ROUND, run_before=st.booleans())
    def finalised(self, round_id: str, run_before: bool) -> None:
        if run_before:
            self.a_run(twice=False)
        locked, published, fresh = self.plain.locks.get(round_id), self.plain.commits.get(round_id), self.clean
        done = self._refused_or(tiny.finalise, round_id)
        assert not (done and (locked or not published))
        if done or not (fresh and published and not locked and not self.world.missing(round_id)):
            return
        rows = pq.read_table(from_nothing(self.specimens, self.world) / round_id / "internal" / "selection.parquet")
        proposed = {r["municipality_code"] for r in rows.to_pylist() if r["proposed_status"] == "selected"}
        decided = {r["municipality_code"] for r in rows.to_pylist() if r["decision"]}
        assert proposed - decided, "everything is in and decided on, and the round could not be final"

    @precondition(lambda self: any(self.plain.locks.values()))
    @rule(round_id=ROUND, run_before=st.booleans())
    def amended(self, round_id: str, run_before: bool) -> None:
        if run_before:
            self.a_run(twice=False)
        locked, fresh = self.plain.locks.get(round_id), self.clean
        done = self._refused_or(tiny.amend, round_id)
        assert not done or locked
        if locked and fresh and not done:
            then = self.worlds[self.home.published / round_id / locked]
            assert then.values(round_id) == self.world.values(round_id), "figures changed, and nothing could be amended"

    @precondition(lambda self: any(self.plain.locks.values()))
    @rule(round_id=ROUND, act=st.sampled_from((tiny.withdraw_release, tiny.reopen, tiny.keep)))
    def on_a_release(self, round_id: str, act: Callable[[Settings, str], Any]) -> None:
        locked = self.plain.locks.get(round_id)
        assert not self._refused_or(act, round_id) or locked

    @precondition(lambda self: self.here["refused"] < 6)
    @rule(round_id=ROUND, which=NUMBER)
    def what_must_be_refused(self, round_id: str, which: int) -> None:
        short = sorted(FILES)[which]
        sha256, newest = self.specimens.shas[short], self.plain.newest(short)
        status = newest[1].status if newest else None
        acts: list[Callable[[Settings, str], Any]] = [
            lambda home, _: tiny.accept(home, sha256, code="no-such-warning"),
            lambda home, _: tiny.accept_missing(home, round_id, "english_scale_score"),
        ]
        acts += [lambda home, _: tiny.withdraw(home, sha256)] if status != "accepted" else []
        acts += [lambda home, _: tiny.dismiss(home, sha256)] if status not in ("held", "rejected") else []
        for act in acts:
            assert not self._refused_or(act, round_id)

    # -- rules

    @rule(limit=st.sampled_from(LIMITS))
    def the_rules_are_edited(self, limit: int) -> None:
        tiny.write_rules(self.home.home, limit)
        self.clean = self.clean and limit == self.limit
        self.limit = limit
        self._counted("rules edited")

    @precondition(lambda self: self.here["mistake in the rules"] < 2)
    @rule(shorts=st.lists(SHORTS, max_size=1))
    def a_mistake_in_the_rules_stops_a_run(self, shorts: list[str]) -> None:
        self.specimens.put(self.home, *shorts)
        self.put |= set(shorts)
        path = self.home.home / "rules" / "tiny.yaml"
        right = path.read_text(encoding="utf-8")
        before = {p: state_of(p) for p in self.home.published.glob("*/r*")} if self.home.published.exists() else {}
        path.write_text(right.replace("method: fixed", "method: fixd", 1), encoding="utf-8")
        with pytest.raises(RuleProblem):
            tiny.run(self.home)
        path.write_text(right, encoding="utf-8")
        assert {p: state_of(p) for p in self.home.published.glob("*/r*")} == before
        self._did("mistake in the rules")

    # -- mishaps

    @rule(damage=st.sampled_from(DAMAGES), which=NUMBER)
    def damaged(self, damage: Damage, which: int) -> None:
        if not damage.happens(self.home, which):
            return
        self.clean = False
        self.pointers_wrong |= "pointer-not-derived" in damage.codes
        self._counted(damage.name)
        if damage.codes and not self.torn:
            assert {*damage.codes} & {*self._codes()}, f"the doctor does not name {damage.name}"
        with Extracts(self.home) as extracts:
            expected = from_nothing(self.specimens, self.world) / "extracts"
            for key in extracts.in_force:
                (path,) = (p for p in expected.rglob(PART) if p.parent.name in (f"school_year={key[1]}", key[0]))
                assert extracts.table(key) == pq.read_table(path, partitioning=None), "a damaged partition was read"

    def _codes(self) -> Counter[str]:
        return Counter(state.finding.code for state in doctor.examine(self.home))

    @rule(then_run=st.booleans())
    def the_doctor_fixes(self, then_run: bool) -> None:
        tiny.fix(self.home)
        assert not [s.finding.code for s in doctor.examine(self.home) if s.repair is not None]
        self._did("doctor")
        if then_run:
            self.a_run(twice=False)

    @precondition(lambda self: self.clean and not self.torn)
    @rule()
    def after_a_run_the_doctor_names_what_waits_for_people_and_nothing_else(self) -> None:
        expected = Counter(f"file-{a.status}" for a in self.plain.open())
        waits = [r for r in ROUNDS if self.world.has_figures(r) and self.world.missing(r)]
        expected += Counter({"round-waits-for-inputs": len(waits), "final-round-would-change": self.changing})
        found = self._codes()
        assert found == expected, f"{found - expected} too many, {expected - found} too few"

    @rule()
    def the_ledger_is_backed_up(self) -> None:
        self.backups.append(self.ledger)

    @precondition(lambda self: self.ledger and self.here["ledger lost"] < 2)
    @rule(which=NUMBER, writer=st.sampled_from((tiny.run, tiny.settle, tiny.fix, tiny.parameters)))
    def an_old_ledger_stops_every_writer(self, which: int, writer: Callable[[Settings], Any]) -> None:
        """Deleted, shortened or restored from a backup: nothing is written until the newest copy is put back."""
        with tiny.writing(self.home, "settle what was left"):
            pass
        self.pointers_wrong = False
        right = self.home.ledger.read_bytes()
        lines = right.splitlines(keepends=True)
        older = [b"", b"".join(lines[:-1]), *(b for b in self.backups if len(b) < len(self.ledger))]
        chosen = older[which % len(older)]
        self.home.ledger.write_bytes(chosen) if chosen else self.home.ledger.unlink()
        before = tree_hash(self.home.home)
        with pytest.raises(IntegrityProblem):
            writer(self.home)
        assert tree_hash(self.home.home) == before
        assert any(s.finding.severity.value == "FAIL" for s in doctor.examine(self.home))
        self.home.ledger.write_bytes(right)
        self._counted("ledger lost")

    def teardown(self) -> None:
        """Whatever was done: one more run, and everything is as it should be."""
        if not hasattr(self, "home") or sys.exc_info()[0]:
            return
        self.a_run(twice=True)
        self.look()
        if not self.torn:
            self.after_a_run_the_doctor_names_what_waits_for_people_and_nothing_else()


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[type[Homes]]:
    with ready(tmp_path_factory.mktemp("states")) as homes:
        yield homes


@contextmanager
def ready(folder: Path, quick: bool = True) -> Iterator[type[Homes]]:
    """The machine with what all its homes share."""
    with tiny.quickly(quick), tiny.Server() as server:
        Homes.specimens, Homes.server, Homes.quick = Specimens(folder), server, quick
        starts = {"empty": Homes.specimens.home("empty")}
        published = starts["published"] = Homes.specimens.home("published")
        Homes.specimens.put(published, "base24", "base25")
        tiny.run(published)
        released = starts["released"] = Homes.specimens.home("released", published.home)
        Homes.specimens.put(released, "decided24", "decided25")
        tiny.run(released)
        tiny.finalise(released, "tiny-2024")
        Homes.starts = {name: home.home for name, home in starts.items()}
        yield Homes


def take_steps(homes: type[Homes], examples: int, steps: int, chosen: int = 0) -> None:
    """Let the machine take so many steps in so many homes. ``chosen`` is the seed of what it does."""
    profile = settings(
        max_examples=examples, stateful_step_count=steps, deadline=None, database=None,
        suppress_health_check=list(HealthCheck), print_blob=False, phases=[Phase.generate], report_multiple_bugs=False,
    )  # fmt: skip
    run_state_machine_as_test(seed(chosen)(homes), settings=profile)


def test_whatever_is_done_what_is_published_follows_from_archive_and_rules(machine: type[Homes]) -> None:
    take_steps(machine, EXAMPLES, STEPS)


DBT_ALONE = (
    "import sys; from dagster_project.transform import dbt_step; from dagster_project.settings import load_settings;"
    "from dagster_project.intake.partitions import Extracts; settings = load_settings(sys.argv[1]);"
    "sys.exit(not dbt_step.build(settings, Extracts(settings).paths()).success)"
)


def test_models_built_without_dbt_are_those_of_dbt_whatever_the_order_of_rows_threads_and_time_zone(
    tmp_path: Path,
) -> None:
    """The one build by dbt itself, which the quick ones above are held to, byte for byte."""
    specimens = Specimens(tmp_path)
    home = specimens.home("home")
    specimens.put(home, "base24", "base25", "reading25", "decided24")
    with tiny.quickly():
        tiny.run(home)
    quick = {p.name: p.read_bytes() for p in home.marts.glob("*.parquet")}
    for path in home.extracts.rglob("*.parquet"):
        rows = pq.read_table(path, partitioning=None)
        pq.write_table(rows.take(pa.array(range(rows.num_rows - 1, -1, -1))), path)
    environment = {"OPPFOLGING_THREADS": "1", "TZ": "Pacific/Auckland", "LC_ALL": "C", "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [sys.executable, "-c", DBT_ALONE, str(home.home)], env=environment, cwd=REPOSITORY, timeout=200
    )
    assert done.returncode == 0
    assert {p.name: p.read_bytes() for p in home.marts.glob("*.parquet")} == quick
