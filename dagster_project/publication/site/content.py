"""What the pages of a round tell, from the tables of one edition. Nothing of the rule is worked out here."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from dagster_project.publication.site.facts import Facts
from dagster_project.publication.site.tables import Row, Tables

AVERAGE, SPREAD = "average", "spread"
ORDER = ("selected", "declined", "candidate", "reserve")
NEIGHBOURS = 3
CellKey = tuple[str, int | None, str | None]


@dataclass(frozen=True)
class Listed:
    """A municipality on a list: its row of ``selection``, of the ranking, and how certain that is."""

    row: Row
    unit: Row
    doubt: Row
    outcome: str
    place: int | None

    @property
    def code(self) -> str:
        return str(self.row["municipality_code"])

    @property
    def name(self) -> str:
        return str(self.row["municipality_name"] or self.code)


@dataclass(frozen=True)
class Move:
    """A municipality that was on a list before and is not now, or the reverse. ``why`` is a code of the site."""

    code: str
    name: str
    entered: bool
    why: str
    ground: str | None
    before: float | None
    after: float | None


@dataclass(frozen=True)
class Before:
    """What a round is compared with: the tables of the same edition, and what it is called."""

    tables: Tables
    facts: Facts


@dataclass(frozen=True)
class Control:
    """What the whole edition tells of its making: every file, the checks of each, and which forms are handed out.

    ``files`` are rows of the manifest's inputs, ``checks`` those of the journal with who accepted a warning, ``forms``
    the names of the workbooks in the revision, ``causes`` what changed beneath the tables since the revision before.
    """

    files: tuple[Row, ...]
    checks: tuple[Row, ...]
    forms: tuple[str, ...]
    causes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Round:
    """A round as one edition shows it. ``control`` is what only the whole edition tells of files and checks."""

    facts: Facts
    tables: Tables
    public: bool
    before: Before | None = None
    control: Control | None = None

    @cached_property
    def ranking(self) -> list[Row]:
        """The municipalities, those that are rated first, as they rank; of equals the lower number."""
        rows = self.tables.rows("municipality_ranking")
        return sorted(rows, key=lambda r: (*_last_if_none(rank_of(r)), r["municipality_code"]))

    @cached_property
    def units(self) -> Mapping[str, Row]:
        return {r["municipality_code"]: r for r in self.ranking}

    @cached_property
    def rated(self) -> list[Row]:
        return [r for r in self.ranking if r["rated"]]

    @cached_property
    def not_rated(self) -> list[Row]:
        return [r for r in self.ranking if not r["rated"]]

    @cached_property
    def doubt(self) -> Mapping[str, Row]:
        """How certain the rank of each municipality is; nothing where the edition does not tell."""
        rows = self.tables.rows("selection_uncertainty", unit_level="municipality")
        return {r["unit_code"]: r for r in rows}

    @cached_property
    def schools(self) -> Mapping[str, list[Row]]:
        """The schools of each municipality, the weakest first."""
        found: dict[str, list[Row]] = defaultdict(list)
        for r in self.tables.rows("school_ranking"):
            found[r["municipality_code"]].append(r)
        for rows in found.values():
            rows.sort(key=lambda r: (*_last_if_none(rank_of(r)), r["school_code"]))
        return found

    @cached_property
    def cells(self) -> Mapping[str, dict[CellKey, Row]]:
        """The points of each municipality by indicator, grade and year."""
        found: dict[str, dict[CellKey, Row]] = defaultdict(dict)
        for r in self.tables.rows("indicator_points", unit_level="municipality"):
            found[r["unit_code"]][r["indicator"], r["grade"], r["school_year"]] = r
        return found

    @cached_property
    def changes(self) -> Mapping[str, list[Row]]:
        """The smallest changes that would have moved a municipality over the cut; the public edition has none."""
        found: dict[str, list[Row]] = defaultdict(list)
        rows = self.tables.rows("nearest_changes") if self.tables.has("nearest_changes") else []
        for r in sorted(rows, key=lambda r: r["nearness"]):
            found[r["municipality_code"]].append(r)
        return found

    @cached_property
    def limits(self) -> Mapping[CellKey, Row]:
        return {(r["indicator"], r["grade"], r["school_year"]): r for r in self.tables.rows("limits")}

    @cached_property
    def lines(self) -> list[tuple[str, int | None, list[str | None]]]:
        """Each indicator and grade in the order of the rule, with its school years, oldest first."""
        years: dict[tuple[str, int | None], set[str | None]] = defaultdict(set)
        for indicator, grade, year in self.limits:
            years[indicator, grade].add(year)
        place = {name: i for i, name in enumerate(self.facts.indicators)}
        ordered = sorted(years, key=lambda k: (place[k[0]], k[1] or 0))
        return [(i, g, sorted(years[i, g], key=lambda y: y or "")) for i, g in ordered]

    def school_values(self, indicator: str, grade: int | None, year: str | None) -> list[float]:
        """The shown figures of schools in a year, without their names."""
        return self._school_values.get((indicator, grade, year), [])

    @cached_property
    def _school_values(self) -> Mapping[CellKey, list[float]]:
        found: dict[CellKey, list[float]] = defaultdict(list)
        columns = ["indicator", "grade", "school_year", "value"]
        table = self.tables.arrow("indicator_points", [*columns, "unit_level"], unit_level="school")
        for indicator, grade, year, value in zip(*(table[c].to_pylist() for c in columns), strict=True):
            if value is not None:
                found[indicator, grade, year].append(float(value))
        return found

    @cached_property
    def selection(self) -> Mapping[str, list[Listed]]:
        """The lists of both groups in the order people read them, without those that are kept out."""
        found: dict[str, list[Listed]] = {AVERAGE: [], SPREAD: []}
        for row in self.tables.rows("selection"):
            if row["status"] != "excluded" or is_decided(row):
                found[row["selection_group"]].append(self._listed(row))
        for listed in found.values():
            listed.sort(key=_reading_order)
        return found

    @cached_property
    def kept_out(self) -> list[Listed]:
        """Municipalities that are not considered, because they are in the scheme or by an exception."""
        rows = [r for r in self.tables.rows("selection") if r["status"] == "excluded" and not is_decided(r)]
        once = {r["municipality_code"]: r for r in reversed(rows)}
        return [self._listed(once[code]) for code in sorted(once)]

    @cached_property
    def on_lists(self) -> Mapping[str, list[Listed]]:
        found: dict[str, list[Listed]] = defaultdict(list)
        for listed in (*self.selection[AVERAGE], *self.selection[SPREAD], *self.kept_out):
            found[listed.code].append(listed)
        return found

    def _listed(self, row: Row) -> Listed:
        code = row["municipality_code"]
        outcome = "proposed" if row["status"] == "selected" and not is_decided(row) else row["status"]
        return Listed(row, self.units.get(code, {}), self.doubt.get(code, {}), outcome, row["rank_in_group"])

    def has_places(self, group: str) -> bool:
        """Whether the edition tells the places on a list."""
        return any(m.place is not None for m in self.selection[group])

    def chosen(self, group: str) -> list[Listed]:
        """Those of a group that are proposed or selected."""
        return [m for m in self.selection[group] if m.row["status"] == "selected"]

    def of_status(self, group: str, *statuses: str) -> list[Listed]:
        return [m for m in self.selection[group] if m.row["status"] in statuses]

    @cached_property
    def exceptions(self) -> Mapping[str, list[Row]]:
        """Why municipalities are kept out, by code."""
        found: dict[str, list[Row]] = defaultdict(list)
        for r in self.tables.rows("exceptions_in_force"):
            if r["unit_level"] == "municipality":
                found[r["unit_code"]].append(r)
        return found

    @cached_property
    def governors(self) -> Mapping[str, list[Listed]]:
        """The lists of each county governor: candidates first."""
        names = sorted({r["county_governor"] for r in self.ranking if r["county_governor"]})
        listed = [*self.selection[SPREAD], *self.selection[AVERAGE]]
        return {name: [m for m in listed if m.row["county_governor"] == name] for name in names}

    @cached_property
    def awaited(self) -> list[str]:
        """County governors with a candidate that no reply has come for; only the whole edition knows."""
        from dagster_project.forms.candidates import unanswered

        return [] if self.public else unanswered(self.tables.rows("selection"))

    @cached_property
    def file_names(self) -> Mapping[str, str]:
        """SHA-256 -> the name a file arrived under."""
        known = {s.sha256: s.file for s in self.facts.sources}
        return known if self.control is None else {f["sha256"]: f["file"] for f in self.control.files}

    def neighbours(self, code: str) -> list[Row]:
        """The municipalities around one in the ranking, itself among them."""
        own = rank_of(self.units[code])
        if own is None:
            return []
        return [r for r in self.rated if (rank := rank_of(r)) is not None and abs(rank - own) <= NEIGHBOURS]

    @cached_property
    def earlier_codes(self) -> Mapping[str, list[tuple[str, list[str]]]]:
        """Numbers that figures of a municipality were published under before: number and school years."""
        import pyarrow.compute as pc

        if not self.tables.has("point_sources"):
            return {}
        columns = ["unit_code", "cell_unit_code", "cell_school_year"]
        table = self.tables.arrow("point_sources", [*columns, "cell_unit_level"], unit_level="municipality",
                                  cell_unit_level="municipality")  # fmt: skip
        other = table.filter(pc.not_equal(table["unit_code"], table["cell_unit_code"]))
        found: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
        for code, old, year in zip(*(other[c].to_pylist() for c in columns), strict=True):
            found[code][old].add(year)
        return {code: [(old, sorted(years)) for old, years in sorted(olds.items())] for code, olds in found.items()}

    @cached_property
    def cut(self) -> tuple[float | None, float | None]:
        """The lowest share within the average group and the highest one behind it, of those that are shown."""
        shares: dict[bool, list[float]] = {True: [], False: []}
        for m in self.selection[AVERAGE]:
            if (share := m.unit.get("risk_share")) is not None:
                shares[is_inside(m.row)].append(share)
        return min(shares[True], default=None), max(shares[False], default=None)

    @cached_property
    def moves(self) -> list[Move]:
        """Who entered and who left the lists since the round before, with the reason."""
        if self.before is None:
            return []
        old = Round(self.before.facts, self.before.tables, self.public)
        today = {c: new for new, earlier in self.earlier_codes.items() for c, _ in earlier if c not in self.units}
        then = {today.get(m.code, m.code): m for group in (AVERAGE, SPREAD) for m in old.chosen(group)}
        units = {today.get(code, code): unit for code, unit in old.units.items()}
        lists = {today.get(code, code): listed for code, listed in old.on_lists.items()}
        now = {m.code: m for group in (AVERAGE, SPREAD) for m in self.chosen(group)}
        (was, _), (is_now, _) = old.cut, self.cut
        found = [_entered(now[c], share_of(units.get(c)), was, lists.get(c, [])) for c in now if c not in then]
        found += [_left(self, c, then[c], is_now) for c in then if c not in now]
        return sorted(found, key=lambda m: (not m.entered, m.why, m.code))


def is_decided(row: Mapping[str, Any]) -> bool:
    """Whether somebody has decided on a row of ``selection``; the public edition tells only the day."""
    return row.get("decision") is not None or row["decided_on"] is not None


def is_inside(row: Mapping[str, Any]) -> bool:
    """Whether the figures put a row within the quota; the public edition tells only what came of it."""
    within = row.get("within_quota")
    return row["status"] in ("selected", "declined") if within is None else bool(within)


def rank_of(row: Mapping[str, Any]) -> int | None:
    """The rank of a unit; where the edition hides official ranks, that among the units that are shown."""
    return row["rank"] if row["rank"] is not None else row.get("rank_among_shown")


def share_of(row: Mapping[str, Any] | None) -> float | None:
    return None if row is None else row.get("risk_share")


def _last_if_none(value: float | None) -> tuple[bool, float]:
    return value is None, value or 0


def _reading_order(m: Listed) -> tuple[Any, ...]:
    place = m.place
    status = ORDER.index(m.row["status"]) if m.row["status"] in ORDER else len(ORDER)
    # within one list the place decides, so that who declined stands where the rule had it
    if place is not None:
        return (status >= ORDER.index("candidate"), place, 0, m.code)
    return (status >= ORDER.index("candidate"), status, *_last_if_none(rank_of(m.unit) if m.unit else None), m.code)


def _entered(m: Listed, before: float | None, cut: float | None, was: Sequence[Listed]) -> Move:
    """``cut`` is the lowest share that was on the list then: a rise that does not reach it is not what did it."""
    after = share_of(m.unit)
    if m.row["selection_group"] == SPREAD:
        why = "spread"
    elif any(x.row["status"] == "excluded" for x in was):
        why = "was_in_scheme"
    elif any(x.row["status"] == "declined" for x in was):
        why = "had_declined"
    elif before is not None and after is not None:
        why = "share_rose" if after > before and (cut is None or after >= cut) else "cut_fell"
    else:
        why = "not_comparable"
    return Move(m.code, m.name, True, why, None, before, after)


def _left(now: Round, code: str, m: Listed, cut: float | None) -> Move:
    """``cut`` is the lowest share on the list now: a fall from below it is not what did it."""
    unit = now.units.get(code)
    before, after = share_of(m.unit), share_of(unit)
    ground, is_now = None, now.on_lists.get(code, [])
    if any(x.row["status"] == "excluded" for x in is_now):
        why = "in_scheme"
        ground = next((e["ground"] for e in now.exceptions.get(code, ()) if e["basis"] == "cohort"), None)
    elif any(x.row["status"] == "declined" for x in is_now):
        why = "declined"
    elif unit is None:
        why = "no_such_number"
    elif not unit["rated"]:
        why = "not_rated"
    elif before is not None and after is not None:
        why = "share_fell" if after < before and (cut is None or before >= cut) else "cut_rose"
    else:
        why = "not_comparable"
    return Move(code, m.name, False, why, ground, before, after)


def counts_of(values: Iterable[float | None], edges: Sequence[float]) -> list[int]:
    """How many values lie between each two edges; one on an edge counts above it, on the last one below."""
    found = [0] * (len(edges) - 1)
    for value in values:
        if value is not None and edges[0] <= value <= edges[-1]:
            at = next((i for i in range(len(found)) if value < edges[i + 1]), len(found) - 1)
            found[at] += 1
    return found
