"""A tiny home for the tests of states and kills: five municipalities, two rounds, a dozen files, and every act on them.

The rules are those of ``np-scale-score`` on one grade and one year, without placeholders, so that a round can be final.
A file is known by a short name; it is written in a real format, always with the same bytes.

As a program (``python -m tests.faults.tiny``) it puts a home through an act in a process of its own and ends that
process at the n-th write, as a power cut would: no ``finally`` runs.
"""

from __future__ import annotations

import builtins
import csv
import datetime as dt
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import traceback
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache, wraps
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any
from unittest import mock

import yaml

from dagster_project import fingerprint, schema
from dagster_project.archive.guard import writing
from dagster_project.archive.store import sha256_of
from dagster_project.audit import backup as backups
from dagster_project.audit import doctor, retention
from dagster_project.forms.spec import DECISIONS
from dagster_project.forms.write import write_form
from dagster_project.intake import flow, reader
from dagster_project.intake.checks import check_partition
from dagster_project.intake.partitions import Extracts
from dagster_project.publication import edition, manifest, report_site
from dagster_project.publication.edition import Revision
from dagster_project.rounds import inputs, monitoring, publishing, release, uncertainty
from dagster_project.rules import load_rules, loader
from dagster_project.rules.fields import valid_organisation_number
from dagster_project.settings import REPOSITORY, Settings, load_settings
from dagster_project.transform import built, dbt_step, snapshot
from dagster_project.transform.parameters import compile_snapshot
from dagster_project.transform.warehouse import INPUTS, prepare_home, record_path
from dagster_project.validation import checkpoints
from tests import samples
from tests.conftest import NOW

ROUNDS = {"tiny-2024": "2023-24", "tiny-2025": "2024-25"}
COHORTS = {name: f"uttrekk_{name[-4:]}" for name in ROUNDS}
MUNICIPALITIES = ("6101", "6102", "6103", "6104", "6105")
SUBJECTS = {"reading_scale_score": "Lesing", "numeracy_scale_score": "Regning"}
BOTH = tuple(SUBJECTS)
LIMITS = (45, 47)
"""Absolute limits of the rule set: the first until somebody edits it."""
BY, REASON, RUN = "Prøve Person", "because a test asks", "a-run"
SIGNED: dict[str, Any] = {"by": BY, "reason": REASON, "now": NOW}
VALID = [code for n in range(200) if valid_organisation_number(code := f"1{n:08d}")]
SCHOOLS = {VALID[i]: MUNICIPALITIES[i // 2] for i in range(10)}
DATA = REPOSITORY / "data"


@dataclass(frozen=True)
class Figures:
    """An export of the national tests: which year and indicators, and how its values differ from other exports."""

    stamp: str
    year: str
    indicators: tuple[str, ...]
    turn: int
    without: str | None = None
    off_scale: bool = False

    def score(self, code: str) -> int:
        """The value of a municipality or school."""
        municipality = SCHOOLS.get(code, code)
        place = (MUNICIPALITIES.index(municipality) + self.turn) % len(MUNICIPALITIES)
        return 44 + 2 * place + (0 if code == municipality else list(SCHOOLS).index(code) % 2)


@dataclass(frozen=True)
class Decided:
    """A workbook of decisions."""

    round: str
    day: dt.date
    decisions: Mapping[str, str]


@dataclass(frozen=True)
class Junk:
    """No file of any kind that is known."""


FILES: dict[str, Figures | Decided | Junk] = {
    "base24": Figures("20240110-0900", "2023-24", BOTH, 0),
    "base25": Figures("20250110-0900", "2024-25", BOTH, 1),
    "reading24": Figures("20240301-0900", "2023-24", BOTH[:1], 2),
    "reading25": Figures("20250301-0900", "2024-25", BOTH[:1], 3),
    "numeracy25": Figures("20250401-0900", "2024-25", BOTH[1:], 4),
    "older25": Figures("20241201-0900", "2024-25", BOTH[:1], 2),
    "fewer25": Figures("20250501-0900", "2024-25", BOTH[:1], 3, without=list(SCHOOLS)[-1]),
    "bad25": Figures("20250601-0900", "2024-25", BOTH[:1], 0, off_scale=True),
    "junk": Junk(),
    "decided24": Decided("tiny-2024", dt.date(2024, 3, 1), {"6101": "takker ja", "6102": "takker ja"}),
    "declined24": Decided("tiny-2024", dt.date(2024, 4, 1), {"6101": "takker nei", "6102": "takker ja"}),
    "decided25": Decided(
        "tiny-2025", dt.date(2025, 3, 1), {"6104": "takker ja", "6105": "takker ja", "6103": "takker ja"}
    ),
}


def _rows(file: Figures) -> list[list[str]]:
    def cells(value: str, count: str) -> list[str]:
        return [cell for _ in file.indicators for cell in (value, "0,9", count)]

    county = ["61", "0000", "61", samples.NATION, "Ytterfabel", "Alle kommuner", "Alle skoler"]
    rows = [
        [
            "1",
            "I",
            "00",
            "0000",
            "I",
            samples.NATION,
            "Alle fylker",
            "Alle kommuner",
            "Alle skoler",
            *cells("49", "1000"),
        ],
        ["2", "I", *county, *cells("49", "1000")],
    ]
    for code in MUNICIPALITIES:
        place = [samples.NATION, "Ytterfabel", f"Fabel {code}"]
        rows.append(["3", "I", "61", code, code, *place, "Alle skoler", *cells(str(file.score(code)), "200")])
        for school, municipality in SCHOOLS.items():
            if municipality == code and school != file.without:
                value = "148" if file.off_scale else str(file.score(school))
                rows.append(["4", "I", "61", code, school, *place, f"Skole {school[-3:]}", *cells(value, "100")])
    return rows


def name_of(short: str) -> str:
    """What the file is called when it arrives."""
    file = FILES[short]
    if isinstance(file, Figures):
        return f"{file.stamp}_{short}.csv"
    return f"{short}.xlsx" if isinstance(file, Decided) else f"{short}.txt"


def write(folder: Path, short: str) -> Path:
    """Write a file as it arrives."""
    file, path = FILES[short], folder / name_of(short)
    if isinstance(file, Junk):
        path.write_text("Dette er ingen eksport.\n", encoding="utf-8")
    elif isinstance(file, Figures):
        stems = [samples.STEM.format(year=file.year).replace("Lesing", SUBJECTS[i]) for i in file.indicators]
        header = samples.UNITS + [stem + m for stem in stems for m in samples.MEASURES]
        text = "\n".join("\t".join(line) for line in (header, *_rows(file))) + "\n"
        samples.write(path, "sep=\t\n" + text)
    else:
        rows = [
            {"round": file.round, "municipality_code": code, "municipality_name": f"Fabel {code}", "decision": says,
             "decided_on": file.day, "decided_by": "Udir (oppdiktet)", "reason": "" if says == "takker ja" else "vil ikke"}
            for code, says in file.decisions.items()
        ]  # fmt: skip
        write_form(path, DECISIONS, fields={}, rows=rows, fictional=True)
    return path


def write_rules(home: Path, limit: int) -> None:
    """The rule set ``tiny``, with this absolute limit."""
    rules: dict[str, Any] = yaml.safe_load((DATA / "rules" / "np-scale-score.yaml").read_text(encoding="utf-8"))
    inferred = {"basis": "inferred", "source": "method"}
    rules |= {"rule_set": "tiny", "title": "Oppdiktet / fictional"}
    rules["window"]["years"] = {"value": 1, **inferred}
    rules["coverage"]["min_coverage"] = {"value": 0, **inferred}
    rules["groups"]["spread"]["level"] = {"value": 0, **inferred}
    for group in ("average", "spread"):
        rules["groups"][group] |= {"quota": {"value": 1, **inferred}, "reserve": {"value": 1, **inferred}}
    for indicator in rules["indicators"]:
        indicator["grades"] = {"value": [5], **inferred}
        indicator["absolute"] = {"method": "fixed", "value": limit, **inferred}
    (home / "rules" / "tiny.yaml").write_text(yaml.safe_dump(rules, allow_unicode=True), encoding="utf-8")


def lay_out(home: Path, limit: int = LIMITS[0]) -> Settings:
    """A home with rules and no file."""
    (home / "rules").mkdir(parents=True)
    write_rules(home, limit)
    rounds = [
        {"id": name, "title": "Oppdiktet / fictional", "origin": "fictional", "rule_set": "tiny", "status": "draft",
         "last_school_year": year, "selection_date": dt.date(int(year[:4]) + 1, 2, 15), "source": "this test"}
        for name, year in ROUNDS.items()
    ]  # fmt: skip
    (home / "rounds.yaml").write_text(yaml.safe_dump({"rounds": rounds}, allow_unicode=True), encoding="utf-8")
    shutil.copytree(DATA / "registers", home / "registers")
    assumed = yaml.safe_load((DATA / "uncertainty.yaml").read_text(encoding="utf-8"))
    assumed["draws"]["value"] = 20
    (home / "uncertainty.yaml").write_text(yaml.safe_dump(assumed, allow_unicode=True), encoding="utf-8")
    return load_settings(home)


class Specimens:
    """The files with their hashes, what the readers gave of them, and homes to copy. Made once below ``folder``."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.read = folder, folder / "read"
        (folder / "files").mkdir(parents=True)
        self.paths = {short: write(folder / "files", short) for short in FILES}
        self.shas = {short: sha256_of(path) for short, path in self.paths.items()}
        self.shorts = {sha256: short for short, sha256 in self.shas.items()}
        for short, sha256 in self.shas.items():
            os.utime(self.paths[short], (0, 0))
            reader.read_into(self.paths[short], sha256, name_of(short), self.read / sha256[:2] / sha256)

    def home(self, name: str, copied: Path | None = None) -> Settings:
        """A home below the folder: a copy of another one, or one with rules and no file. What was there is gone."""
        home = self.folder / name
        if home.exists():
            shutil.rmtree(home)
        if copied is not None:
            shutil.copytree(copied, home)
            return load_settings(home)
        settings = lay_out(home)
        shutil.copytree(self.read, settings.read)
        return settings

    def put(self, settings: Settings, *shorts: str) -> None:
        """Put files into the inbox. They have stood still for long."""
        settings.inbox.mkdir(exist_ok=True)
        for short in shorts:
            shutil.copy2(self.paths[short], settings.inbox / name_of(short))


@cache
def _models() -> tuple[dict[str, Any], ...]:
    """Every model with its compiled SQL, each after those it selects from."""
    nodes = {k: n for k, n in dbt_step.load_manifest(load_settings())["nodes"].items() if n["resource_type"] == "model"}
    order = TopologicalSorter({k: [d for d in n["depends_on"]["nodes"] if d in nodes] for k, n in nodes.items()})
    return tuple(nodes[k] for k in order.static_order())


_built: dict[str, dict[str, bytes]] = {}


def quick_models(
    settings: Settings, inputs: Any, *, select: Sequence[str] = (), tests: bool = True,
    on_node: Callable[[str, str], None] | None = None,
) -> dbt_step.DbtOutcome:  # fmt: skip
    """What ``dbt_step.build`` leaves behind, from the SQL that dbt compiled, in a twentieth of the time and untested.

    The marts are the same, byte for byte: ``test_states`` holds one build to dbt's own. The same inputs are built once.
    """
    import duckdb

    tell = on_node or (lambda name, status: None)
    dbt_step.require_prepared(settings)
    prepare_home(settings, inputs)
    record_path(settings).unlink(missing_ok=True)
    listed: dict[tuple[str, str], list[str]] = defaultdict(list)
    content = hashlib.sha256()
    with (settings.warehouse.parent / INPUTS).open(encoding="utf-8", newline="") as handle:
        for place, name, path in csv.reader(handle):
            listed[place, name].append(str(settings.home / path))
            content.update(f"{place} {name} {sha256_of(settings.home / path)}".encode())
    if (key := content.hexdigest()) not in _built:
        marts = {}
        with duckdb.connect(":memory:", config={"threads": 1}) as connection:
            connection.execute("attach ':memory:' as oppfolging")
            connection.execute("use oppfolging.main")
            for (place, name), paths in listed.items():
                connection.execute(f"create schema if not exists {place}")
                read = f"read_parquet({sorted(paths)}, union_by_name = true, hive_partitioning = false)"
                connection.execute(f"create table {place}.{name} as select * from {read}")
            for model in _models():
                kind = "view" if model["config"]["materialized"] == "view" else "table"
                connection.execute(f"create {kind} {model['relation_name']} as {model['compiled_code']}")
            for model in (m for m in _models() if "marts" in m["fqn"]):
                target = settings.marts / f"{model['name']}.parquet"
                rows = f"select * from {model['relation_name']} order by {model['config']['meta']['order_by']}"
                connection.execute(f"copy ({rows}) to '{target}' (format parquet, compression zstd)")
                marts[model["name"]] = target.read_bytes()
        _built[key] = marts
    if not settings.warehouse.exists():
        duckdb.connect(str(settings.warehouse)).close()
    for name, mart in _built[key].items():
        if not select or name in select:
            (settings.marts / f"{name}.parquet").write_bytes(mart)
            tell(name, "success")
    return dbt_step.DbtOutcome(())


def _once(made: Callable[..., Any], key: Callable[..., Any]) -> Callable[..., Any]:
    """A function whose results are kept by a key that stands for all they follow from."""
    kept: dict[Any, Any] = {}

    def known(*given: Any) -> Any:
        if (found := key(*given)) not in kept:
            kept[found] = made(*given)
        return kept[found]

    return known


def _frame_key(
    home: Any, name: str, entries: Any, frame: Any, place: Any, parameters: Any, file: str
) -> tuple[Any, ...]:
    from pandas.util import hash_pandas_object

    content = hash_pandas_object(frame.astype(str)).to_numpy().tobytes()
    return name, content, tuple(frame.columns), place, json.dumps(parameters, default=str), file


KEPT: tuple[tuple[Any, str, Callable[..., Any]], ...] = (
    (checkpoints, "run", _frame_key),
    (dbt_step, "source_digest", lambda settings: settings.dbt_project),
    (loader, "read_yaml", lambda path, name: (path.read_bytes(), name)),
    (monitoring, "cohort_effect", lambda settings, _: monitoring.effects_basis(settings)["cohort_effect"]),
    (uncertainty, "round_uncertainty", lambda settings, book, r: uncertainty.uncertainty_bases(settings, book, [r])[r]),
    *((room, "version", lambda package: package) for room in (fingerprint, manifest)),
)
"""What takes most of the time of a run of a tiny home, each with all that its result follows from."""
_kept = {(room, name): _once(getattr(room, name), key) for room, name, key in KEPT}


@contextmanager
def quickly(wanted: bool = True) -> Iterator[None]:
    """Build the models without dbt, publish tables and manifest without workbooks and pages, compute everything once."""
    if not wanted:
        yield
        return
    nothing = mock.Mock(return_value=None)
    with ExitStack() as patched:
        for (room, name), known in _kept.items():
            patched.enter_context(mock.patch.object(room, name, known))
        patched.enter_context(mock.patch.object(dbt_step, "build", quick_models))
        for room, name in ((edition, "_fill_spreadsheets"), (report_site, "fill_sites"), (publishing, "_fill_forms")):
            patched.enter_context(mock.patch.object(room, name, nothing))
        yield


# ---- acts: each holds the write lock for itself, as an asset or a command does ------------------------------------


def archive(settings: Settings) -> list[flow.IntakeResult]:
    """What the asset ``inbox`` does before it pins."""
    with writing(settings, "inbox"):
        return [*flow.archive_inbox(settings, now=NOW), *flow.settle(settings, now=NOW, datasets=())]


def settle(settings: Settings) -> list[flow.IntakeResult]:
    with writing(settings, "settle"):
        return flow.settle(settings, now=NOW)


def ingest(settings: Settings, *paths: str) -> list[flow.IntakeResult]:
    with writing(settings, "ingest"):
        return flow.take_in_all([Path(p) for p in paths], settings, now=NOW, by="ingest")


def extracts(settings: Settings) -> None:
    """Materialise every partition, made and checked anew."""
    with writing(settings, "extracts"), Extracts(settings) as made:
        for key in made.in_force:
            made.make(key)
            check_partition(made, key, run_id=RUN, now=NOW, anew=True)


def parameters(settings: Settings) -> None:
    with writing(settings, "parameters"):
        compile_snapshot(settings, snapshot.repin(settings, RUN))


def models(settings: Settings, *select: str) -> None:
    """Build the models for what stands now, or only those named."""
    with writing(settings, "models"):
        outcome = built.build_models(settings, snapshot.repin(settings, RUN), RUN, select=select, on_node=_on_node)
        assert outcome.success, [f.as_text() for f in outcome.findings]


def _on_node(name: str, status: str) -> None:
    """Told of every node; a process that is to be killed counts them."""


def estimates(settings: Settings) -> None:
    """The marts made outside of dbt, when the others are those of what stands now."""
    with writing(settings, "estimates"):
        if not built.differences(settings, snapshot.pin(settings, RUN)):
            rulebook = load_rules(settings)
            monitoring.current_effects(settings, rulebook)
            uncertainty.current_uncertainty(settings, rulebook, publishing.computed_rounds(settings, rulebook))


def publish(settings: Settings) -> dict[str, Revision | None] | None:
    """Publish every round and cohort, as the assets do; None when the marts are not those of what stands now."""
    with writing(settings, "publish"):
        pinned = snapshot.repin(settings, RUN)
        if publishing.behind(settings, pinned):
            return None
        found = {r: publishing.publish_round(settings, pinned, r, now=NOW, by=RUN) for r in ROUNDS}
        return found | {COHORTS[r]: publishing.publish_cohort(settings, pinned, r, now=NOW) for r in ROUNDS}


def run(settings: Settings) -> dict[str, Revision | None]:
    """What ``oppfolging run`` does, without Dagster."""
    archive(settings)
    with writing(settings, "extracts"):
        flow.settle(settings, now=NOW)
        with Extracts(settings, snapshot.repin(settings, RUN).head) as made:
            made.ensure()
    with writing(settings, "models"):
        pinned = snapshot.pin(settings, RUN)
        compile_snapshot(settings, pinned)
        before = built.last_build(settings)
        if before is None or (before.snapshot.identity, before.snapshot.day) != (pinned.identity, pinned.day):
            assert built.build_models(settings, pinned, RUN, on_node=_on_node).success
    estimates(settings)
    found = publish(settings)
    assert found is not None, "a whole run made everything that it publishes"
    return found


def _on_round(act: Callable[..., Any]) -> Callable[[Settings, str], Any]:
    @wraps(act)
    def done(settings: Settings, round_id: str) -> Any:
        with writing(settings, act.__name__):
            return act(settings, round_id, **SIGNED)

    return done


def _on_file(act: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(act)
    def done(settings: Settings, sha256: str, **more: str) -> Any:
        with writing(settings, act.__name__):
            return act(settings, sha256, **SIGNED, **more)

    return done


def accept_missing(settings: Settings, round_id: str, indicator: str) -> None:
    with writing(settings, "accept missing"):
        wanted = (schema.NATIONAL_TESTS, ROUNDS[round_id], indicator, 5)
        inputs.accept_missing(settings, round_id, wanted, **SIGNED)


def fix(settings: Settings) -> list[str]:
    with writing(settings, "doctor"):
        return [finding.code for finding in doctor.fix(settings)]


def backup(settings: Settings, target: str) -> None:
    backups.backup(settings, Path(target), now=NOW)


def restore(settings: Settings, source: str) -> None:
    backups.restore(settings, Path(source))


def prune(settings: Settings, now: str) -> None:
    with writing(settings, "prune"):
        retention.prune(settings, by=BY, now=dt.datetime.fromisoformat(now))


finalise, amend, withdraw_release, reopen, keep = (
    _on_round(act) for act in (release.finalise, release.amend, release.withdraw, release.reopen, release.keep)
)
accept, dismiss, withdraw = (_on_file(act) for act in (flow.accept, flow.dismiss, flow.withdraw))
ACTS: dict[str, Callable[..., Any]] = {
    "archive": archive, "settle": settle, "ingest": ingest, "extracts": extracts, "parameters": parameters,
    "models": models, "estimates": estimates, "publish": publish, "run": run, "finalise": finalise, "amend": amend,
    "withdraw_release": withdraw_release, "reopen": reopen, "withdraw": withdraw, "dismiss": dismiss, "accept": accept,
    "accept_missing": accept_missing, "fix": fix, "backup": backup, "restore": restore, "prune": prune,
}  # fmt: skip


def released(specimens: Specimens) -> Settings:
    """A home in which one round is final, and the other is published and may be released."""
    settings = specimens.home("released")
    with quickly():
        for delivery in (("base24", "base25", "reading25"), ("decided24",)):
            specimens.put(settings, *delivery)
            run(settings)
        finalise(settings, "tiny-2024")
        run(settings)
    return settings


# ---- killing: a server that forks, and a child that counts its writes ---------------------------------------------


class _Writes:
    """The writes of this process below a folder. The process ends at number ``at``; without it they are listed.

    Of a file that is open, the first write counts, or ``every`` one.
    """

    def __init__(self, folder: Path, at: int | None, every: bool = False) -> None:
        self.folder, self.at, self.every, self.seen = f"{folder}/", at, every, list[str]()

    def before(self, what: str, path: Any, half: Callable[[], object] | None = None) -> None:
        """A write is about to happen. ``half`` does a part of it: then it counts twice, once before and once within."""
        named = os.fspath(path) if isinstance(path, str | os.PathLike) else ""
        if not named.startswith(self.folder) or named.endswith("lock"):
            return
        for how, first in (("before", None), ("within", half)):
            if how == "before" or half is not None:
                self.seen.append(f"{how} {what} {named.removeprefix(self.folder)}")
                if len(self.seen) == self.at:
                    if first is not None:
                        first()
                    os._exit(KILLED)

    def audited(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event in ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.chmod"):
            self.before(event, arguments[1 if event == "os.rename" else 0])
        elif event == "shutil.rmtree":
            files = [p for p in Path(arguments[0]).rglob("*") if p.is_file()]
            self.before(event, arguments[0], files[0].unlink if files else None)

    def node(self, mart: Path) -> None:
        """A model was built; DuckDB writes marts by itself, so one may be cut now."""
        self.before("node", mart, (lambda: os.truncate(mart, mart.stat().st_size // 2)) if mart.exists() else None)

    def install(self) -> None:
        """Count from now on, until the process ends."""
        import pyarrow.parquet as pq

        opened, synced, written, copied = io.open, os.fsync, pq.write_table, shutil.copyfile

        def opening(path: Any, mode: str = "r", *more: Any, **named: Any) -> Any:
            if not set(mode) & set("wax+"):
                return opened(path, mode, *more, **named)
            self.before("open", path)
            return _Handle(opened(path, mode, *more, **named), self, path)

        def syncing(number: int) -> None:
            self.before("fsync", Path(f"/proc/self/fd/{number}").readlink())
            synced(number)

        def by_halves(real: Callable[..., Any], what: str) -> Callable[..., Any]:
            """A function that writes a whole file, which its second argument names."""

            def done(source: Any, path: Any, **named: Any) -> Any:
                def half() -> None:
                    real(source, path, **named)
                    os.truncate(path, Path(path).stat().st_size // 2)

                self.before(what, path, half)
                return real(source, path, **named)

            return done

        for room, name, new in (
            (io, "open", opening), (builtins, "open", opening), (os, "fsync", syncing),
            (pq, "write_table", by_halves(written, "write")), (shutil, "copyfile", by_halves(copied, "copy")),
        ):  # fmt: skip
            setattr(room, name, new)
        sys.addaudithook(self.audited)


class _Handle:
    """An open file. Its first write may be cut in the middle, or be lost with what was not flushed."""

    def __init__(self, handle: Any, writes: _Writes, path: Any) -> None:
        self._handle, self._writes, self._path, self._first = handle, writes, path, True

    def write(self, data: Any) -> Any:
        if self._first or self._writes.every:
            self._first = False
            self._writes.before("write", self._path, lambda: self._write_and_flush(data[: len(data) // 2]))
        return self._handle.write(data)

    def _write_and_flush(self, data: Any) -> None:
        self._handle.write(data)
        self._handle.flush()

    def __enter__(self) -> _Handle:
        return self

    def __exit__(self, *_: object) -> None:
        self._writes.before("close", self._path)
        self._handle.close()

    def __iter__(self) -> Any:
        return iter(self._handle)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._handle, name)


KILLED = 9


@dataclass(frozen=True)
class Died:
    """How a process ended that was put through an act: its status, what it wrote, and what it raised."""

    status: int
    writes: tuple[str, ...]
    error: str

    @property
    def was_killed(self) -> bool:
        return self.status == KILLED


class Server:
    """Puts homes through acts, each in a process of its own that has everything imported. Use it as a context."""

    def __enter__(self) -> Server:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.tiny"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=REPOSITORY,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"},
        )  # fmt: skip
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def put_through(
        self, settings: Settings, act: str, *arguments: str, at: int | None = None, quick: bool = True,
        watched: Path | None = None,
    ) -> Died:  # fmt: skip
        """Do an act to a home in another process, and end that at its n-th write: to the home, or below ``watched``."""
        request = {"home": str(settings.home), "act": act, "arguments": arguments, "at": at, "quick": quick,
                   "watched": str(watched or "")}  # fmt: skip
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(request).encode() + b"\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        return Died(answer["status"], tuple(answer["writes"]), answer["error"])


def _child(request: dict[str, Any], answer: int) -> None:
    """Do the act; tell what was written and what was raised."""
    settings = load_settings(request["home"])
    watched = request["watched"]
    writes, error = _Writes(Path(watched) if watched else settings.home, request["at"], bool(watched)), ""
    try:
        with quickly(request["quick"]):
            writes.install()
            named = {"code": request["arguments"][1]} if request["act"] == "accept" else {}
            arguments = request["arguments"][:1] if named else request["arguments"]
            globals()["_on_node"] = lambda name, status: writes.node(settings.marts / f"{name}.parquet")
            ACTS[request["act"]](settings, *arguments, **named)
    except Exception:
        error = traceback.format_exc()
    os.write(answer, json.dumps([writes.seen, error]).encode())
    os._exit(1 if error else 0)


def main() -> None:
    """Serve: one request a line, one answer a line."""
    from tqdm import tqdm

    tqdm.monitor_interval = 0  # a thread of its own would not be there after a fork
    checkpoints.warm()
    dbt_step.warm()
    _models()
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    for line in sys.stdin.buffer:
        read, write_end = os.pipe()
        if (child := os.fork()) == 0:
            os.close(read)
            _child(json.loads(line), write_end)
        os.close(write_end)
        with os.fdopen(read, "rb") as pipe:
            said = pipe.read()
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        writes, error = json.loads(said) if said else ([], "")
        answers.write(json.dumps({"status": status, "writes": writes, "error": error}).encode() + b"\n")
        answers.flush()


if __name__ == "__main__":
    main()
