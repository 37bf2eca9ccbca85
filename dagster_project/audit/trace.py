"""Trace a published cell to its source cells, or a file to everything that depends on it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from dagster_project.archive import Archive
from dagster_project.audit.excerpts import PlaceReader
from dagster_project.audit.explain import judged_cells
from dagster_project.audit.form_lines import FormLines
from dagster_project.audit.revisions import Published, Row, accepted_files, all_revisions, open_revision
from dagster_project.diagnostics import NotFound
from dagster_project.intake.read import read_file
from dagster_project.intake.recognise import recognise
from dagster_project.pages.words import texts
from dagster_project.schema import (
    DECISIONS,
    MUNICIPALITY_CHANGES,
    SCHOOL_REGISTER,
    SUPPORT_MEASURES,
    YEARLY_DATASETS,
)
from dagster_project.settings import Settings

if TYPE_CHECKING:
    import pyarrow as pa

CELL = "indicator_points:UNIT:INDICATOR:GRADE:SCHOOL_YEAR"
RANKINGS = ("municipality_ranking", "school_ranking")
REGISTERS = (SCHOOL_REGISTER, MUNICIPALITY_CHANGES)
SIDES = ("national", "absolute")
FROM_SCHOOLS = ("percentile", "mean_sd")


@dataclass(frozen=True)
class Touched:
    """What depends on a file, or on a place in it, in one revision of a round or cohort.

    ``cells`` are judged cells made of it, ``limits`` the limits that stand in it or were frozen from it, ``schools``
    and ``municipalities`` the units whose points rest on either, ``decisions`` the rows of the selection of those
    municipalities. ``outcomes`` are the rows of the selection whose decision or county governor's reply stands in the
    file, or the decision by which they were followed already. ``followed`` is what a cohort has of it, each with the
    published table it shows in: reports, measures, who takes part, and the years of indicators it holds figures of.
    ``compared`` are the municipalities of an official list in it that the revision is compared with.
    ``register`` is set when the file is a register, which decides what units there are at all. ``is_input`` says
    whether the revision's manifest names the file.
    """

    round: str
    revision: str
    status: str
    in_force: bool
    is_input: bool
    register: str | None
    cells: list[Row]
    limits: list[Row]
    municipalities: list[str]
    schools: list[str]
    decisions: list[Row]
    outcomes: list[Row]
    followed: list[Row]
    compared: list[Row]

    @property
    def must_be_redone(self) -> bool:
        """Whether the revision would not be the same without it."""
        return bool(self.register or self.cells or self.limits or self.outcomes or self.followed or self.compared)

    def as_dict(self) -> Row:
        return {**asdict(self), "must_be_redone": self.must_be_redone}


def down(settings: Settings, round_id: str, cell: str, *, revision: str | None = None) -> list[Row]:
    """The judged cells a published cell rests on, each with its source cells and limits.

    ``cell`` is ``indicator_points:UNIT:INDICATOR:GRADE:SCHOOL_YEAR`` (later parts may be left out) or
    ``municipality_ranking:CODE`` or ``school_ranking:CODE``, which rest on all points of the unit.

    Raises:
        NotFound: no such round, revision or cell, or the cell is not named in that way.
    """
    published = open_revision(settings, round_id, revision)
    table, *parts = cell.split(":")
    if not parts or table not in ("indicator_points", *RANKINGS) or len(parts) > (1 if table in RANKINGS else 4):
        raise NotFound(f"{cell} is not the name of a published cell. Expected: {CELL}, municipality_ranking:CODE or "
                       "school_ranking:CODE.")  # fmt: skip
    unit, wanted = parts[0], parts[1:]
    reader = PlaceReader(Archive(settings))
    levels = {"municipality_ranking": ("municipality",), "school_ranking": ("school",)}
    found = []
    for level in levels.get(table, ("municipality", "school")):
        rows = judged_cells(published, reader, level, unit)
        found += [
            {"unit_level": level, "unit_code": unit, **row}
            for row in rows
            if all(
                str(row[name] if row[name] is not None else "") == value
                for name, value in zip(("indicator", "grade", "school_year"), wanted, strict=False)
            )
        ]
    if not found:
        raise NotFound(f"Round {round_id} has no cell {cell}.")
    return found


def up(settings: Settings, sha256: str, *, line: int | None = None, column: str | None = None) -> list[Touched]:
    """What a file (or one line or column of it) has a part in, in every revision of every round and cohort.

    A line of a form counts as a whole, whatever the column.
    """
    accepted = accepted_files(settings)
    event = accepted[sha256]
    revisions = all_revisions(settings)
    asked = _Asked(
        sha256, event, line, column, _Years(settings, sha256, event, line, column),
        FormLines(settings, sha256, accepted, line), {p.round: p for p, _ in revisions if not p.has("selection")},
    )  # fmt: skip
    return [(_touched if p.has("selection") else _touched_cohort)(p, in_force, asked) for p, in_force in revisions]


@dataclass(frozen=True)
class _Asked:
    """A file or a place in it, and how to read it. ``cohorts`` is the newest revision of each round's cohort."""

    sha256: str
    event: Row
    line: int | None
    column: str | None
    years: _Years
    forms: FormLines
    cohorts: dict[str, Published]

    def register(self, published: Published) -> str | None:
        """The register it is to a revision, if any."""
        return next((d for d in self.event["datasets"] if d in REGISTERS and self.sha256 in published.file_names), None)

    def decisions(self, published: Published) -> dict[tuple[str, str], Row]:
        """The last decision in it on each municipality, by round and code."""
        rows = self.forms.in_force(published, DECISIONS)
        rows.sort(key=lambda r: (str(r["decided_on"]), r["source_row"]))
        return {(r["round"], r["municipality_code"]): r for r in rows}

    def in_scheme(self, published: Published) -> dict[str, Row]:
        """The decisions in it by which municipalities were followed already when a round was held, by today's code."""
        lines: dict[str, Row] = {}
        for (round_id, code), row in self.decisions(published).items():
            cohort = self.cohorts.get(round_id)
            if cohort is None or round_id == published.round or row["decision"] != "accept":
                continue
            held = published.rows("exceptions_in_force", basis="cohort", ground=cohort.subject)
            today = {code, *cohort.successors.get(code, ())}
            lines |= {r["unit_code"]: row for r in held if r["unit_code"] in today}
        return lines


class _Years:
    """Which indicators, grades and school years a file (or a place in it) holds; read once, when first asked."""

    def __init__(self, settings: Settings, sha256: str, event: Row, line: int | None, column: str | None) -> None:
        self._archive, self._sha256, self._event = Archive(settings), sha256, event
        self._line, self._column = line, column

    def holds_schools(self, indicator: str, grade: int | None, school_year: str | None) -> bool:
        """Whether it holds values of schools, such as a limit is taken from."""
        if school_year is None or school_year not in self._event.get("school_years", []):
            return False
        return any(i == indicator and y == school_year and grade in (None, g) for i, y, g in self._of_schools)

    @cached_property
    def all(self) -> set[tuple[str, str]]:
        """Indicators and school years it says anything about."""
        found: set[tuple[str, str]] = set()
        for cells in self._cells if set(self._event["datasets"]).intersection(YEARLY_DATASETS) else ():
            keys = cells.select(["indicator", "school_year"]).group_by(["indicator", "school_year"])
            found |= {(r["indicator"], r["school_year"]) for r in keys.aggregate([]).to_pylist()}
        return found

    @cached_property
    def _of_schools(self) -> set[tuple[str, str, int]]:
        found: set[tuple[str, str, int]] = set()
        for cells in self._cells:
            rows = _where(cells, unit_level="school", state="observed", ownership="all", sex="all", abroad=False)
            keys = rows.select(["indicator", "school_year", "grade"]).group_by(["indicator", "school_year", "grade"])
            found |= {(r["indicator"], r["school_year"], r["grade"]) for r in keys.aggregate([]).to_pylist()}
        return found

    @cached_property
    def _cells(self) -> list[pa.Table]:
        path = self._archive.path(self._sha256)
        extracts = read_file(path, self._sha256, self._event["file"], recognise(path, self._event["file"]))
        return [_at(e.table, self._line, self._column) for e in extracts if e.dataset in YEARLY_DATASETS]


def _where(table: pa.Table, **equal: str | bool) -> pa.Table:
    import pyarrow.compute as pc

    for name, value in equal.items():
        table = table.filter(pc.equal(table[name], value))
    return table


def _at(table: pa.Table, line: int | None, column: str | None) -> pa.Table:
    import pyarrow.compute as pc

    if line is not None:
        table = table.filter(pc.equal(table["source_row"], line))
    if column is not None:
        table = table.filter(pc.equal(table["source_column"], column))
    return table


def _touched(published: Published, in_force: bool, asked: _Asked) -> Touched:
    m, sha256, line, column = published.manifest, asked.sha256, asked.line, asked.column
    is_input, register = sha256 in published.file_names, asked.register(published)
    key = ["unit_level", "unit_code", "indicator", "grade", "school_year"]
    sources = _at(published.table("point_sources", source_sha256=sha256), line, column)
    cells = sources.select([*key, "source_row", "source_column", "cell_raw_value"]).to_pylist()
    limits = []
    for row in published.rows("limits"):
        for side in SIDES:
            # revisions of before the limits named their cell have no such columns
            stands = row.get(f"{side}_source_sha256") == sha256 and line in (None, row.get(f"{side}_source_row"))
            stands = stands and column in (None, row.get(f"{side}_source_column"))
            frozen = is_input and row[f"{side}_method"] in FROM_SCHOOLS
            frozen_in = row.get(f"{side}_base_year") or row["school_year"]
            if stands or (frozen and asked.years.holds_schools(row["indicator"], row["grade"], frozen_in)):
                how = "read from the file" if stands else "computed from schools in the file"
                limits.append({"side": side, **{k: row[k] for k in key[2:]}, "limit": row[f"{side}_limit"], "how": how})
    units = {(c["unit_level"], c["unit_code"]) for c in cells}
    if limits:
        judged = {(r["indicator"], r["grade"], r["school_year"]) for r in limits}
        points = published.table("indicator_points", [*key, "points"])
        units |= {
            (r["unit_level"], r["unit_code"])
            for r in points.to_pylist()
            if r["points"] is not None and (r["indicator"], r["grade"], r["school_year"]) in judged
        }
    schools = {code for level, code in units if level == "school"}
    municipalities = {code for level, code in units if level == "municipality"}
    for row in published.rows("school_ranking", ["school_code", "municipality_code"]):
        if row["municipality_code"] and (register or row["school_code"] in schools):
            municipalities.add(row["municipality_code"])
    shown = ("municipality_code", "municipality_name", "selection_group", "status", "rank_in_group")
    decisions, outcomes = [], []
    in_scheme = asked.in_scheme(published)
    for row in published.rows("selection"):
        if row["municipality_code"] in municipalities:
            decisions.append({k: row[k] for k in shown})
        for part in ("decision", "reply"):
            # revisions of before the decisions have no such columns
            place = row.get(f"{part}_source_row")
            if row.get(f"{part}_source_sha256") == sha256 and line in (None, place):
                outcomes.append({**{k: row[k] for k in shown}, "rests_on": part, "line": place})
        if row["municipality_code"] in in_scheme:
            place = in_scheme[row["municipality_code"]]["source_row"]
            outcomes.append({**{k: row[k] for k in shown}, "rests_on": "earlier_decision", "line": place})
    listed = published.rows("official_list", list_source_sha256=sha256) if published.has("official_list") else []
    compared = [
        {"municipality_code": r["municipality_code"], "agreement": r["agreement"], "line": r["list_source_row"]}
        for r in listed
        if line in (None, r["list_source_row"])
    ]
    return Touched(
        published.subject, published.revision, m["status"], in_force, is_input, register, cells, limits,
        sorted(municipalities), sorted(schools), decisions, outcomes, [], compared,
    )  # fmt: skip


def _touched_cohort(published: Published, in_force: bool, asked: _Asked) -> Touched:
    sha256, line, register = asked.sha256, asked.line, asked.register(published)
    is_input = sha256 in published.file_names
    followed = [
        {"table": "followup_report_status", **{k: r[k] for k in ("municipality_code", "report", "sender", "status")},
         "line": r["source_row"]}
        for r in published.rows("followup_report_status", source_sha256=sha256)
        if line in (None, r["source_row"])
    ]  # fmt: skip
    # the sums of the measures name no line; what they are made of stands in the file itself
    followed += [
        {"table": "support_measures_summary", **{k: r[k] for k in ("municipality_code", "year", "measure")},
         "line": r["source_row"]}
        for r in asked.forms.in_force(published, SUPPORT_MEASURES)
        if r["cohort"] == published.subject
    ]  # fmt: skip
    followed += [
        {"table": "cohort_progress", "municipality_code": code, "decision": r["decision"], "line": r["source_row"]}
        for (round_id, code), r in sorted(asked.decisions(published).items())
        if round_id == published.round
    ]
    followed += _years(published, asked.years) if is_input else []
    codes = {r["municipality_code"] for r in followed if "municipality_code" in r}
    return Touched(
        published.subject, published.revision, published.manifest["status"], in_force, is_input, register, [], [],
        sorted(codes), [], [], [], followed, [],
    )  # fmt: skip


def _years(published: Published, years: _Years) -> list[Row]:
    """The indicators and school years of the cohort's progress of which the file holds figures."""
    if not years.all:
        return []
    keys = published.table("cohort_progress", ["indicator", "school_year"]).group_by(["indicator", "school_year"])
    rows = sorted(keys.aggregate([]).to_pylist(), key=lambda r: (r["indicator"], r["school_year"] or ""))
    return [{"table": "cohort_progress", **r} for r in rows if (r["indicator"], r["school_year"]) in years.all]


def cells_as_text(cells: list[Row]) -> str:
    """Figures with their source cells and limits, for a terminal."""
    number = texts("en").number
    lines = []
    for cell in cells:
        name = " ".join(str(cell[k]) for k in ("unit_code", "indicator", "grade", "school_year") if cell[k] is not None)
        lines.append(
            f"{name}: {cell['state']} {number(cell['value'])} -> points {number(cell['points']) or '-'} x "
            f"{number(cell['weight'])} of {number(cell['possible_points'])} ({cell['value_basis']})"
        )
        for source in cell["sources"]:
            lines.append(f"  cell of {source['unit']}: {_cited(source)}")
        for side in SIDES:
            where = cell[f"{side}_source"]
            schools = f", {cell[f'{side}_schools']} schools" if cell[f"{side}_schools"] else ""
            base = f" in {cell[f'{side}_base_year']}" if cell[f"{side}_base_year"] else ""
            lines.append(
                f"  {side} limit {number(cell[f'{side}_limit'])}: {cell[f'{side}_method']}{schools}{base}"
                + (f": {_cited(where)}" if where else "")
            )
    return "\n".join(lines)


def _cited(source: Row) -> str:
    # JSON has no lines: its objects are counted from 0
    place = "object" if str(source["file"]).endswith(".json") else "line"
    return f"{source['file']} {source['sha256'][:12]} {place} {source['line']}, {source['column']}: {source['raw']!r}"


def _followed_as_text(followed: list[Row]) -> list[str]:
    """What a cohort has of a file: counts, since a workbook of reports has a line for nearly every municipality."""
    of = {name: [r for r in followed if r["table"] == name] for name in
          ("followup_report_status", "support_measures_summary", "cohort_progress")}  # fmt: skip
    members = [r for r in of["cohort_progress"] if "municipality_code" in r]
    years = [f"{r['indicator']} {r['school_year']}" for r in of["cohort_progress"] if "school_year" in r]

    def named(rows: list[Row]) -> str:
        return ", ".join(sorted({r["municipality_code"] for r in rows}))

    lines = []
    for rows, what in (
        (of["followup_report_status"], "reports received"),
        (of["support_measures_summary"], "support measures counted"),
        (members, "decisions on taking part, on which all progress and effects depend"),
    ):
        if rows:
            lines.append(f"  {len(rows)} {what}: {named(rows)}")
    if years:
        lines.append(f"  progress and effects, unless a later file has replaced it: {', '.join(years)}")
    return lines


def touched_as_text(name: str, sha256: str, touched: list[Touched]) -> str:
    """What depends on a file, for a terminal: a paragraph for each revision, and at the end what must be redone."""
    lines = [f"{name} {sha256}"]
    for t in touched:
        force = ", in force" if t.in_force else ""
        lines.append(f"{t.round} {t.revision} ({t.status}{force})")
        if not t.must_be_redone:
            lines.append("  an input, but no figure and no outcome depends on it" if t.is_input else "  not an input")
            continue
        if t.register:
            lines.append(f"  it is the {t.register}, which decides what units there are: everything depends on it")
        if t.cells or t.limits or (t.register and not t.followed):
            lines.append(f"  {len(t.cells)} figures and {len(t.limits)} limits; {len(t.municipalities)} "
                         "municipalities and "
                         f"{len(t.schools)} schools depend on them")  # fmt: skip
            for limit in t.limits:
                key = " ".join(str(limit[k]) for k in ("indicator", "grade", "school_year") if limit[k] is not None)
                lines.append(f"    {limit['side']} limit of {key}: {limit['how']}")
            lines.append(f"  {len(t.decisions)} rows of the selection: "
                         + (", ".join(f"{d['municipality_code']} {d['selection_group']} {d['status']}"
                                      for d in t.decisions) or "none"))  # fmt: skip
        for part, name in (
            ("decision", "a decision"),
            ("reply", "a county governor's reply"),
            ("earlier_decision", "an earlier round's decision"),
        ):
            rows = [o for o in t.outcomes if o["rests_on"] == part]
            if rows:
                lines.append(f"  {len(rows)} outcomes depend on {name} in it: "
                             + ", ".join(f"{o['municipality_code']} {o['selection_group']} {o['status']} "
                                         f"(line {o['line']})" for o in rows))  # fmt: skip
        lines += _followed_as_text(t.followed)
        if t.compared:
            lines.append(f"  {len(t.compared)} municipalities of the official list that the round is compared with: "
                         + ", ".join(r["municipality_code"] for r in t.compared))  # fmt: skip
    redo = sorted({f"{t.round} {t.revision}" for t in touched if t.must_be_redone and t.in_force})
    lines.append("Must be redone if the file is withdrawn: " + (", ".join(redo) or "nothing in force"))
    return "\n".join(lines)
