"""Stored bytes that were changed: every kind of tampering is named, and nothing beside it is named wrongly."""

from __future__ import annotations

import errno
import json
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from random import Random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from dagster_project.archive import Archive, Head, seals
from dagster_project.archive.commits import lost_lines, read_manifest
from dagster_project.archive.guard import writing
from dagster_project.archive.store import sha256_of
from dagster_project.arrow import write_parquet
from dagster_project.audit.verify import compare_extracts, difference, verify
from dagster_project.cli import main
from dagster_project.diagnostics import IntegrityProblem, PipelineProblem
from dagster_project.intake.partitions import Extracts
from dagster_project.private import READ_ONLY
from dagster_project.publication import tables, verify_revision
from dagster_project.publication.edition import make_revision, marked_withdrawn, released_tables, subject_tables
from dagster_project.publication.subjects import round_subject
from dagster_project.rounds.monitoring import current_effects
from dagster_project.rounds.publishing import behind, computed_rounds, refuse_behind
from dagster_project.rounds.uncertainty import current_uncertainty
from dagster_project.rules import load_rules
from dagster_project.settings import REPOSITORY, Settings, load_settings
from dagster_project.transform import built, derived, snapshot
from dagster_project.transform.warehouse import record_path
from tests import samples
from tests.conftest import NOW, tree_hash
from tests.homes import take_in, take_in_one

pytestmark = pytest.mark.usefixtures("shared_reader")
ROUND = "tiny-2025"
TAMPERINGS = 40
Found = set[tuple[str, str]]


@pytest.fixture(scope="module")
def tiny_home(tmp_path_factory: pytest.TempPathFactory, shared_reader: None) -> Path:
    """One published round on a few schools: with a superseded, a rejected and a held file in the archive."""
    home, files = tmp_path_factory.mktemp("tiny") / "home", tmp_path_factory.mktemp("files")
    settings = load_settings(home)
    home.mkdir(parents=True, exist_ok=True)
    entry = {"id": ROUND, "title": "Oppdiktet / fictional", "origin": "fictional", "rule_set": "np-scale-score",
             "last_school_year": "2024-25", "selection_date": NOW.date(), "status": "draft", "source": "this test"}  # fmt: skip
    other = {**entry, "id": "other-round", "origin": "official", "rule_set": "udir-2020",
             "selection_date": NOW.date().replace(year=2025)}  # fmt: skip
    (home / "rounds.yaml").write_text(yaml.safe_dump({"rounds": [entry, other]}), encoding="utf-8")
    shutil.copytree(REPOSITORY / "data" / "registers", home / "registers")
    assumed = (REPOSITORY / "data" / "uncertainty.yaml").read_text(encoding="utf-8")
    (home / "uncertainty.yaml").write_text(
        assumed.replace("draws: {value: 1000", "draws: {value: 20"), encoding="utf-8"
    )
    with (home / "registers" / "exceptions.yaml").open("a", encoding="utf-8") as register:
        register.write('  - {unit_level: school, unit_code: "100000008", kind: excluded, rounds: [other-round], '
                       'ground: "another round", source: "this test"}\n')  # fmt: skip
    results = take_in(
        settings,
        *(samples.national_tests(files / f"{year}.csv", year=year) for year in ("2022-23", "2023-24", "2024-25")),
        samples.national_tests(files / "newer.csv", samples.rows("44"), year="2023-24"),
        samples.national_tests(files / "broken.csv", samples.rows("148")),
        samples.national_tests(files / "fewer.csv", samples.rows()[:4]),
    )
    assert [r.status for r in results] == [*["accepted"] * 4, "rejected", "held"]
    pinned = snapshot.pin(settings, "a-run")
    assert built.build_models(settings, pinned, "a-run").success
    rulebook = load_rules(settings)
    current_effects(settings, rulebook)
    current_uncertainty(settings, rulebook, [ROUND])
    subject = round_subject(rulebook, ROUND)
    life = {"status": "candidates", "release": None}
    made = make_revision(settings, pinned, rulebook, subject, subject_tables(settings, subject), now=NOW, life=life)
    assert made.revision == "r0001" and made.rows["municipality_ranking"] > 0 < made.rows["selection_uncertainty"]
    current_uncertainty(settings, rulebook, computed_rounds(settings, rulebook))
    return home


@pytest.fixture
def home(tiny_home: Path, tmp_path: Path) -> Path:
    """A copy that may be tampered with."""
    return fresh(tiny_home, tmp_path / "home")


def fresh(tiny_home: Path, to: Path) -> Path:
    shutil.rmtree(to, ignore_errors=True)
    left_out = ("warehouse", "marts", "quarantine", "read", "snapshots", "parameters", "empty")
    shutil.copytree(tiny_home, to, ignore=shutil.ignore_patterns(*left_out))
    return to


@pytest.fixture(scope="module")
def replayed(tiny_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The extracts that the archive gives, made once: where they are compared, the archive was found to be whole."""
    scratch = Settings(home=tmp_path_factory.mktemp("replayed"))
    with Extracts(load_settings(tiny_home), out=scratch, anew=True) as extracts:
        extracts.ensure()
    return scratch


def revision(home: Path) -> Path:
    return home / "published" / ROUND / "r0001"


def some(rng: Random, root: Path, pattern: str = "*") -> Path:
    return rng.choice(sorted(p for p in root.rglob(pattern) if p.is_file()))


def rewrite(path: Path, content: bytes) -> None:
    if path.exists():
        path.chmod(0o644)
    path.write_bytes(content)


def flip(rng: Random, path: Path, start: int = 0, end: int | None = None) -> None:
    content = bytearray(path.read_bytes())
    content[rng.randrange(start, len(content) if end is None else end)] ^= 1 << rng.randrange(8)
    rewrite(path, bytes(content))


def ledger_lines(home: Path) -> list[bytes]:
    return (home / "archive" / "ledger.jsonl").read_bytes().splitlines(keepends=True)


def write_ledger(home: Path, lines: list[bytes]) -> None:
    (home / "archive" / "ledger.jsonl").write_bytes(b"".join(lines))


# Each tampering changes the home and returns the codes, with their files, that must be found: these and no others.


def archived_bit(home: Path, rng: Random) -> Found:
    path = some(rng, home / "archive" / "objects")
    flip(rng, path)
    return {("archived-file-changed", path.name)}


def archived_gone(home: Path, rng: Random) -> Found:
    path = some(rng, home / "archive" / "objects")
    path.unlink()
    return {("archived-file-missing", path.name)}


def archived_stray(home: Path, rng: Random) -> Found:
    content = rng.randbytes(20)
    stray = home / "stray"
    stray.write_bytes(content)
    archive = Archive(Settings(home=home))
    name = archive.keep(archive.store(stray).sha256).name
    return {("archived-file-unexpected", name)}


def ledger_bit(home: Path, rng: Random) -> Found:
    flip(rng, home / "archive" / "ledger.jsonl")
    return {("ledger-line-changed", "ledger.jsonl")}


def ledger_last_line_bit(home: Path, rng: Random) -> Found:
    lines = ledger_lines(home)
    path = home / "archive" / "ledger.jsonl"
    flip(rng, path, sum(map(len, lines[:-1])))
    return {("ledger-line-changed", "ledger.jsonl")}


def ledger_line_gone(home: Path, rng: Random) -> Found:
    lines = ledger_lines(home)
    del lines[rng.randrange(len(lines) - 1)]
    write_ledger(home, lines)
    return {("ledger-line-missing", "ledger.jsonl")}


def ledger_end_gone(home: Path, rng: Random) -> Found:
    write_ledger(home, ledger_lines(home)[:-1])
    return {("revision-not-in-ledger", "r0001/manifest.json")}


def ledger_swapped(home: Path, rng: Random) -> Found:
    lines = ledger_lines(home)
    a, b = rng.sample(range(len(lines)), 2)
    lines[a], lines[b] = lines[b], lines[a]
    write_ledger(home, lines)
    return {("ledger-line-reordered", "ledger.jsonl")}


def ledger_line_twice(home: Path, rng: Random) -> Found:
    lines = ledger_lines(home)
    a, b = sorted(rng.sample(range(len(lines)), 2))
    lines.insert(b, lines[a])
    write_ledger(home, lines)
    return {("ledger-line-unexpected", "ledger.jsonl")}


def ledger_forged_line(home: Path, rng: Random) -> Found:
    lines = ledger_lines(home)
    at = rng.randrange(1, len(lines) - 1)
    write_ledger(home, lines[:at])
    Archive(Settings(home=home)).append({"event": "warning_accepted", "by": "nobody"})
    write_ledger(home, [*ledger_lines(home), *lines[at:]])
    return {("ledger-line-unexpected", "ledger.jsonl")}


def extract_bit(home: Path, rng: Random) -> Found:
    path = some(rng, home / "extracts", "*.parquet")
    flip(rng, path)
    return {("extract-changed", path.relative_to(home).as_posix())}


def extract_cell(home: Path, rng: Random) -> Found:
    path = some(rng, home / "extracts", "*.parquet")
    table = pq.read_table(path, partitioning=None)
    at = table.schema.get_field_index("n_pupils")
    changed = pa.array([n and n + 1 for n in table["n_pupils"].to_pylist()], table.schema.field(at).type)
    pq.write_table(table.set_column(at, "n_pupils", changed), path)
    return {("extract-changed", path.relative_to(home).as_posix())}


def extract_reordered(home: Path, rng: Random) -> Found:
    path = some(rng, home / "extracts", "*.parquet")
    table = pq.read_table(path, partitioning=None)
    order = list(range(table.num_rows))
    pq.write_table(table.take(order[1:] + order[:1]), path)
    return {("extract-reordered", path.relative_to(home).as_posix())}


def extract_gone(home: Path, rng: Random) -> Found:
    path = some(rng, home / "extracts", "*.parquet")
    path.unlink()
    return {("extract-missing", path.relative_to(home).as_posix())}


def extract_stray(home: Path, rng: Random) -> Found:
    stray = home / "extracts" / "national_tests" / "school_year=2019-20" / "part-0.parquet"
    stray.parent.mkdir()
    shutil.copyfile(some(rng, home / "extracts", "*.parquet"), stray)
    return {("extract-unexpected", stray.relative_to(home).as_posix())}


def published_bit(home: Path, rng: Random) -> Found:
    path = some(rng, revision(home) / "internal")
    flip(rng, path)
    return {("published-file-changed", path.relative_to(revision(home)).as_posix())}


def published_gone(home: Path, rng: Random) -> Found:
    path = some(rng, revision(home) / "internal")
    path.unlink()
    return {("published-file-missing", path.relative_to(revision(home)).as_posix())}


def published_stray(home: Path, rng: Random) -> Found:
    (revision(home) / "internal" / "stray.csv").write_text("x", encoding="utf-8")
    return {("published-file-unexpected", "internal/stray.csv")}


def rule_bit(home: Path, rng: Random) -> Found:
    path = some(rng, revision(home) / "rulebook")
    flip(rng, path)
    return {("rule-file-changed", path.relative_to(revision(home)).as_posix())}


def rule_gone(home: Path, rng: Random) -> Found:
    path = some(rng, revision(home) / "rulebook")
    path.unlink()
    return {("rule-file-missing", path.relative_to(revision(home)).as_posix())}


def manifest_bit(home: Path, rng: Random) -> Found:
    flip(rng, revision(home) / "manifest.json")
    return {("manifest-changed", "r0001/manifest.json")}


def manifest_gone(home: Path, rng: Random) -> Found:
    (revision(home) / "manifest.json").unlink()
    return {("manifest-missing", "r0001/manifest.json")}


def pointer_bit(home: Path, rng: Random) -> Found:
    path = home / "published" / ROUND / "current.json"
    flip(rng, path)
    return {("pointer-changed", "current.json")}


def pointer_gone(home: Path, rng: Random) -> Found:
    (home / "published" / ROUND / "current.json").unlink()
    return {("pointer-missing", "current.json")}


KINDS: tuple[Callable[[Path, Random], Found], ...] = (
    archived_bit, archived_gone, archived_stray, ledger_bit, ledger_last_line_bit, ledger_line_gone, ledger_end_gone,
    ledger_swapped, ledger_line_twice, ledger_forged_line, extract_bit, extract_cell, extract_reordered, extract_gone,
    extract_stray, published_bit, published_gone, published_stray, rule_bit, rule_gone, manifest_bit, manifest_gone,
    pointer_bit, pointer_gone,
)  # fmt: skip


def everything_but_tables(home: Path, replayed: Settings) -> Found:
    """The quick comparison and the extracts made again: all but the models."""
    settings = load_settings(home)
    findings = list(verify(settings, ROUND, quick=True).findings)
    if not findings:
        findings += compare_extracts(settings, replayed)
    assert all(f.fix and f.message for f in findings)
    return {(f.code, str(f.file)) for f in findings}


def test_every_tampering_is_named_and_nothing_else(tiny_home: Path, replayed: Settings, tmp_path: Path) -> None:
    rng = Random(20260215)
    assert everything_but_tables(fresh(tiny_home, tmp_path / "home"), replayed) == set()
    for number in range(TAMPERINGS):
        kind = KINDS[number % len(KINDS)]
        home = fresh(tiny_home, tmp_path / "home")
        expected = kind(home, rng)
        assert everything_but_tables(home, replayed) == expected, (number, kind.__name__)


def test_several_differences_are_shown_at_once(home: Path) -> None:
    rng = Random(1)
    expected = archived_bit(home, rng) | published_bit(home, rng) | rule_bit(home, rng) | pointer_gone(home, rng)
    result = CliRunner().invoke(main, ["--home", str(home), "verify", "--round", ROUND, "--json"])
    assert result.exit_code == 6
    answer = json.loads(result.stdout)
    assert {(f["code"], f["file"]) for f in answer["findings"]} == expected
    assert [n["code"] for n in answer["notes"]] == ["not-built-again"]


def test_an_untouched_home_comes_out_byte_for_byte_whatever_the_rules_in_force_say_now(home: Path) -> None:
    register = home / "registers" / "exceptions.yaml"
    register.write_text(register.read_text(encoding="utf-8") + "# a later thought\n", encoding="utf-8")
    extract_cell(home, Random(2))
    result = verify(load_settings(home), ROUND)
    assert [f.code for f in result.findings] == ["extract-changed"]
    assert "n_pupils" in result.findings[0].message
    assert [(n.code, n.file) for n in result.notes] == [("rule-in-force-changed", "registers/exceptions.yaml")]
    assert result.checked["tables rebuilt, byte for byte"] == 2 * len(
        [*revision(home).glob("internal/*.parquet"), *revision(home).glob("public/*.parquet")]
    )


def test_a_forger_who_makes_the_hashes_anew_passes_the_quick_check_only(home: Path, tmp_path: Path) -> None:
    private, public = key_pair(tmp_path)
    settings = load_settings(home)
    seals.seal(settings, private, now=NOW)
    folder = revision(home)
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    for edition in ("internal", "public"):
        table = pq.read_table(folder / edition / "municipality_ranking.parquet")
        at = table.schema.get_field_index("risk_share")
        forged = table.set_column(
            at, table.schema.field(at), pa.array([0.001] * table.num_rows, table.schema.field(at).type)
        )
        for suffix, write in ((".parquet", write_parquet), (".csv", tables.write_csv)):
            name = f"{edition}/municipality_ranking{suffix}"
            (folder / name).chmod(0o644)
            write(folder / name, forged)
            manifest["files"][name] = {"sha256": sha256_of(folder / name), "bytes": (folder / name).stat().st_size}
    rewrite(folder / "manifest.json", json.dumps(manifest, indent=2).encode())
    write_ledger(home, ledger_lines(home)[:-1])
    Archive(settings).append({"event": "published", "time": NOW.isoformat(), "round": ROUND, "revision": "r0001",
                              "manifest_sha256": sha256_of(folder / "manifest.json")})  # fmt: skip
    assert verify(settings, ROUND, quick=True).ok
    sealed = verify(settings, ROUND, quick=True, key=public)
    assert [f.code for f in sealed.findings] == ["sealed-line-changed"]
    result = verify(settings, ROUND)
    assert {(f.code, f.file) for f in result.findings} == {
        ("rebuilt-table-changed", f"{edition}/municipality_ranking{suffix}")
        for edition in ("internal", "public")
        for suffix in (".parquet", ".csv")
    }
    assert "risk_share" in result.findings[1].message and "not made from these inputs" in result.findings[1].message


def key_pair(folder: Path) -> tuple[Path, Path]:
    key = Ed25519PrivateKey.generate()
    private, public = folder / "seal.pem", folder / "seal.pub"
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return private, public


def test_a_seal_vouches_for_the_ledger_and_only_for_its_own_key(home: Path, tmp_path: Path) -> None:
    private, public = key_pair(tmp_path)
    settings = load_settings(home)
    assert [f.code for f in verify(settings, ROUND, quick=True, key=public).findings] == ["seal-missing"]
    made = CliRunner().invoke(main, ["--home", str(home), "seal", "--key", str(private)])
    assert made.exit_code == 0, made.output
    count = len(ledger_lines(home))
    Archive(settings).append({"event": "note"})
    checked = verify(settings, ROUND, quick=True, key=public)
    assert checked.ok and checked.checked["ledger lines covered by a seal"] == count == len(ledger_lines(home)) - 1
    (tmp_path / "other").mkdir()
    _, stranger = key_pair(tmp_path / "other")
    assert [f.code for f in verify(settings, ROUND, quick=True, key=stranger).findings] == ["seal-missing"]
    whole = (home / "archive" / "seals.jsonl").read_bytes()
    (home / "archive" / "seals.jsonl").write_bytes(whole.replace(f'"lines": {count}'.encode(), b'"lines": 1'))
    assert [f.code for f in verify(settings, ROUND, quick=True, key=public).findings] == ["seal-not-genuine"]
    (home / "archive" / "seals.jsonl").write_bytes(whole)
    refused = CliRunner().invoke(main, ["--home", str(home), "seal", "--key", str(public)])
    assert refused.exit_code == 1 and "not hold a private key" in refused.output and "Traceback" not in refused.output
    write_ledger(home, ledger_lines(home)[:3])
    assert "sealed-lines-missing" in {f.code for f in verify(settings, ROUND, quick=True, key=public).findings}
    refused = CliRunner().invoke(main, ["--home", str(home), "seal", "--key", str(private)])
    assert refused.exit_code == 6 and "ledger-line-lost" in refused.output


def test_a_difference_of_tables_names_its_first_cell() -> None:
    table = pa.table({"code": ["a", "b", "c"], "n": [1, None, 3]})
    assert difference(table, table.take([2, 0, 1])) == ("reordered", "the same rows in another order")
    changed = pa.table({"code": ["a", "b", "d"], "n": [1, 2, 3]})
    assert difference(table, changed) == ("changed", "2 cells differ, the first in row 3, code: 'd' instead of 'c'")
    assert difference(table, table.slice(1))[1] == "2 rows instead of 3"
    assert difference(table, table.drop_columns(["n"]))[1] == "columns differ: n"


def test_a_release_withdrawn_after_new_files_came_is_built_from_its_own_inputs(home: Path, tmp_path: Path) -> None:
    settings = load_settings(home)
    later = samples.national_tests(tmp_path / "later.csv", samples.rows("40"), year="2024-25")
    assert take_in_one(settings, later).status == "accepted"
    rulebook = load_rules(settings)
    tables_of = marked_withdrawn(released_tables(revision(home)), "Feil i tallene")
    life = {"status": "final", "release": "1.0", "withdrawn": {"reason": "Feil i tallene"}}
    made = make_revision(settings, snapshot.take(settings), rulebook, round_subject(rulebook, ROUND), tables_of, now=NOW,
                         life=life, unless_same=False, republished=revision(home))  # fmt: skip
    result = verify(settings, ROUND)
    assert (made.revision, result.revision) == ("r0002", "r0002") and result.ok and result.rebuilt, result.as_text()


def test_a_revision_shares_the_bytes_of_what_did_not_change_and_each_is_verified_by_itself(home: Path) -> None:
    """Most tables are the same from one revision to the next, and ten revisions took ten times the room."""
    settings, first = load_settings(home), revision(home)
    rulebook, life = load_rules(settings), {"status": "final", "release": "1.0"}
    made = make_revision(settings, snapshot.take(settings), rulebook, round_subject(rulebook, ROUND), released_tables(first),
                         now=NOW, life=life, unless_same=False, republished=first)  # fmt: skip
    before, after = (read_manifest(folder)["files"] for folder in (first, made.path))
    shared = {f for f in after if (made.path / f).samefile(first / f)}
    assert shared == {f for f in after if before.get(f) == after[f]} and len(shared) > 20
    assert {f"public/{name}.csv" for name in ("limits", "selection")} <= shared < set(after)
    assert verify_revision(first) == [] and verify_revision(made.path) == []
    assert {stat.S_IMODE((made.path / f).stat().st_mode) for f in after} == {READ_ONLY}
    shutil.rmtree(first)  # as `prune` does
    assert verify_revision(made.path) == []
    victim = made.path / "public" / "limits.csv"
    victim.chmod(0o600)
    victim.write_bytes(victim.read_bytes()[:-1])
    assert [f.code for f in verify_revision(made.path)] == ["published-file-changed"]


def test_where_the_file_system_has_no_links_a_revision_has_its_own_copies(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", refused)
    settings, first = load_settings(home), revision(home)
    rulebook, life = load_rules(settings), {"status": "final", "release": "1.0"}
    made = make_revision(settings, snapshot.take(settings), rulebook, round_subject(rulebook, ROUND), released_tables(first),
                         now=NOW, life=life, unless_same=False, republished=first)  # fmt: skip
    assert verify_revision(made.path) == [] and not list(made.path.rglob(".*"))
    assert not any(
        (made.path / f).samefile(first / f) for f in read_manifest(first)["files"] if (made.path / f).exists()
    )


# --- an old or another ledger ---

WITNESSES = ("published", "marts", "snapshots", "objects")


def only(home: Path, witness: str) -> None:
    """Leave one kind of thing that knows of the ledger."""
    for name in WITNESSES:
        if name != witness:
            shutil.rmtree(home / ("archive/objects" if name == "objects" else name))


@pytest.mark.parametrize(
    ("witness", "found"),
    [
        ("published", [("revision-not-in-ledger", f"published/{ROUND}/r0001"), ("ledger-line-lost", "ledger.jsonl")]),
        ("marts", [("ledger-line-lost", "ledger.jsonl")]),
        ("snapshots", [("ledger-line-lost", "ledger.jsonl")]),
        ("objects", [("archived-file-unexpected", "named below")]),
    ],
)
def test_an_old_ledger_stops_all_writing_beside_anything_that_knows_more(
    witness: str, found: list[tuple[str, str]], tiny_home: Path, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    shutil.copytree(tiny_home, home)
    settings = load_settings(home)
    assert lost_lines(settings) == []
    lines = ledger_lines(home)
    only(home, witness)
    write_ledger(home, lines[:4])
    findings = lost_lines(settings)
    unknown = {e["sha256"] for e in map(json.loads, lines) if "sha256" in e} - {
        e["sha256"] for e in map(json.loads, lines[:4]) if "sha256" in e
    }
    expected = [(code, min(unknown) if file == "named below" else file) for code, file in found]
    assert [(f.code, f.file) for f in findings] == expected and all(f.fix and f.message for f in findings)
    before = tree_hash(home)
    with (
        pytest.raises(IntegrityProblem, match="not the one that this data folder was made with") as caught,
        writing(settings, "x"),
    ):
        raise AssertionError("it must not come to this")
    assert list(caught.value.findings) == findings and tree_hash(home) == before
    answer = CliRunner().invoke(main, ["--home", str(home), "ingest", str(REPOSITORY / "README.md")])
    assert answer.exit_code == 6 and found[0][0] in answer.output and tree_hash(home) == before
    write_ledger(home, lines)
    assert lost_lines(settings) == []


def test_a_lost_line_is_told_by_its_place_whoever_knew_it(tiny_home: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(tiny_home, home)
    settings, head = load_settings(home), Head(**read_manifest(revision(home))["ledger"])
    lines = ledger_lines(home)
    # the register of what is public, and the line that publishes, come after what a revision rests on
    assert head.lines == len(lines) - 2
    for ledger in ([], lines[:2], lines[: head.lines - 1]):
        write_ledger(home, ledger)
        (lost,) = [f for f in lost_lines(settings) if f.code == "ledger-line-lost"]
        assert (lost.row, lost.expected) == (head.lines, head.sha256)
        assert str(lost.found) == f"{len(ledger)} lines; published/{ROUND}/r0001/manifest.json knows more"
    with pytest.raises(IntegrityProblem, match=f"lost line {head.lines}") as caught:
        Archive(settings).events(until=head)
    assert [f.code for f in caught.value.findings] == ["ledger-line-lost"]
    write_ledger(home, [*lines[: head.lines - 1], lines[-1]])
    with pytest.raises(IntegrityProblem, match="ledger-line-missing"):
        lost_lines(settings)
    # the commit alone is gone: no manifest knows of it, the folder of the revision does
    write_ledger(home, lines[:-1])
    assert [f.code for f in lost_lines(settings)] == ["revision-not-in-ledger"]


def test_verify_names_the_lost_line_that_a_revision_rests_on(home: Path) -> None:
    lines = ledger_lines(home)
    write_ledger(home, lines[:-3])
    for line in lines[-2:]:
        Archive(Settings(home=home)).append(json.loads(line))
    found = {f.code for f in verify(load_settings(home), ROUND, quick=True).findings}
    assert found == {"ledger-line-lost"}


def test_verify_names_lines_that_were_lost_after_the_revision_too(home: Path) -> None:
    """An old backup of the ledger: it still holds the revision asked about, and not what another round rests on."""
    lines = ledger_lines(home)
    Archive(Settings(home=home)).append({"event": "file_dismissed", "file": "1"})
    with writing(load_settings(home), "somebody who knew the whole ledger"):
        pass
    write_ledger(home, lines)
    result = verify(load_settings(home), ROUND, quick=True)
    assert [f.code for f in result.findings] == ["ledger-line-lost"] and not result.ok


# --- marts and estimates ---


def other_progress(home: Path) -> None:
    """Marts of another build, whole by their record, and estimates of the old ones."""
    path = home / "marts" / "cohort_progress.parquet"
    table = pq.read_table(path)
    pq.write_table(pa.concat_tables([table, table]), path, compression="none")
    record = json.loads(record_path(load_settings(home)).read_text(encoding="utf-8"))
    record["marts"]["cohort_progress"] = sha256_of(path)
    record_path(load_settings(home)).write_text(json.dumps(record), encoding="utf-8")


def other_estimates(home: Path) -> None:
    path = home / "marts" / "cohort_effect.parquet"
    table = pq.read_table(path)
    pq.write_table(table.append_column("more", pa.nulls(table.num_rows)), path)


def stray_uncertainty(home: Path) -> None:
    another = pa.table({"round": ["another"]})
    derived.current(home / "marts" / "selection_uncertainty.parquet", {"another": "x"}, lambda _: another)


@pytest.mark.parametrize(
    ("change", "code", "file"),
    [
        (lambda home: (home / "marts" / "selection.parquet").unlink(), "marts-not-of-the-snapshot", "marts/"),
        (
            lambda home: (home / "rounds.yaml").open("a").write("# a later thought\n"),
            "marts-not-of-the-snapshot",
            "marts/",
        ),
        (other_progress, "estimates-not-of-the-marts", "marts/cohort_effect.parquet"),
        (other_estimates, "estimates-not-of-the-marts", "marts/cohort_effect.parquet"),
        (
            lambda home: (home / "marts" / "cohort_effect.parquet").unlink(),
            "estimates-not-of-the-marts",
            "marts/cohort_effect.parquet",
        ),
        (stray_uncertainty, "estimates-not-of-the-marts", "marts/selection_uncertainty.parquet"),
    ],
)
def test_marts_and_estimates_that_do_not_follow_are_never_published(
    change: Callable[[Path], object], code: str, file: str, tiny_home: Path, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    shutil.copytree(tiny_home, home)
    settings = load_settings(home)
    refuse_behind(settings, snapshot.take(settings))
    change(home)
    (finding,) = behind(settings, snapshot.take(settings))
    assert (finding.code, finding.file) == (code, file) and finding.fix
    with pytest.raises(PipelineProblem, match=code):
        refuse_behind(settings, snapshot.take(settings))
