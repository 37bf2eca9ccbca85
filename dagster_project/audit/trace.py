"""Where does a published number come from, and what does a file touch? Both ways through the published source cells."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from dagster_project.audit.excerpts import PlaceReader
from dagster_project.audit.explain import judged_cells
from dagster_project.audit.revisions import Published, Row, accepted_files, all_revisions, open_revision
from dagster_project.diagnostics import NotFound
from dagster_project.extracts import Archive
from dagster_project.schema import MUNICIPALITY_CHANGES, SCHOOL_REGISTER, YEARLY_DATASETS
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
    """What a file, or a place in it, has a part in, in one revision.

    ``cells`` are judged cells made of it, ``limits`` the limits that stand in it or were frozen from it, ``schools``
    and ``municipalities`` the units whose points rest on either, ``decisions`` the rows of the selection of those
    municipalities. ``register`` is set when the file is a register, which decides what units there are at all.
    ``is_input`` says whether the revision's manifest names the file.
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

    @property
    def must_be_redone(self) -> bool:
        """Whether the revision would not be the same without it."""
        return bool(self.register or self.cells or self.limits)

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
        raise NotFound(f"{cell} names no published cell. Expected: {CELL}, municipality_ranking:CODE or "
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


def find_file(settings: Settings, wanted: str) -> tuple[str, Row]:
    """The hash of an accepted file by its name or the beginning of its hash, and what the ledger says of it.

    Raises:
        NotFound: there is none, or several.
    """
    known = accepted_files(settings)
    found = [s for s, e in known.items() if e["file"] == wanted or (len(wanted) >= 6 and s.startswith(wanted.lower()))]
    if len(found) == 1:
        return found[0], known[found[0]]
    if found:
        raise NotFound(f"{len(found)} files are called {wanted}: use a hash: {', '.join(sorted(found))}.")
    from difflib import get_close_matches

    close = get_close_matches(wanted, [e["file"] for e in known.values()], n=3, cutoff=0.5)
    raise NotFound(f"No accepted file is called {wanted}." + (f" Did you mean {', '.join(close)}?" if close else ""))


def up(settings: Settings, sha256: str, *, line: int | None = None, column: str | None = None) -> list[Touched]:
    """What a file (or one line or column of it) has a part in, in every revision of every round."""
    event = accepted_files(settings)[sha256]
    base = _BaseYears(settings, sha256, event, line, column)
    return [_touched(published, in_force, sha256, event, line, column, base)
            for published, in_force in all_revisions(settings)]  # fmt: skip


class _BaseYears:
    """Which indicators and grades of which school years a file holds school values of; read once, when first asked."""

    def __init__(self, settings: Settings, sha256: str, event: Row, line: int | None, column: str | None) -> None:
        self._archive, self._sha256, self._event = Archive(settings), sha256, event
        self._line, self._column = line, column
        self._found: set[tuple[str, str, int]] | None = None

    def holds(self, indicator: str, grade: int | None, school_year: str | None) -> bool:
        if school_year is None or school_year not in self._event.get("school_years", []):
            return False
        if self._found is None:
            self._found = self._read()
        return any(i == indicator and y == school_year and grade in (None, g) for i, y, g in self._found)

    def _read(self) -> set[tuple[str, str, int]]:

        from dagster_project.extracts import read_file, recognise

        path = self._archive.path(self._sha256)
        known = recognise(path, self._event["file"])
        found: set[tuple[str, str, int]] = set()
        for extract in read_file(path, self._sha256, self._event["file"], known):
            if extract.dataset not in YEARLY_DATASETS:
                continue
            cells: pa.Table = _at(extract.table, self._line, self._column)
            rows = _where(cells, unit_level="school", state="observed", ownership="all", sex="all")
            keys = rows.select(["indicator", "school_year", "grade"]).group_by(["indicator", "school_year", "grade"])
            found |= {(r["indicator"], r["school_year"], r["grade"]) for r in keys.aggregate([]).to_pylist()}
        return found


def _where(table: pa.Table, **equal: str) -> pa.Table:
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


def _touched(
    published: Published, in_force: bool, sha256: str, event: Row, line: int | None, column: str | None,
    base: _BaseYears,
) -> Touched:  # fmt: skip
    m = published.manifest
    is_input = sha256 in published.file_names
    register = next((d for d in event["datasets"] if d in REGISTERS and is_input), None)
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
            if stands or (frozen and base.holds(row["indicator"], row["grade"], frozen_in)):
                limits.append({"side": side, **{k: row[k] for k in key[2:]}, "limit": row[f"{side}_limit"],
                               "how": "stands there" if stands else "one of the schools it is taken from"})  # fmt: skip
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
    decisions = [
        {k: r[k] for k in ("municipality_code", "municipality_name", "selection_group", "status", "rank_in_group")}
        for r in published.rows("selection")
        if r["municipality_code"] in municipalities
    ]
    return Touched(
        published.round, published.revision, m["status"], in_force, is_input, register, cells, limits,
        sorted(municipalities), sorted(schools), decisions,
    )  # fmt: skip


def cells_as_text(cells: list[Row]) -> str:
    """Judged cells with what they rest on, for a terminal."""
    from dagster_project.words import number

    lines = []
    for cell in cells:
        name = " ".join(str(cell[k]) for k in ("unit_code", "indicator", "grade", "school_year") if cell[k] is not None)
        lines.append(
            f"{name}: {cell['state']} {number(cell['value'], 'en')} -> points {number(cell['points'], 'en') or '-'} x "
            f"{number(cell['weight'], 'en')} of {number(cell['possible_points'], 'en')} ({cell['value_basis']})"
        )
        for source in cell["sources"]:
            lines.append(f"  cell of {source['unit']}: {_cited(source)}")
        for side in SIDES:
            where = cell[f"{side}_source"]
            schools = f", {cell[f'{side}_schools']} schools" if cell[f"{side}_schools"] else ""
            base = f" in {cell[f'{side}_base_year']}" if cell[f"{side}_base_year"] else ""
            lines.append(
                f"  {side} limit {number(cell[f'{side}_limit'], 'en')}: {cell[f'{side}_method']}{schools}{base}"
                + (f": {_cited(where)}" if where else "")
            )
    return "\n".join(lines)


def _cited(source: Row) -> str:
    return f"{source['file']} {source['sha256'][:12]} line {source['line']}, {source['column']}: {source['raw']!r}"


def touched_as_text(name: str, sha256: str, touched: list[Touched]) -> str:
    """What a file touches, for a terminal: a paragraph a revision, and at the end what must be redone."""
    lines = [f"{name} {sha256}"]
    for t in touched:
        force = ", in force" if t.in_force else ""
        lines.append(f"{t.round} {t.revision} ({t.status}{force})")
        if not t.must_be_redone:
            lines.append("  an input, but no figure rests on it" if t.is_input else "  not an input")
            continue
        if t.register:
            lines.append(f"  it is the {t.register}: it decides which units there are, so everything rests on it")
        lines.append(f"  {len(t.cells)} judged cells, {len(t.limits)} limits; {len(t.municipalities)} municipalities "
                     f"and {len(t.schools)} schools rest on them")  # fmt: skip
        for limit in t.limits:
            key = " ".join(str(limit[k]) for k in ("indicator", "grade", "school_year") if limit[k] is not None)
            lines.append(f"    {limit['side']} limit of {key}: {limit['how']}")
        lines.append(f"  {len(t.decisions)} decisions: "
                     + (", ".join(f"{d['municipality_code']} {d['selection_group']} {d['status']}"
                                  for d in t.decisions) or "none"))  # fmt: skip
    redo = sorted({f"{t.round} {t.revision}" for t in touched if t.must_be_redone and t.in_force})
    lines.append("To be redone if it is withdrawn: " + (", ".join(redo) or "nothing in force"))
    return "\n".join(lines)
