"""Compare two published folders: who entered or left the lists, who changed rank, because of which cells, and why.

The folders are two revisions of a round, two rounds, or the same round under two rule sets.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from dagster_project.audit.revisions import Published, Row, open_folder
from dagster_project.pages.json import as_json
from dagster_project.pages.words import texts
from dagster_project.publication.changes import Cause, RowChange, causes, inputs_only_in, row_changes

SELECTION_COLUMNS = ("within_quota", "status", "rank_in_group", "governor_priority", "decision", "decided_on")
COMPARED: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "indicator_points": (
        ("unit_level", "unit_code", "indicator", "grade", "school_year"),
        ("value", "state", "national_limit", "absolute_limit", "points", "weight", "weighted_points",
         "possible_points"),
    ),
    "limits": (("indicator", "grade", "school_year"), ("national_limit", "absolute_limit")),
    "municipality_ranking": (("municipality_code",), ("points", "possible_points", "risk_share", "rank", "rated")),
    "selection": (("municipality_code", "selection_group"), SELECTION_COLUMNS),
}  # fmt: skip
"""Of each table the columns that tell its rows apart, and those whose change is shown."""


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
    """One municipality: what of its rows in the ranking and in each group changed, and the cells behind it.

    ``groups`` holds only groups in which something changed, with the columns that did; None stands for a row that is
    not there.
    """

    code: str
    name: str
    columns: dict[str, tuple[Any, Any]]
    groups: dict[str, dict[str, tuple[Any, Any]]]
    cells: tuple[CellChange, ...]
    school_cells: int


@dataclass(frozen=True)
class RevisionDifference:
    """All that differs between two folders. Empty when every published figure and decision is the same.

    ``causes`` is what the two manifests do not share; ``publication.changes`` says what counts as which.
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
        """Municipalities that the rule takes in the group now and did not before, whatever was decided."""
        return tuple(u for u in self.units if _quota(u, group) == (False, True))

    def moved_out(self, group: str) -> tuple[UnitChange, ...]:
        """Municipalities that the rule took in the group and does not now."""
        return tuple(u for u in self.units if _quota(u, group) == (True, False))

    def outcomes(self, group: str) -> dict[tuple[str | None, str | None], list[UnitChange]]:
        """Status before and after, with the municipalities it became so for: by figures, priorities or decisions."""
        found: dict[tuple[str | None, str | None], list[UnitChange]] = {}
        for unit in self.units:
            if "status" in (columns := unit.groups.get(group, {})):
                found.setdefault(columns["status"], []).append(unit)
        return found

    @property
    def moved_in_rank(self) -> tuple[UnitChange, ...]:
        return tuple(u for u in self.units if "rank" in u.columns)

    def as_dict(self) -> Row:
        groups = sorted({g for u in self.units for g in u.groups})
        return {
            **asdict(self),
            "empty": self.is_empty,
            "moved_in": {g: [u.code for u in self.moved_in(g)] for g in groups},
            "moved_out": {g: [u.code for u in self.moved_out(g)] for g in groups},
            "outcomes": [
                {"group": g, "before": before, "after": after, "municipalities": [u.code for u in units]}
                for g in groups
                for (before, after), units in self.outcomes(g).items()
            ],
        }

    def as_json(self) -> str:
        return as_json(self.as_dict())

    def as_text(self) -> str:
        """For a terminal: the lists first, then each municipality that moved in or out with its cells."""
        lines = [f"{self.before} -> {self.after}"]
        if self.causes:
            lines.append(f"Changed between them: {', '.join(self.causes)}")
        lines += [f"  new file: {name}" for name in self.inputs_added]
        lines += [f"  file no longer used: {name}" for name in self.inputs_removed]
        if self.is_empty:
            lines.append("No published figure and no decision differs.")
            return "\n".join(lines)
        for group in sorted({g for u in self.units for g in u.groups}):
            for title, units in (("entered", self.moved_in(group)), ("left", self.moved_out(group))):
                lines.append(f"{group}, {title} the quota: {_names(units)}")
            for (old, new), those in self.outcomes(group).items():
                lines.append(f"{group}, {old or 'not in it'} -> {new or 'not in it'}: {_names(those)}")
        lines.append(f"Changed rank: {len(self.moved_in_rank)} municipalities. Limits changed: {len(self.limits)}. "
                     f"Figures changed: {self.points_changed}.")  # fmt: skip
        for limit in self.limits:
            lines.append(f"  limit {_named(limit)}: {_shown(limit.columns)}")
        for unit in self.units:
            changes = [_shown(unit.columns), *(f"{g}: {_shown(columns)}" for g, columns in unit.groups.items())]
            lines.append(f"{unit.code} {unit.name}: {'; '.join(t for t in changes if t) or 'figures'}")
            lines += [
                f"    {_named(c)}: {_shown(c.columns) or 'only in the folder ' + str(c.only_in)}" for c in unit.cells
            ]
            if unit.school_cells:
                lines.append(f"    and {unit.school_cells} figures of its schools")
        return "\n".join(lines)


def _quota(unit: UnitChange, group: str) -> tuple[bool, bool] | None:
    """Whether the rule took it before and takes it now; None when that did not change."""
    changed = unit.groups.get(group, {}).get("within_quota")
    return None if changed is None else (bool(changed[0]), bool(changed[1]))


def _names(units: Sequence[UnitChange]) -> str:
    return ", ".join(f"{u.code} {u.name}" for u in units) or "none"


def _named(cell: CellChange) -> str:
    return " ".join(str(p) for p in (cell.indicator, cell.grade, cell.school_year) if p is not None)


def _shown(columns: dict[str, tuple[Any, Any]]) -> str:
    def one(value: Any) -> str:
        return str(value) if value is None or isinstance(value, bool | str) else (
            value.isoformat() if hasattr(value, "isoformat") else texts("en").number(value))  # fmt: skip

    return ", ".join(f"{name} {one(a)} -> {one(b)}" for name, (a, b) in columns.items())


def compare(folder_a: Path, folder_b: Path) -> RevisionDifference:
    """Compare two published folders, ``folder_a`` being the earlier. Pure: reads the two folders and nothing else.

    Raises:
        NotFound: a folder is no revision.
    """
    a, b = open_folder(folder_a), open_folder(folder_b)
    cells = [CellChange(**c.key, columns=c.columns, only_in=c.only_in) for c in _changes(a, b, "indicator_points")]
    limits = [CellChange("", "", **c.key, columns=c.columns, only_in=c.only_in) for c in _changes(a, b, "limits")]
    return RevisionDifference(
        f"{a.round} {a.revision}",
        f"{b.round} {b.revision}",
        causes(a.manifest, b.manifest),
        tuple(i["file"] for i in inputs_only_in(b.manifest, a.manifest)),
        tuple(i["file"] for i in inputs_only_in(a.manifest, b.manifest)),
        _unit_changes(a, b, cells),
        tuple(limits),
        len(cells),
    )


def _changes(a: Published, b: Published, table: str) -> Iterator[RowChange]:
    """Rows of a table that are not the same in what is compared of it; the round is not part of the key."""
    key, columns = COMPARED[table]
    first, second = (p.table(table, [*key, *columns]) for p in (a, b))
    return row_changes(table, first, second, key)


def _unit_changes(a: Published, b: Published, cells: list[CellChange]) -> tuple[UnitChange, ...]:
    schools: dict[str, str] = {}
    names: dict[str, str] = {}
    for p in (a, b):
        for r in p.rows("municipality_ranking", ["municipality_code", "municipality_name"]):
            names[r["municipality_code"]] = r["municipality_name"]
        for r in p.rows("school_ranking", ["school_code", "municipality_code"]):
            schools[r["school_code"]] = r["municipality_code"]
    own: dict[str, list[CellChange]] = {}
    of_schools: dict[str, int] = {}
    for cell in cells:
        if cell.unit_level == "municipality":
            own.setdefault(cell.unit_code, []).append(cell)
        elif code := schools.get(cell.unit_code):
            of_schools[code] = of_schools.get(code, 0) + 1
    ranks = {c.key["municipality_code"]: c.columns for c in _changes(a, b, "municipality_ranking")}
    groups: dict[str, dict[str, dict[str, tuple[Any, Any]]]] = {}
    for change in _changes(a, b, "selection"):
        before, after = change.before or {}, change.after or {}
        columns = {c: (before.get(c), after.get(c)) for c in SELECTION_COLUMNS if before.get(c) != after.get(c)}
        groups.setdefault(change.key["municipality_code"], {})[change.key["selection_group"]] = columns
    touched = sorted(own.keys() | of_schools.keys() | ranks.keys() | groups.keys(), key=str)
    return tuple(
        UnitChange(code, names.get(code, code), ranks.get(code, {}), groups.get(code, {}), tuple(own.get(code, ())),
                   of_schools.get(code, 0))
        for code in touched
    )  # fmt: skip
