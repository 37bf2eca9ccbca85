"""What differs between two published folders: who moved in, out or in rank, which cells made them move, and why.

The folders are two revisions of a round, two rounds, or the same round under two rule sets.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from dagster_project.audit.revisions import Published, Row, open_folder
from dagster_project.schema import FORM_DATASETS

Cause = Literal["data", "rule", "decision", "code"]
CELL_COLUMNS = ("value", "state", "national_limit", "absolute_limit", "points", "weight", "weighted_points",
                "possible_points")  # fmt: skip
UNIT_COLUMNS = ("points", "possible_points", "risk_share", "rank", "rated")
DECISION_COLUMNS = ("status", "rank_in_group", "governor_priority", "decided_on", "reason")
DECISIONS = set(FORM_DATASETS)
"""What people entered, as against figures."""
KEY = ("unit_level", "unit_code", "indicator", "grade", "school_year")


@dataclass(frozen=True)
class CellChange:
    """One judged cell of a municipality or school: ``columns`` maps what changed to the value before and after.

    ``before`` or ``after`` is missing from the revision when ``only_in`` says so.
    """

    unit_level: str
    unit_code: str
    indicator: str
    grade: int | None
    school_year: str | None
    columns: dict[str, tuple[Any, Any]]
    only_in: Literal["before", "after"] | None = None


@dataclass(frozen=True)
class UnitChange:
    """One municipality: what of its row changed, its status in each group before and after, and the cells behind it.

    ``statuses`` holds only groups in which it changed; None stands for not being in the group.
    """

    code: str
    name: str
    columns: dict[str, tuple[Any, Any]]
    statuses: dict[str, tuple[str | None, str | None]]
    decisions: dict[str, dict[str, tuple[Any, Any]]]
    cells: tuple[CellChange, ...]
    school_cells: int


@dataclass(frozen=True)
class Difference:
    """All that differs between two folders. Empty when every published figure and decision is the same.

    ``causes`` follow from the two manifests: inputs that are not the same (data, or decision when they are human
    input), the rule set, round entry and registers (rule), the code version (code). Several may be given; which of
    them moved a figure cannot always be told apart.
    """

    before: str
    after: str
    causes: tuple[Cause, ...]
    inputs_added: tuple[str, ...]
    inputs_removed: tuple[str, ...]
    units: tuple[UnitChange, ...]
    limits: tuple[CellChange, ...]
    points_changed: int

    @property
    def is_empty(self) -> bool:
        return not self.units and not self.limits and not self.points_changed

    def moved_in(self, group: str) -> tuple[UnitChange, ...]:
        """Municipalities that are selected (or candidates) in the group now and were not before."""
        return tuple(u for u in self.units if group in u.statuses and _inside(u.statuses[group][1])
                     and not _inside(u.statuses[group][0]))  # fmt: skip

    def moved_out(self, group: str) -> tuple[UnitChange, ...]:
        """Municipalities that were selected (or candidates) in the group and are not now."""
        return tuple(u for u in self.units if group in u.statuses and _inside(u.statuses[group][0])
                     and not _inside(u.statuses[group][1]))  # fmt: skip

    @property
    def moved_in_rank(self) -> tuple[UnitChange, ...]:
        return tuple(u for u in self.units if "rank" in u.columns)

    def as_dict(self) -> Row:
        groups = sorted({g for u in self.units for g in u.statuses})
        return {
            **asdict(self),
            "empty": self.is_empty,
            "moved_in": {g: [u.code for u in self.moved_in(g)] for g in groups},
            "moved_out": {g: [u.code for u in self.moved_out(g)] for g in groups},
        }

    def as_json(self) -> str:
        from dagster_project.audit.explain import plain

        return json.dumps(self.as_dict(), ensure_ascii=False, indent=2, default=plain)

    def as_text(self) -> str:
        """For a terminal: the lists first, then each municipality that moved in or out with its cells."""
        lines = [f"{self.before} -> {self.after}"]
        if self.causes:
            lines.append(f"What changed beneath: {', '.join(self.causes)}")
        lines += [f"  new file: {name}" for name in self.inputs_added]
        lines += [f"  file no longer used: {name}" for name in self.inputs_removed]
        if self.is_empty:
            lines.append("No published figure and no decision differs.")
            return "\n".join(lines)
        for group in sorted({g for u in self.units for g in u.statuses}):
            for title, units in (("in", self.moved_in(group)), ("out", self.moved_out(group))):
                names = ", ".join(f"{u.code} {u.name}" for u in units) or "none"
                lines.append(f"{group}, moved {title}: {names}")
        lines.append(f"Moved in rank: {len(self.moved_in_rank)} municipalities. Limits changed: {len(self.limits)}. "
                     f"Judged cells changed: {self.points_changed}.")  # fmt: skip
        for limit in self.limits:
            lines.append(f"  limit {_named(limit)}: {_shown(limit.columns)}")
        for unit in self.units:
            moved = ", ".join(f"{g}: {a or 'not in it'} -> {b or 'not in it'}" for g, (a, b) in unit.statuses.items())
            lines.append(f"{unit.code} {unit.name}: {'; '.join(t for t in (moved, _shown(unit.columns)) if t)}")
            lines += [f"    {_named(c)}: {_shown(c.columns) or 'only ' + str(c.only_in)}" for c in unit.cells]
            if unit.school_cells:
                lines.append(f"    and {unit.school_cells} cells of its schools")
        return "\n".join(lines)


def _inside(status: str | None) -> bool:
    return status in ("selected", "candidate")


def _named(cell: CellChange) -> str:
    return " ".join(str(p) for p in (cell.indicator, cell.grade, cell.school_year) if p is not None)


def _shown(columns: dict[str, tuple[Any, Any]]) -> str:
    from dagster_project.words import number

    def one(value: Any) -> str:
        return str(value) if value is None or isinstance(value, bool | str) else (
            value.isoformat() if hasattr(value, "isoformat") else number(value, "en"))  # fmt: skip

    return ", ".join(f"{name} {one(a)} -> {one(b)}" for name, (a, b) in columns.items())


def compare(folder_a: Path, folder_b: Path) -> Difference:
    """Compare two published folders, ``folder_a`` being the earlier. Pure: reads the two folders and nothing else.

    Raises:
        NotFound: a folder is no revision.
    """
    a, b = open_folder(folder_a), open_folder(folder_b)
    old, new = a.manifest["inputs"], b.manifest["inputs"]
    old_hashes, new_hashes = ({i["sha256"] for i in inputs} for inputs in (old, new))
    added = [i for i in new if i["sha256"] not in old_hashes]
    removed = [i for i in old if i["sha256"] not in new_hashes]
    cells = _cell_changes(a, b)
    limits = _changes(a, b, "limits", ("indicator", "grade", "school_year"), ("national_limit", "absolute_limit"))
    return Difference(
        f"{a.round} {a.revision}",
        f"{b.round} {b.revision}",
        _causes(a, b, added + removed),
        tuple(i["file"] for i in added),
        tuple(i["file"] for i in removed),
        _unit_changes(a, b, cells),
        tuple(CellChange("", "", k[0], k[1], k[2], columns, only) for k, columns, only in limits),
        len(cells),
    )


def _causes(a: Published, b: Published, inputs: list[Row]) -> tuple[Cause, ...]:
    causes: list[Cause] = []
    datasets = {d for i in inputs for d in i["datasets"]}
    if datasets - DECISIONS:
        causes.append("data")
    rules = ("rule_set", "registers")
    entry = [{k: v for k, v in p.manifest["round_entry"].items() if k != "status"} for p in (a, b)]
    if any(a.manifest[k] != b.manifest[k] for k in rules) or entry[0] != entry[1]:
        causes.append("rule")
    if datasets & DECISIONS:
        causes.append("decision")
    if a.manifest["code_version"] != b.manifest["code_version"]:
        causes.append("code")
    return tuple(causes)


def _changes(
    a: Published, b: Published, table: str, key: tuple[str, ...], columns: tuple[str, ...]
) -> list[tuple[tuple[Any, ...], dict[str, tuple[Any, Any]], Literal["before", "after"] | None]]:
    """Rows that are not the same in both, by key, with what differs; equal tables are not looked through."""
    first, second = (p.table(table, [*key, *columns]) for p in (a, b))
    if first.equals(second):
        return []
    old, new = ({tuple(r[k] for k in key): r for r in t.to_pylist()} for t in (first, second))
    found: list[tuple[tuple[Any, ...], dict[str, tuple[Any, Any]], Literal["before", "after"] | None]] = []
    for k in sorted(old.keys() | new.keys(), key=lambda k: tuple(str(p) for p in k)):
        if k in old and k in new:
            if differs := {c: (old[k][c], new[k][c]) for c in columns if old[k][c] != new[k][c]}:
                found.append((k, differs, None))
        else:
            found.append((k, {}, "before" if k in old else "after"))
    return found


def _cell_changes(a: Published, b: Published) -> list[CellChange]:
    found = []
    for (level, code, indicator, grade, year), columns, only in _changes(a, b, "indicator_points", KEY, CELL_COLUMNS):
        found.append(CellChange(level, code, indicator, grade, year, columns, only))
    return found


def _unit_changes(a: Published, b: Published, cells: list[CellChange]) -> tuple[UnitChange, ...]:
    schools: dict[str, str] = {}
    names: dict[str, str] = {}
    selections: list[dict[tuple[str, str], Row]] = []
    for p in (a, b):
        for r in p.rows("municipality_ranking", ["municipality_code", "municipality_name"]):
            names[r["municipality_code"]] = r["municipality_name"]
        for r in p.rows("school_ranking", ["school_code", "municipality_code"]):
            schools[r["school_code"]] = r["municipality_code"]
        selections.append({(r["municipality_code"], r["selection_group"]): r for r in p.rows("selection")})
    own: dict[str, list[CellChange]] = {}
    of_schools: dict[str, int] = {}
    for cell in cells:
        if cell.unit_level == "municipality":
            own.setdefault(cell.unit_code, []).append(cell)
        elif code := schools.get(cell.unit_code):
            of_schools[code] = of_schools.get(code, 0) + 1
    ranks = {
        key[0]: columns
        for key, columns, _ in _changes(a, b, "municipality_ranking", ("municipality_code",), UNIT_COLUMNS)
    }
    statuses: dict[str, dict[str, tuple[str | None, str | None]]] = {}
    decisions: dict[str, dict[str, dict[str, tuple[Any, Any]]]] = {}
    old, new = selections
    for code, group in sorted(old.keys() | new.keys()):
        before, after = old.get((code, group), {}), new.get((code, group), {})
        if before.get("status") != after.get("status"):
            statuses.setdefault(code, {})[group] = before.get("status"), after.get("status")
        columns = {c: (before.get(c), after.get(c)) for c in DECISION_COLUMNS if before.get(c) != after.get(c)}
        if columns:
            decisions.setdefault(code, {})[group] = columns
    touched = sorted(own.keys() | of_schools.keys() | ranks.keys() | decisions.keys(), key=str)
    return tuple(
        UnitChange(code, names.get(code, code), ranks.get(code, {}), statuses.get(code, {}), decisions.get(code, {}),
                   tuple(own.get(code, ())), of_schools.get(code, 0))
        for code in touched
    )  # fmt: skip
