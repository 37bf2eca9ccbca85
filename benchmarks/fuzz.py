"""Read mutated files of every accepted kind: each must be read, or refused with findings.

Usage: python benchmarks/fuzz.py FOLDER [--count N | --minutes M] [--seed S] [--screen]
       python benchmarks/fuzz.py FOLDER --again NUMBER      read one input again and show what it raises

FOLDER keeps what was counted and the inputs that broke something; a later call with the same seed goes on where the
last one stopped. Input number N of a seed is always the same bytes, for the same files to begin with: the samples of
the tests, and the head of each real file that lies beside the repository. Each input is read in a process of its own
kind: RLIMIT_AS as the product's, and a clock that ends it. With --screen what could be read is validated too.

Counted: read; refused, with its code; untyped, an error that is no finding; swallowed, an error of the project's own
code that was told as one of the file's; unwritable, a finding that cannot be stored or printed; slow, more than 5
seconds; heavy, more than 500 MB above what the process had. All but the first two are faults.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import re
import resource
import select
import sys
import tempfile
import time
import traceback
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from dagster_project import clock
from dagster_project.diagnostics import Finding, OppfolgingError, Severity
from dagster_project.forms.spec import FORMS
from dagster_project.intake import reader
from dagster_project.intake.read import read_file
from dagster_project.intake.recognise import recognise
from dagster_project.settings import REPOSITORY
from tests import pivots, samples
from tests.faults import museum

SLOW_SECONDS, HEAVY_BYTES, HANGS_SECONDS = 5.0, 500_000_000, 60.0
HEAD_LINES, HEAD_OBJECTS = 40, 25
REAL = REPOSITORY.parent / "shared" / "data"
TEXTS = [
    "", " ", "*", "47*", "47 *", "-", "--1", "nan", "inf", "-inf", "1e400", "1,5", "1.5", "0,00005", "-0", "1 234",
    "1 23", "9" * 14, "9" * 15, "9" * 400, "99999999999999,9999", "2024-25", "2024-99", "2024–25", "1900-01-01",
    "0000-00-00", "2024-02-30", "=1+1", "@x", "{=1}", "#N/A", "true", "null", "[]", "{}", '"', "'", ",", ";", "\t",
    "\n", "\r\n", "\x00", "\x1b[31m", "\x85", "\x9b", "\u202e", "\u200b", "\ufeff", "\ufffe", "\ud800", "\U0001f600",
    "å", "A\u030a", "Ã¥", "\ufffd", "x" * 40_000, "1" * 5_000, "10", "11", "0", "256", "2147483648", "%s", "{x}", "{",
    "9223372036854775808", "Vg1", "5. årstrinn", "I", "U", "25", "2599", "navn:", "!", "a!b", "100000008", "\\",
    "Alle spørsmål", "Mobbing på skolen", "Mestringsnivå 1", "Antall elever", "(2001 - 2002)", "\\u12", "NaN", "٣", "²",
]  # fmt: skip
VALUES: list[Any] = [
    None, True, False, 0, -1, 1.5, 1e308, float("nan"), float("inf"), 10**14, 10**15, 2**31, 2**63, 2**64, 10**400,
    -(10**400), [], {}, [[]], [None], [1], {"a": 1}, {"": None}, [{}], "2024-01-01T00:00:00", "9999-12-31",
    "0001-01-01", *TEXTS,
]  # fmt: skip
BITS = [
    b"\0", b"\xff", b"\xfe\xff", b"\xff\xfe", b"\n", b"\r", b"\t", b'"', b"<", b">", b"&", b"]]>", b"PK\x03\x04",
    b"PK\x01\x02", b"&#0;", b"[" * 2000,
]  # fmt: skip
XML_VALUES = [
    *(text.encode("utf-8", "replace") for text in TEXTS[:30]), b"1048577", b"-1", b"XFD1", b"XFE1", b"ZZZZ9", b"A0",
    b"A1:XFD1048576", b"s", b"str", b"b", b"e", b"d", b"inlineStr", b"n", b"&#xD800;", b"&lt;", b"_x0000_", b"99999",
    b"4294967296",
]  # fmt: skip
Seed = tuple[str, bytes]


# --- files to begin with ---


def made(make: Callable[[Path], Path]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return make(Path(folder) / "x").read_bytes()


def forms() -> Iterator[Seed]:
    """A filled form of every kind, as a workbook and as a table."""
    for name, form in FORMS.items():
        by_kind = {"whole": 1, "date": "15.02.2026", "money": "250 000", "code": "6101"}
        fill = [by_kind.get(c.kind) or next(iter(c.choices), "tekst") for c in form.columns]
        fields = [[c.norsk, "15.02.2026" if c.kind == "date" else "x"] for c in form.fields]
        head = [c.norsk for c in form.columns]
        yield f"{name}.xlsx", made(museum.workbook(*fields, head, fill, fill))
        together = [*form.fields, *form.columns]
        cells = ["15.02.2026" if c.kind == "date" else "x" for c in form.fields] + [str(v) for v in fill]
        yield f"{name}.csv", ("\n".join(";".join(r) for r in ([c.norsk for c in together], cells)) + "\n").encode()


def seeds() -> list[Seed]:
    """Every kind of file that is accepted, small."""
    survey = museum.survey()
    of_two = [museum.survey(RaderTotalt=2, Sidenummer=n, RaderSide=1, TrinnKode=g) for n, g in ((1, "7"), (2, "10"))]
    form = made(museum.priorities(["6101", "B", 1, "x", "11.02.2026"]))
    plain = {sign: samples.text(samples.rows(), delimiter=sign, sep=False) for sign in ";,"}
    found: list[Seed] = [
        ("tests.csv", made(samples.national_tests)),
        ("abroad.csv", made(lambda p: samples.national_tests(p, [*samples.rows(), *samples.abroad("48", "0,1", "9")]))),
        ("utf8.csv", plain[";"].encode()),
        ("cp1252.csv", plain[","].replace("0,", "").encode("cp1252", "replace")),
        ("survey2021.csv", made(samples.survey_of_2021)),
        ("old.csv", made(museum.old_download("a", "b"))),
        ("tests.xlsx", made(museum.workbook(samples.header(), *samples.rows()))),
        ("survey.json", json.dumps([survey, museum.survey(TrinnKode="10", Score="*")], ensure_ascii=False).encode()),
        ("page.json", json.dumps(of_two[:1]).encode()),
        ("bullying.json", json.dumps([museum.survey(Score=None, AndelMobbet="4,1")]).encode()),
        ("survey.csv", "\n".join(";".join(map(str, r)) for r in (survey, survey.values())).encode()),
        ("pivot.csv", made(museum.survey_csv())),
        ("nsr.json", made(museum.register(museum.school(), museum.school(UtgaattDato="2024-01-01T00:00:00")))),
        ("unit.json", json.dumps(museum.school()).encode()),
        ("changes.json", made(museum.change())),
        ("version.json", made(museum.version("6101", "6102"))),
        ("changes.csv", b"oldCode;oldName;newCode;newName;changeOccurred\n6101;a;6102;b;2024-01-01\n"),
        ("version.csv", b"code;parentCode;level;name;validFrom\n6101;61;2;a;2024-01-01\n"),
        ("filter.json", pivots.as_bytes(pivots.unit_list())),
        ("units.json", pivots.as_bytes(pivots.unit_list()["EnhetID"])),
        ("pivot_tests.json", pivots.as_bytes(pivots.national_tests(mastery=True))),
        ("pivot_points.json", pivots.as_bytes(pivots.grade_points())),
        ("pivot_survey.json", pivots.as_bytes(pivots.survey(pivots.SURVEY))),
        ("pivot.zip", made(museum.pivot_and_list())),
        ("pages.zip", made(museum.zipped({f"{n}.json": json.dumps([page]).encode() for n, page in enumerate(of_two)}))),
        ("mixed.zip", made(museum.zipped({"a.csv": made(samples.national_tests), "b.xlsx": form}))),
        *forms(),
    ]
    for path in sorted(p for p in REAL.rglob("*") if p.suffix in (".csv", ".json")):
        found.append((f"real_{path.name}", _head(path)))
    return found


def _head(path: Path) -> bytes:
    """The beginning of a real file, whole as a file of its kind."""
    content = path.read_bytes()
    if path.suffix == ".json":
        try:
            document = json.loads(content)
        except ValueError:
            return content[:20_000]
        inner = document if isinstance(document, dict) else {}
        for key, value in inner.items():
            if isinstance(value, list) and key != "columns":
                inner[key] = value[:HEAD_OBJECTS]
        return json.dumps(
            document[:HEAD_OBJECTS] if isinstance(document, list) else document, ensure_ascii=False
        ).encode("utf-8", "surrogatepass")
    encoding = "utf-16-le" if b"\0" in content[:400] else "utf-8"
    text = content.decode(encoding, "replace")
    end = "\n" if "\n" in text else "\r"
    return (end.join(text.split(end)[:HEAD_LINES]) + end).encode(encoding)


# --- mutations ---


def bytes_changed(content: bytes, random: Random) -> bytes:
    data = bytearray(content)
    for _ in range(random.choice((1, 1, 2, 5, 20))):
        at = random.randrange(len(data) + 1)
        length = random.choice((1, 1, 2, 8, 64, 1000))
        match random.randrange(6):
            case 0 if at < len(data):
                data[at] ^= 1 << random.randrange(8)
            case 1:
                data[at:at] = random.choice(BITS)
            case 2:
                del data[at : at + length]
            case 3:
                data[at:at] = data[at : at + length] * random.choice((1, 1, 3, 50))
            case 4:
                data[at : at + length] = random.randbytes(length)
            case _:
                data[at : at + length] = random.choice(BITS)
    return bytes(data)


def cut(content: bytes, random: Random) -> bytes:
    return content[: random.randrange(len(content) + 1)]


def text_changed(content: bytes, random: Random) -> bytes:
    """Cells, lines, headers, delimiters and the encoding of a delimited file."""
    encoding = "utf-16-le" if b"\0" in content[:400] else "utf-8"
    text = content.decode(encoding, "replace")
    end = "\n" if "\n" in text else "\r"
    lines = text.split(end)
    head = next((n for n, line in enumerate(lines) if not line.startswith("sep=")), 0)
    sign = max("\t;,", key=lines[head].count)
    table = [line.split(sign) for line in lines]
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        row = random.choice([head, random.randrange(len(table))])
        cells = table[row]
        at = random.randrange(len(cells))
        match random.randrange(11):
            case 0 | 1 | 2 | 3:
                cells[at] = random.choice(TEXTS)
            case 4:
                cells[at] = cells[at].replace(
                    *random.choice(
                        [(".", ". "), ("5", "7"), ("2024-25", "2023-24"), ("e", ""), (",", "."), (" ", "  ")]
                    )
                )
            case 5:
                del cells[at]
            case 6:
                cells.insert(at, random.choice([*TEXTS, *cells]))
            case 7:
                del table[row]
                table = table or [[""]]
            case 8:
                table.insert(row, list(random.choice(table)))
            case 9:  # a whole column
                new, column = random.choice(TEXTS), random.randrange(len(table[min(head, len(table) - 1)]))
                for line in table[head + 1 :]:
                    if column < len(line):
                        line[column] = new
            case _:
                cells[at] = random.choice(random.choice(table) or [""])
    if random.random() < 0.1:
        sign = random.choice(["\t", ";", ",", "|", sign * 2])
    if random.random() < 0.1:
        end = random.choice(["\n", "\r", "\r\n", "\n\n"])
    if random.random() < 0.15:
        encoding = random.choice(["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-16-le", "cp1252", "utf-32"])
    return end.join(sign.join(line) for line in table).encode(
        encoding, random.choice(["replace", "surrogatepass" if encoding != "cp1252" else "replace"])
    )


def json_changed(content: bytes, random: Random) -> bytes:
    """Values, keys and nesting of a JSON document, and keys that stand twice."""
    try:
        document = json.loads(content)
    except ValueError:
        return bytes_changed(content, random)
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        holder, key = _place(document, random)
        if holder is None:
            return json.dumps(random.choice(VALUES)).encode()
        match random.randrange(9):
            case 0 | 1 | 2 | 3:
                holder[key] = random.choice(VALUES)
            case 4:
                del holder[key]
            case 5:
                holder[key] = [holder[key]] if random.random() < 0.5 else {"a": holder[key]}
            case 6 if isinstance(holder, dict):
                holder[random.choice([key[:-1], key.upper(), *TEXTS[:40]])] = holder.pop(key)
            case 7 if isinstance(holder, list):
                holder.insert(key, json.loads(json.dumps(random.choice(holder), default=str)) if holder else None)
            case _:
                other, name = _place(document, random)
                if other is not None:
                    holder[key] = json.loads(json.dumps(other[name], default=str))
    text = json.dumps(document, ensure_ascii=random.random() < 0.5)
    if random.random() < 0.1 and (match := re.search(r'"(\w+)": ("[^"]*"|\d+)', text)):  # a key that stands twice
        text = text.replace(match[0], f"{match[0]}, {match[0]}", random.choice((1, -1)))
    if random.random() < 0.03:
        text = text.replace(": ", ": " + random.choice("[{") * random.choice((10, 2000, 100_000)), 1)
    return text.encode("utf-8", "surrogatepass")


def _place(document: Any, random: Random) -> tuple[Any, Any]:
    """A random value in a document, by what holds it."""
    holder, key = None, None
    while isinstance(document, dict | list) and document:
        holder = document
        key = random.choice(list(document)) if isinstance(document, dict) else random.randrange(len(document))
        document = document[key]
        if random.random() < 0.25:
            break
    return holder, key


def package_changed(content: bytes, random: Random) -> bytes:
    """The parts of a workbook or a zip, its directory, and the flags of its headers."""
    if random.random() < 0.25:  # a header of a part or of the directory
        data = bytearray(content)
        starts = [m.start() for m in re.finditer(rb"PK(\x01\x02|\x03\x04|\x05\x06)", content)]
        at = random.choice(starts) + random.randrange(4, 46)
        if at + 4 < len(data):
            size = random.choice((1, 2, 4))
            data[at : at + size] = random.choice(
                [
                    b"\0\0\0\0",
                    b"\xff\xff\xff\xff",
                    random.randbytes(4),
                    b"\x01\0\0\0",
                    b"\x09\0\0\0",
                    b"\x0e\0\0\0",
                    b"\x63\0\0\0",
                ]
            )[:size]
        return bytes(data)
    with zipfile.ZipFile(io.BytesIO(content)) as package:
        parts = {name: package.read(name) for name in package.namelist()}
    workbook = "[Content_Types].xml" in parts
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        name = random.choice(
            [n for n in parts if not workbook or random.random() < 0.2 or "sheet" in n or "Strings" in n] or list(parts)
        )
        match random.randrange(12):
            case 0:
                del parts[name]
            case 1:
                parts[random.choice(["a", "../x", "/etc/x", name + "x", "x" * 300, "\x1b[31m.csv", "å.csv"])] = parts[
                    name
                ]
            case 2:
                parts[name] = parts[random.choice(list(parts))]
            case 3:
                parts[name] = bytes_changed(parts[name], random) if random.random() < 0.6 else cut(parts[name], random)
            case _ if workbook:
                parts[name] = xml_changed(parts[name], random)
            case _:
                parts[name] = changed(name, parts[name], random)
        if not parts:
            return content
    out = io.BytesIO()
    method = random.choice([zipfile.ZIP_DEFLATED] * 6 + [zipfile.ZIP_STORED, zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
    with zipfile.ZipFile(out, "w", method) as package:
        for name, part in parts.items():
            package.writestr(name, part)
    return bytes_changed(out.getvalue(), random) if random.random() < 0.1 else out.getvalue()


def xml_changed(part: bytes, random: Random) -> bytes:
    """A value, an attribute, or an element of a part of a workbook."""
    kinds = [
        rb'(="[^"]*")',
        rb"(>[^<]+<)",
        rb"(<[a-zA-Z:]+[ />])",
        rb'( [a-z:]+="[^"]*")',
        rb"(<c [^>]*>.*?</c>)",
        rb"(<row .*?</row>)",
    ]
    places = list(re.finditer(random.choice(kinds), part, re.DOTALL))
    if not places:
        return bytes_changed(part, random)
    found = random.choice(places)
    old, new = found[0], random.choice(XML_VALUES)
    if old.startswith(b'="'):
        put = b'="' + new.replace(b"<", b"").replace(b'"', b"") + b'"'
    elif old.startswith(b">"):
        put = b">" + new.replace(b"<", b"") + b"<"
    elif old.startswith(b"<") and len(old) < 30 and not old.endswith(b"</c>"):
        put = random.choice([b"<x ", b"<row ", b"<c ", b"<f ", b"<is ", b"<t ", b"<v ", b"<!-- ", b"<mergeCell "])
    else:
        put = random.choice([b"", old * 2, old * 50])
    return part[: found.start()] + put + part[found.end() :]


def changed(name: str, content: bytes, random: Random) -> bytes:
    """A file with something changed, mostly as its kind has it."""
    if not content or (kind := random.random()) < 0.12:
        return bytes_changed(content, random)
    if kind < 0.17:
        return cut(content, random)
    change = json_changed if name.endswith(".json") else package_changed if content.startswith(b"PK") else text_changed
    try:
        return change(content, random)
    except Exception:  # it was damaged before: nothing of its kind is left to change
        return bytes_changed(content, random)


def input_of(begin: list[Seed], seed: int, number: int) -> Seed:
    """Input ``number`` of a seed: always the same."""
    random = Random(f"{seed}:{number}")
    name, content = random.choice(begin)
    for _ in range(random.choice((1, 1, 1, 2))):
        content = changed(name, content, random)
    if random.random() < 0.03:
        other, inner = random.choice(begin)
        with zipfile.ZipFile(out := io.BytesIO(), "w") as package:
            package.writestr(name, content)
            package.writestr(other, changed(other, inner, random))
        name, content = "packed.zip", out.getvalue()
    return name, content


# --- reading ---


def tell(finding: Finding) -> None:
    """Raise when a finding cannot be stored or printed."""
    finding.as_text().encode("utf-8")
    json.dumps(finding.as_dict(), ensure_ascii=False).encode("utf-8")
    if not finding.message or (finding.fix is None and finding.severity is not Severity.PASS):
        raise ValueError(f"{finding.code} says no fix")


def outcome(path: Path, name: str, screen: bool) -> tuple[str, str]:
    """What reading gave: a kind, and a code or the place where it broke."""
    try:
        tables = read_file(path, "a" * 64, name, recognise(path, name))
        for table in tables:
            table.table.validate(full=True)
            reader.write_parquet(path.with_suffix(".parquet"), table.table)
        findings = [f for t in tables for f in t.findings]
        json.dumps([list(t.columns_seen) for t in tables], ensure_ascii=False).encode("utf-8")
        if screen and tables:
            findings += screened(path)
            if broke := next((f for f in findings if f.code == "screening-failed"), None):
                return "untyped", f"screening: {broke.found}"
        kind, code = "read", ""
    except OppfolgingError as problem:
        findings, kind = list(problem.findings), "refused"
        code = findings[0].code if findings else "no finding"
        if (own := _swallowed(problem)) is not None:
            kind, code = "swallowed", f"{code} < {own}"
    except BaseException as error:
        return "untyped", _where(error)
    try:
        for finding in findings:
            tell(finding)
    except Exception as error:
        return "unwritable", f"{findings[0].code}: {type(error).__name__}"
    return kind, code


def screened(path: Path) -> list[Finding]:
    """What validating the file says in an empty home."""
    from dagster_project.intake.screen import screen_path
    from dagster_project.settings import load_settings

    with tempfile.TemporaryDirectory() as home:
        return list(screen_path(path, load_settings(home), now=clock.now()).findings)


def _where(error: BaseException) -> str:
    """The error, and the last line of the project's own code it came through."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if "dagster_project" in f.filename] or frames
    return f"{type(error).__name__} {Path(own[-1].filename).name}:{own[-1].lineno} {own[-1].line}: {str(error)[:80]!r}"


def _swallowed(problem: OppfolgingError) -> str | None:
    """An error raised by a line of the project itself, not inside a library, that was told as damage of the file."""
    cause = problem.__cause__
    if cause is None or isinstance(cause, OppfolgingError | ValueError | OSError | EOFError | zipfile.BadZipFile):
        return None
    last = traceback.extract_tb(cause.__traceback__)[-1]
    return _where(cause) if "dagster_project" in last.filename else None


def worker(begin: list[Seed], seed: int, first: int, answers: int, screen: bool) -> None:
    """Read inputs from ``first`` on until the process is ended; one line for each."""
    resource.setrlimit(resource.RLIMIT_AS, (reader.MEMORY_BYTES, reader.MEMORY_BYTES))
    for stream in (1, 2):  # what a library prints
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "input"
        for number in range(first, sys.maxsize):
            name, content = input_of(begin, seed, number)
            path.write_bytes(content)
            before, start = _peak(reset=True), time.process_time()
            kind, code = outcome(path, name, screen)
            took, grown = time.process_time() - start, _peak() - before
            line = {"n": number, "kind": kind, "code": code, "seconds": round(took, 3), "bytes": grown, "of": name}
            os.write(answers, json.dumps(line).encode() + b"\n")


def _peak(*, reset: bool = False) -> int:
    """The most memory the process has had since the last reset."""
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def results(begin: list[Seed], seed: int, first: int, screen: bool) -> Iterator[dict[str, Any]]:
    """One result for each input, whatever becomes of the process that reads them."""
    number = first
    while True:
        receive, send = os.pipe()
        if not (child := os.fork()):
            os.close(receive)
            worker(begin, seed, number, send, screen)
        os.close(send)
        try:
            with os.fdopen(receive, "rb") as lines:
                while select.select([lines], [], [], HANGS_SECONDS)[0] and (line := lines.readline()):
                    yield json.loads(line)
                    number += 1
                dead = bool(select.select([lines], [], [], 0)[0])
        finally:
            os.kill(child, 9)
            os.waitpid(child, 0)
        name = input_of(begin, seed, number)[0]
        kind, took = ("died", 0.0) if dead else ("slow", HANGS_SECONDS)
        yield {"n": number, "kind": kind, "code": "the process", "seconds": took, "bytes": 0, "of": name}
        number += 1


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("folder", type=Path)
    asked.add_argument("--count", type=int, default=10_000)
    asked.add_argument("--minutes", type=float)
    asked.add_argument("--seed", type=int, default=1)
    asked.add_argument("--screen", action="store_true")
    asked.add_argument("--again", type=int)
    given = asked.parse_args()
    begin = seeds()
    given.folder.mkdir(parents=True, exist_ok=True)
    if given.again is not None:
        name, content = input_of(begin, given.seed, given.again)
        (path := given.folder / f"{given.seed}-{given.again}-{name}").write_bytes(content)
        print(path, *(t.table for t in read_file(path, "a" * 64, name)), sep="\n")
        return
    state = given.folder / f"seed-{given.seed}{'-screen' * given.screen}.json"
    kept = json.loads(state.read_text()) if state.exists() else {"next": 0, "kinds": {}, "faults": {}, "seconds": 0.0}
    kinds, faults, seconds = Counter(kept["kinds"]), kept["faults"], kept["seconds"]
    started, first, number = time.monotonic(), kept["next"], kept["next"]

    def store() -> None:
        state.write_text(json.dumps({"next": number, "kinds": kinds, "faults": faults, "seconds": seconds}))

    for result in results(begin, given.seed, first, given.screen):
        number = result["n"] + 1
        seconds += result["seconds"]
        found = [(result["kind"], result["code"])]
        found += [("slow", result["of"])] if result["seconds"] > SLOW_SECONDS and result["kind"] != "slow" else []
        found += [("heavy", result["of"])] if result["bytes"] > HEAVY_BYTES else []
        for kind, code in found:
            kinds[f"{kind} {code}" if kind == "refused" else kind] += 1
            if kind not in ("read", "refused"):
                fault = faults.setdefault(
                    f"{kind}: {re.sub(r': .*', '', code) if kind == 'untyped' else code}",
                    {"times": 0, "first": result, "said": code},
                )
                fault["times"] += 1
                if fault["times"] == 1:
                    (given.folder / f"{given.seed}-{result['n']}-{result['of']}").write_bytes(
                        input_of(begin, given.seed, result["n"])[1]
                    )
        if number % 1000 == 0:
            store()
        if time.monotonic() - started > given.minutes * 60 if given.minutes else number - first >= given.count:
            break
    store()
    print(f"{number:,} inputs of seed {given.seed}, {seconds:.0f} s of reading, from {len(begin)} files")
    for kind, times in sorted(kinds.items(), key=lambda k: -k[1]):
        print(f"{times:10,}  {kind}")
    print(f"{len(faults)} distinct faults")
    for said, fault in sorted(faults.items(), key=lambda f: -f[1]["times"]):
        print(f"{fault['times']:10,}  {said}\n            {fault['first']}\n            {fault['said']}")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
