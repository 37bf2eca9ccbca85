"""What notices a file that was cut off at the end of a line, so that every row of it is whole: a table of the docs.

Each kind of file is cut by a line, a hundredth, a tenth and half of its lines. It is validated in a home that has the
lists of municipalities alone, and in one where figures of the year before, or the whole file, are in force.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dagster_project.demo import write_country
from dagster_project.diagnostics import Severity
from dagster_project.intake.screen import screen_path
from dagster_project.settings import REPOSITORY, Settings, load_settings
from tests.conftest import NOW
from tests.faults import museum
from tests.homes import take_in

PAGE = REPOSITORY / "docs" / "real-extracts.md"
HEAD = "| file | in force before | one line | 1 % | 10 % | half |\n|---|---|---|---|---|---|\n"
LOSSES = (0.0, 0.01, 0.1, 0.5)
LATER = {
    "National tests, CSV": "the year before",
    "Pupil Survey, CSV without the number of rows": "the year before",
    "Grade points, CSV": "the file itself",
    "Old Skoleporten, CSV": "the file itself",
}
"""What is in force when a file is cut a second time; others are noticed by themselves, or by nothing."""
POINTS = "fabelland_Grunnskolepoeng.csv"


def as_csv(document: list[dict[str, object]]) -> bytes:
    """The survey's JSON as the service gives it as CSV."""
    lines = [list(document[0]), *(["" if v is None else str(v) for v in row.values()] for row in document)]
    return "".join(";".join(line) + "\n" for line in lines).encode()


def whole_files(files: Path) -> dict[str, bytes]:
    """A whole file of every kind whose rows are lines, and a JSON."""
    survey = (files / "fabelland_2024-25_Elevundersoekelsen_148.json").read_bytes()
    rows = json.loads(survey)
    untold = [{k: v for k, v in row.items() if k not in ("Sidenummer", "RaderSide", "RaderTotalt")} for row in rows]
    codes = "code;parentCode;level;name;validFrom\n" + "".join(f"{c};61;2;a;2024-01-01\n" for c in range(6101, 6301))
    return {
        "National tests, CSV": (files / "fabelland_2024-25_Nasjonale_proever_5._trinn.csv").read_bytes(),
        "Pupil Survey, CSV": as_csv(rows),
        "Pupil Survey, CSV without the number of rows": as_csv(untold),
        "Pupil Survey, JSON": survey,
        "Grade points, CSV": (files / POINTS).read_bytes(),
        "Old Skoleporten, CSV": museum.old_download(*(f"{n}" for n in range(200)))(files.parent / "old").read_bytes(),
        "List of municipalities, CSV": codes.encode(),
    }


def cut(content: bytes, loss: float) -> bytes:
    """The file without its last lines: a share of them, one at least."""
    end = b"\n\0" if b"\n\0" in content else b"\n"
    lines = content.removesuffix(end).split(end)
    return end.join(lines[: -max(round(len(lines) * loss), 1)]) + end


def noticed(path: Path, settings: Settings) -> str:
    """The codes that refuse or hold a file, or that nothing does."""
    screening = screen_path(path, settings, now=NOW)
    failed = {f.code for f in screening.findings if f.severity is Severity.FAIL}
    return ", ".join(f"`{code}`" for code in sorted(failed or screening.blocking_codes)) or "nothing"


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory, shared_reader: None) -> str:
    """The table, made."""
    folder = tmp_path_factory.mktemp("country")
    files = folder / "files"
    write_country(files)
    lists = sorted(files.glob("*kommuneinndeling*.json"))
    before = {"nothing": load_settings(folder / "alone"), "the year before": load_settings(folder / "after")}
    old = museum.old_download(*(f"{n}" for n in range(200)))(folder / "old_whole")
    of_year = [
        files / f"fabelland_2023-24_{what}"
        for what in ("Nasjonale_proever_5._trinn.csv", "Elevundersoekelsen_148.json")
    ]
    assert {r.status for r in take_in(before["nothing"], *lists)} == {"accepted"}
    assert {r.status for r in take_in(before["the year before"], *lists, *of_year, files / POINTS, old)} == {"accepted"}
    lines = []
    for kind, content in whole_files(files).items():
        for name, settings in before.items():
            if name != "nothing" and kind not in LATER:
                continue
            (path := folder / "whole.csv").write_bytes(content)
            assert noticed(path, settings) == "nothing", f"{kind}: the whole file passes"
            cells = []
            for loss in LOSSES:
                (path := folder / "cut.csv").write_bytes(cut(content, loss))
                cells.append(noticed(path, settings))
            lines.append(f"| {' | '.join([kind, LATER[kind] if name != 'nothing' else name, *cells])} |\n")
    return HEAD + "".join(lines)


def test_what_notices_a_file_that_was_cut_off_stands_in_the_docs(table: str) -> None:
    assert table in PAGE.read_text(encoding="utf-8"), f"put this into {PAGE.name}:\n{table}"
