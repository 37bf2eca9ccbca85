"""Pivots: answers of the report API, and the Pupil Survey's download with units in its header.

A pivot of the report API is JSON. ``metadata.columns`` are the levels of its header, each a list of
``{name, columnCount}`` over the columns of figures; ``rows`` are ``{navn, kode, id, data}``. The rows are units in the
national tests and the grade points (``id`` is the path from the nation down, and its depth the level), or questions in
the Pupil Survey, whose units stand in the header by name alone. The CSV has the same header, with dots between.

Both become the table that the statistics bank would give, and its reader reads it; so labels, states and refusals are
the same. Places are those of the pivot: the position in ``rows`` from 0 (the line of a CSV), and the levels of the
column, joined by dots.

A code that the pivot does not give comes from the list of units (``unit_list``). Nothing is supposed in its place: a
list that says otherwise than the pivot is refused, and so is a pivot that needs a list and has none.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

from dagster_project import schema
from dagster_project.diagnostics import FileProblem, Finding
from dagster_project.intake import labels
from dagster_project.intake.cells import ExtractTable, not_read, problem, refuse
from dagster_project.intake.convert import column_of
from dagster_project.intake.readers import headers, pivot_units, statistikkbanken
from dagster_project.intake.readers.pivot_units import Column, Place, Row, Wide
from dagster_project.intake.readers.registers import Odd, as_text, collect
from dagster_project.intake.readers.survey_api import GROUP_SPELLINGS, NOT_USED, WHOLE_INDICATOR
from dagster_project.intake.readers.unit_list import UnitList
from dagster_project.intake.tables import TextTable, refuse_odd_cells
from dagster_project.intake.text import MAX_SLOW_CELLS, refuse_cells

METADATA, ROWS = "metadata", "rows"
QUESTIONS = ("Spoersmaalkode", "Spoersmaalnavn")
_NAME, _NAME_OR_ROW = (re.compile(rf'"(?:{key})"\s*:\s*("(?:[^"\\]|\\.)*")') for key in ("name", "name|navn"))
MAX_WIDTH = 100_000


def looks_like(keys: Iterable[str], text: str) -> bool:
    """Whether the first keys of a JSON object and its beginning are those of a pivot."""
    return METADATA in keys and '"columns"' in text


def looks_like_header(header: tuple[str, ...]) -> bool:
    """Whether a CSV is the survey's download with units in the header: question columns, and dotted ones of a year."""
    dotted = [name for name in header if "." in name]
    asked = set(QUESTIONS) & set(header) and set(GROUP_SPELLINGS) & set(header)
    return bool(asked) and any(headers.YEAR.search(name.split(".")[0]) for name in dotted)


def dataset_of(text: str) -> str:
    """What a pivot is about, by the names in the beginning of its JSON, which may be cut off anywhere."""
    names = []
    # where the rows are units their names say nothing of what is measured
    for match in (_NAME if '"Nasjonalt"' in text else _NAME_OR_ROW).finditer(text):
        try:
            names.append(unicodedata.normalize("NFC", json.loads(match[1])))
        except ValueError:  # an escape that is none; the reader tells it
            continue
    return headers.dataset_of(names)


def read(document: Any, name: str, sha256: str, dataset: str, units: UnitList | None = None) -> list[ExtractTable]:
    """Read an answer of the report API, which its beginning told to be about ``dataset``.

    Raises:
        SchemaProblem: ``damaged-pivot``, ``damaged-record``, ``unknown-hierarchy``, ``other-dataset``, or what
            ``pivot_units`` and the reader of the statistics bank raise.
        UnreadableFile: what ``refuse_odd_cells`` raises.
    """
    metadata = document.get(METADATA) if isinstance(document, dict) else None
    metadata = metadata if isinstance(metadata, dict) else {}
    columns = _columns(metadata.get("columns"), name)
    rows, _ = collect(document, ROWS, name, lambda position, row: _row(position, row, len(columns)))
    if not rows or not columns:
        refuse(name, [problem("no-figures", "the pivot holds no figures", name, column=ROWS if columns else METADATA,
                              found=f"{len(rows)} rows of {len(columns)} columns", expected="a row for each unit",
                              fix="Choose a school year that the report has figures for.")])  # fmt: skip
    refuse_cells(name, len(rows) * len(columns), MAX_SLOW_CELLS)
    found = [row["row"] for row in rows]
    hierarchy = metadata.get("rowHierarchy")
    meant = [labels.meaning("hierarchy", text) if isinstance(text, str) else None for text in _list(hierarchy)]
    if meant and meant == list(schema.UNIT_LEVELS[: len(meant)]):
        wide = pivot_units.in_rows(found, columns, name, units)
    elif meant and meant[0] == "indicator":
        wide = pivot_units.in_header(_whole(found, name), columns, name, units)
    else:
        said = json.dumps(hierarchy, ensure_ascii=False, default=str)
        refuse(name, [problem("unknown-hierarchy", "the rows of the pivot are neither units nor questions", name,
                              column="rowHierarchy", found=said, expected="Nasjonalt, Fylke, Kommune, Enhet; or "
                              "Indikator, Spørsmål", fix="Export a report of compulsory school; one of upper "
                              "secondary school has no municipalities. Otherwise report the new form.")])  # fmt: skip
        raise AssertionError("unreachable")
    tables = _read(wide, name, sha256)
    if other := [t.dataset for t in tables if t.dataset != dataset]:
        refuse(name, [problem("other-dataset", "the figures are about something else than the file says at first", name,
                              column=METADATA, found=other[0], expected=dataset,
                              fix="Send each report on its own.")])  # fmt: skip
    return tables


def cells_of(document: Any, name: str) -> list[dict[str, str]]:
    """What stands in each row of a pivot, by ``navn``, ``kode``, ``id`` and the titles of its columns.

    Raises:
        SchemaProblem: as ``read``.
    """
    columns = _columns(document[METADATA]["columns"], name)
    rows, _ = collect(document, ROWS, name, lambda position, row: _row(position, row, len(columns)))
    return [
        {"navn": row.name, "kode": row.code, "id": ".".join(row.path),
         **dict(zip((c.title for c in columns), row.cells, strict=True))}
        for row in (found["row"] for found in rows)
    ]  # fmt: skip


def read_table(table: TextTable, sha256: str, units: UnitList | None = None) -> list[ExtractTable]:
    """Read the survey's CSV with units in its header.

    Raises:
        SchemaProblem, UnreadableFile: as ``read``.
    """
    import pyarrow.compute as pc

    refuse_cells(table.name, len(table) * len(table.header), MAX_SLOW_CELLS)
    cells = {name: pc.utf8_trim_whitespace(column).to_pylist() for name, column in table.columns.items()}
    group = next(name for name in GROUP_SPELLINGS if name in table.header)
    dotted = [name for name in table.header if "." in name]
    columns = [Column(name, tuple(headers.split_levels(name))) for name in dotted]
    codes, names = (cells.get(name, [""] * len(table)) for name in QUESTIONS)
    rows = []
    for at, line in enumerate(table.rows.to_pylist()):
        whole = (
            names[at] == WHOLE_INDICATOR if QUESTIONS[1] in cells else bool(labels.meaning("survey_code", codes[at]))
        )
        path = ("", "") if not whole else ("",)
        rows.append(Row(line, cells[group][at], codes[at], path, tuple(table.columns[c][at].as_py() for c in dotted)))
    unread = not_read(table, {*QUESTIONS, *GROUP_SPELLINGS, *NOT_USED, *dotted}, "the columns of the question, or a "
                      "header of levels with dots between them")  # fmt: skip
    wide = pivot_units.in_header(_whole(rows, table.name), columns, table.name, units)
    return [replace(t, findings=(*t.findings, *unread)) for t in _read(wide, table.name, sha256)]


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _columns(levels: object, name: str) -> list[Column]:
    """The columns of figures, each with its name on every level.

    Raises:
        SchemaProblem: ``damaged-pivot``: a level is no list of names, or the levels are not equally wide.
    """
    spread: list[list[str]] = []
    for number, level in enumerate(_list(levels), start=1):
        try:
            parts = [(as_text(part, "name", required=True) or "", part.get("columnCount")) for part in level]
            width = sum(count for _, count in parts)
            if any(isinstance(c, bool) or not isinstance(c, int) or c < 1 for _, c in parts) or width > MAX_WIDTH:
                raise TypeError
        except (TypeError, AttributeError, Odd):
            refuse(name, [problem("damaged-pivot", "a level of the header cannot be read", name, column="columns",
                                  found=f"level {number}", expected="names, each with its number of columns",
                                  fix="Download the file again.")])  # fmt: skip
        spread.append(list(chain.from_iterable([_composed(text)] * count for text, count in parts)))
    if len(spread) == 1:
        refuse(name, [problem("damaged-pivot", "the header has one level", name, column="columns",
                              found=", ".join(spread[0][:4]), expected="school year, grade, measure and more",
                              fix="Download the file again.")])  # fmt: skip
    if len({len(level) for level in spread}) > 1:
        refuse(name, [problem("damaged-pivot", "the levels of the header are not equally wide", name, column="columns",
                              found=", ".join(str(len(level)) for level in spread), expected="as many columns each",
                              fix="Download the file again.")])  # fmt: skip
    columns = [Column(".".join(parts), parts) for parts in zip(*spread, strict=True)]
    seen: set[str] = set()
    twice = [c.title for c in columns if c.title in seen or seen.add(c.title)]  # type: ignore[func-returns-value]
    refuse(name, [problem("repeated-column", "a column of the pivot stands more than once", name, column=title,
                          found=title, expected="each column once", fix="Download the file again.")
                  for title in twice])  # fmt: skip
    return columns


def _composed(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _row(position: int, row: Mapping[str, Any], width: int) -> dict[str, Any]:
    """One row of the answer, under ``row``.

    Raises:
        Odd: what is missing in it or of another type.
    """
    path = (as_text(row, "id", required=True) or "").split(".")
    data = row.get("data")
    if not isinstance(data, list) or len(data) != width:
        found = f"{len(data)} cells" if isinstance(data, list) else data
        raise Odd("data", found, f"{width} cells, one for each column")
    for cell in data:
        if cell is not None and not isinstance(cell, str):
            raise Odd("data", cell, "text or null in each cell")
    name, code = as_text(row, "navn") or "", as_text(row, "kode") or ""
    cells = tuple("" if cell is None else cell for cell in data)
    return {"row": Row(position, _composed(name), code, tuple(path), cells)}


def _whole(rows: Sequence[Row], name: str) -> list[Row]:
    """The rows of whole indicators of the scheme, under the names of the indicators; those of single questions go.

    Raises:
        SchemaProblem: ``no-known-indicator``, ``code-of-another``.
    """
    found, wrong = [], []
    for row in (r for r in rows if len(r.path) == 1):
        by_name, by_code = labels.meaning("survey", row.name), labels.meaning("survey_code", row.code)
        if by_name and by_code and by_name != by_code:
            wrong.append(
                problem("code-of-another", "code and name of a row are of two indicators", name, row=row.at,
                        column="kode", found=f"{row.code}, {row.name}", expected=f"the code of {row.name}",
                        fix="Download the file again.")
            )  # fmt: skip
        if by_name or by_code:
            known = labels.meanings("survey")
            title = row.name if by_name else next(text for text, meaning in known.items() if meaning == by_code)
            found.append(replace(row, name=title))
    refuse(name, wrong)
    if not found:
        refuse(name, [problem("no-known-indicator", "no row holds an indicator of the scheme", name, column=ROWS,
                              found=", ".join(row.name for row in rows[:4]),
                              expected=", ".join(labels.meanings("survey")),
                              fix="Export the whole indicators of the Pupil Survey.")])  # fmt: skip
    return found


def _read(wide: Wide, name: str, sha256: str) -> list[ExtractTable]:
    """The rows of the table that a pivot stands for, each with its place in the pivot.

    Raises:
        SchemaProblem, UnreadableFile: those of the reader of the statistics bank, with places in the pivot.
    """
    import pyarrow as pa

    titles = list(dict.fromkeys(title for _, title in wide.cells))
    lines = list(wide.units)
    texts = {
        **{column: [wide.units[at].cells[column] for at in lines] for column in statistikkbanken.UNIT_COLUMNS},
        **{title: [cell.text if (cell := wide.cells.get((at, title))) else "" for at in lines] for title in titles},
    }
    try:
        columns = {title: column_of(cells, pa.string(), name, title, lines) for title, cells in texts.items()}
        table = TextTable(name, tuple(columns), columns, pa.array(lines, pa.int64()), "json")
        refuse_odd_cells(name, columns.items(), table.rows)
        found = statistikkbanken.read(table, sha256)
    except FileProblem as wrong:
        raise type(wrong)(wrong.message, [_placed(finding, wide) for finding in wrong.findings]) from None
    return [_with_places(one, wide) for one in found]


def _placed(finding: Finding, wide: Wide) -> Finding:
    """A finding on the table, with its place in the pivot."""
    unit = wide.units.get(finding.row) if finding.row is not None else None
    if finding.column in statistikkbanken.UNIT_COLUMNS:
        place = unit.place if unit is not None else Place(None, None)
        return replace(finding, row=place.row, column=place.column or finding.column)
    if (cell := wide.cells.get((finding.row or 0, finding.column or ""))) is not None and unit is not None:
        return replace(finding, row=cell.place.row, column=cell.place.column)
    first = next((c.place.column for (_, title), c in wide.cells.items() if title == finding.column), finding.column)
    return replace(finding, row=None, column=first)


def _with_places(found: ExtractTable, wide: Wide) -> ExtractTable:
    """The rows with their places in the pivot. A unit has no row for a column that only other units have."""
    import pyarrow as pa

    keys = zip(found.table["source_row"].to_pylist(), found.table["source_column"].to_pylist(), strict=True)
    there = [wide.cells.get(key) for key in keys]
    table = found.table.filter(pa.array([cell is not None for cell in there], pa.bool_()))
    at = [cell.place for cell in there if cell is not None]
    for name, values in (("source_row", [p.row for p in at]), ("source_column", [p.column for p in at])):
        index = table.schema.get_field_index(name)
        table = table.set_column(index, table.schema.field(index), pa.array(values, table.schema.field(index).type))
    findings = tuple(_placed(finding, wide) for finding in found.findings)
    return replace(found, table=table, findings=findings)
