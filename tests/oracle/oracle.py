"""The rule once more, in plain Python, written from the method page and not from the SQL.

It reads rows as dictionaries and returns rows as dictionaries under the published column names. It is slow and
literal on purpose: sums are fractions, and doubles appear only where the method says so.
"""

from __future__ import annotations

import datetime as dt
import math
from collections import defaultdict
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from typing import Any

from tests.oracle.outcomes import last_decisions, outcomes

Row = dict[str, Any]
HIGHER = "higher_is_worse"


def start_of(school_year: str) -> int:
    return int(school_year.split("-")[0])


def half_up(x: float, digits: int) -> float:
    return math.floor(x * 10**digits + 0.5) / 10**digits


def to_share(top: Fraction, bottom: Fraction) -> float | None:
    """A share is the double nearest to a fraction of whole ten-thousandths."""
    return float(int(top * 10000)) / float(int(bottom * 10000)) if bottom > 0 else None


def weighted_mean(pairs: list[tuple[Decimal, int]], digits: int) -> Decimal:
    total = sum(int(v * 10**digits) * n for v, n in pairs)
    pupils = sum(n for _, n in pairs)
    return Decimal((2 * total + pupils) // (2 * pupils)) / 10**digits


class Codes:
    """Municipality codes over time."""

    def __init__(self, changes: list[Row], until: dt.date) -> None:
        rows = [c for c in changes if c["change_date"] <= until]
        living_on = {(c["old_code"], c["change_date"]) for c in rows if c["old_code"] == c["new_code"]}
        self.steps: dict[str, list[tuple[dt.date, str]]] = defaultdict(list)
        for c in rows:
            if c["old_code"] != c["new_code"] and (c["old_code"], c["change_date"]) not in living_on:
                self.steps[c["old_code"]].append((c["change_date"], c["new_code"]))

    def targets(self, code: str, start: int) -> set[str]:
        """Where a code of a school year leads."""
        return self.since(code, dt.date(start, 10, 1))

    def since(self, code: str, day: dt.date) -> set[str]:
        """Where a code of a day leads."""

        def follow(code: str, since: dt.date) -> set[str]:
            later = [step for step in self.steps.get(code, ()) if step[0] > since]
            if not later:
                return {code}
            first = min(day for day, _ in later)
            return set().union(*(follow(new, day) for day, new in later if day == first))

        return follow(code, day)

    def ended_after(self, start: int) -> set[str]:
        return {old for old, steps in self.steps.items() if any(day > dt.date(start, 10, 1) for day, _ in steps)}


class Oracle:
    """One round, computed whole. ``inputs``, ``points``, ``schools``, ``municipalities``, ``selection`` are the results.

    ``selection`` waits for ``choose``, which needs the other rounds: who takes part in an earlier one may be barred.
    """

    def __init__(
        self, cells: list[Row], register: list[Row], changes: list[Row], parameters: dict[str, list[Row]], round_id: str
    ) -> None:
        self.rule = next(r for r in parameters["rounds"] if r["round"] == round_id)
        self.indicators = [i for i in parameters["rule_indicators"] if i["round"] == round_id]
        self.by_key = {(i["indicator"], i["grade"]): i for i in self.indicators}
        fictional = self.rule["origin"] == "fictional"
        self.register = {r["school_code"]: r for r in register if r["fictional"] == fictional}
        day = self.rule["selection_date"]
        self.changes = [c for c in changes if c["fictional"] == fictional]
        self.codes = Codes(self.changes, day)
        self.exceptions = [
            e
            for e in parameters["exceptions"]
            if e["round"] in (None, round_id)
            and (e["valid_from"] is None or e["valid_from"] <= day)
            and (e["valid_to"] is None or day <= e["valid_to"])
        ]
        self.governors = {
            g["county_code"]: g["governor_name"]
            for g in parameters["county_governors"]
            if g["fictional"] == fictional
            and g["valid_from"] <= day
            and (g["valid_to"] is None or day <= g["valid_to"])
        }
        self.last = start_of(self.rule["last_school_year"])
        wanted = {
            "school": "all",
            "municipality": self.rule["municipality_ownership"],
            "national": self.rule["national_ownership"],
        }
        self.all = [
            {**c, "start": start_of(c["school_year"])}
            for c in cells
            if c["fictional"] == fictional
            and not c["abroad"]
            and c["sex"] == "all"
            and c["state"] != "absent"
            and wanted.get(c["unit_level"]) == c["ownership"]
            and (c["indicator"], c["grade"]) in self.by_key
        ]
        self.window = [c for c in self.all if self.in_window(c)]
        self.parameters = parameters
        self.slices: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
        for c in cells:
            whole = (c["fictional"], c["abroad"], c["ownership"], c["sex"]) == (fictional, False, "all", "all")
            if whole and c["state"] != "absent":
                self.slices[c["school_year"], c["indicator"], c["grade"]].append(c)
        self.place_schools()
        self.trace_municipalities()
        self.points = self.judge()
        self.schools = self.rate_schools()
        self.municipalities = self.rate_municipalities()

    def choose(self, others: dict[str, Oracle], replies: list[Row], decisions: list[Row]) -> None:
        """Both groups, and what people made of them."""
        replies = [r for r in replies if r["fictional"] == (self.rule["origin"] == "fictional")]
        decisions = [r for r in decisions if r["fictional"] == (self.rule["origin"] == "fictional")]
        self.in_scheme = self.excepted("in_scheme", "municipality") | self.followed(others, decisions)
        self.listed = self.select()
        self.selection = outcomes(self.rule, self.listed, self.municipalities, replies, decisions)

    def followed(self, others: dict[str, Oracle], decisions: list[Row]) -> set[str]:
        """Codes on the selection date of municipalities that take part in an earlier round not yet over."""
        found: set[str] = set()
        for earlier in others.values():
            rule, day = earlier.rule, self.rule["selection_date"]
            same = rule["origin"] == self.rule["origin"] and rule["purpose"] == "selection"
            if not same or not rule["selection_date"] < day <= rule["followup_ends_on"]:
                continue
            for code, d in last_decisions(decisions, rule["round"]).items():
                if d["decision"] == "accept" and code in earlier.current:
                    found |= self.codes.since(code, rule["selection_date"])
        return found

    # --- which cells, whose cells -------------------------------------------------------------------------------

    def in_window(self, c: Row) -> bool:
        newest = self.last - self.by_key[c["indicator"], c["grade"]]["lag"]
        return newest - self.rule["window_years"] < c["start"] <= newest

    @cached_property
    def inputs(self) -> dict[tuple[Any, ...], Row]:
        """Every slice that the rule needs, with what is in force of it and who accepted that nothing is."""
        found: dict[tuple[Any, ...], Row] = {}
        for i in self.indicators:
            newest = self.last - i["lag"]
            starts = {newest - back for back in range(self.rule["window_years"])}
            base = (i["national_base_year"], i["absolute_base_year"])
            starts |= {start_of(year) for year in base if year not in (None, "same_year")}
            for start in starts:
                year = f"{start}-{(start + 1) % 100:02d}"
                mine = self.slices.get((year, i["indicator"], i["grade"]), [])
                source = max((c["source_sha256"] for c in mine), default=None)
                files = [
                    f
                    for f in self.parameters["input_files"]
                    if (f["dataset"], f["school_year"], f["source_sha256"]) == (i["dataset"], year, source)
                ]
                gaps = [
                    g
                    for g in self.parameters["accepted_gaps"]
                    if (g["round"], g["dataset"], g["school_year"]) == (self.rule["round"], i["dataset"], year)
                    and (g["indicator"], g["grade"]) == (i["indicator"], i["grade"])
                ]
                observed = sum(c["state"] == "observed" for c in mine)
                accepted = gaps[0] if gaps and not observed else {}
                found[i["dataset"], year, i["indicator"], i["grade"]] = {
                    "needed": True, "in_force": observed > 0, "source_sha256": source,
                    "file": max(files, key=lambda f: f["place"])["file"] if files else None,
                    "cells": len(mine), "observed": observed,
                    "suppressed": sum(c["state"] == "suppressed" for c in mine),
                    "accepted_by": accepted.get("accepted_by"), "accepted_reason": accepted.get("accepted_reason"),
                }  # fmt: skip
        return found

    def excepted(self, kind: str, level: str) -> set[str]:
        return {e["unit_code"] for e in self.exceptions if e["kind"] == kind and e["unit_level"] == level}

    def place_schools(self) -> None:
        self.names: dict[str, str] = {}
        self.place: dict[str, str | None] = {}
        newest: dict[str, Row] = {}
        for c in self.window:
            if c["unit_level"] != "school":
                continue
            key = (c["start"], c["municipality_code"])
            best = newest.get(c["unit_code"])
            if (
                best is None
                or key > (best["start"], best["municipality_code"])
                or (key == (best["start"], best["municipality_code"]) and c["unit_name"] < best["unit_name"])
            ):
                newest[c["unit_code"]] = c
        for school, c in newest.items():
            targets = self.codes.targets(c["municipality_code"], c["start"])
            registered = self.register.get(school, {}).get("municipality_code")
            self.place[school] = min(targets) if len(targets) == 1 else registered if registered in targets else None
            self.names[school] = c["unit_name"]

    def trace_municipalities(self) -> None:
        self.current: set[str] = set()
        rows: dict[tuple[str, str], set[str]] = defaultdict(set)
        years = set()
        for c in self.window:
            years.add((c["dataset"], c["school_year"]))
            if c["unit_level"] in ("municipality", "school"):
                self.current |= self.codes.targets(c["municipality_code"], c["start"])
            if c["unit_level"] == "municipality":
                rows[c["dataset"], c["school_year"]].add(c["unit_code"])
        self.history: dict[tuple[str, str, str], tuple[str, str]] = {}
        for dataset, year in years:
            here = rows[dataset, year]
            start = start_of(year)
            known = self.codes.ended_after(start) | {
                c["municipality_code"]
                for c in self.all
                if c["start"] == start and c["unit_level"] in ("municipality", "school")
            }
            leading: dict[str, set[str]] = defaultdict(set)
            for code in known:
                for target in self.codes.targets(code, start) - {code}:
                    leading[target].add(code)
            for m in self.current:
                old = leading[m]
                if m in here and not old & here:
                    found = ("published", m)
                elif m not in here and not old:
                    found = ("none", m)
                elif m not in here and len(old) == 1 and self.codes.targets(min(old), start) == {m}:
                    found = ("carried", min(old))
                else:
                    found = ("restructured", m)
                self.history[dataset, year, m] = found

    def is_pseudo_municipality(self, code: str | None) -> bool:
        return code is not None and (
            code in self.excepted("pseudo_unit", "municipality") or code[:2] in self.excepted("pseudo_unit", "county")
        )

    def out_of_scope(self, school: str) -> str | None:
        pseudo = (
            school in self.excepted("pseudo_unit", "school")
            or self.is_pseudo_municipality(self.place.get(school))
            or any(
                c["municipality_code"] in self.excepted("pseudo_unit", "municipality")
                or c["county_code"] in self.excepted("pseudo_unit", "county")
                for c in self.rows_of[school]
            )
        )
        if pseudo:
            return "pseudo_unit"
        entry = self.register.get(school, {})
        ownership = entry.get("ownership", "unknown")
        if self.rule["school_ownership"] == "public" and ownership != "public":
            return "private" if ownership == "private" else "ownership_unknown"
        special = entry.get("special") or school in self.excepted("special_school", "school")
        return "special_school" if special and self.rule["special_schools"] == "exclude" else None

    # --- cells of units, combined, judged -----------------------------------------------------------------------

    def restructured_cells(self, dataset: str, year: str, m: str) -> list[Row]:
        pairs = [k for k, i in self.by_key.items() if i["dataset"] == dataset]
        found = []
        for indicator, grade in pairs:
            base = {"unit_level": "municipality", "unit_code": m, "school_year": year, "indicator": indicator,
                    "grade": grade, "value_basis": "recomputed", "value": None, "n_pupils": None}  # fmt: skip
            if self.rule["restructured"] == "mark":
                found.append({**base, "state": "suppressed"})
                continue
            ownership = self.rule["municipality_ownership"]
            schools = [
                c
                for c in self.by_cell.get((year, indicator, grade), ())
                if self.place.get(c["unit_code"]) == m
                and (ownership == "all" or self.register.get(c["unit_code"], {}).get("ownership") == ownership)
                and c["state"] in ("observed", "suppressed")
            ]
            # whose pupils are not counted cannot be weighed: hidden
            seen = [(c["value"], c["n_pupils"]) for c in schools if c["state"] == "observed" and c["n_pupils"]]
            if not schools:
                continue
            if seen and len(seen) * 100 >= self.rule["min_observed_school_percent"] * len(schools):
                value = weighted_mean(seen, self.by_key[indicator, grade]["decimals"])
                found.append({**base, "state": "observed", "value": value, "n_pupils": sum(n for _, n in seen)})
            else:
                found.append({**base, "state": "suppressed"})
        return found

    def unit_cells(self) -> list[Row]:
        self.rows_of: dict[str, list[Row]] = defaultdict(list)
        self.by_cell: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
        published: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
        base_years = {
            (i["indicator"], i["grade"]): {i["national_base_year"], i["absolute_base_year"]} for i in self.indicators
        }
        for c in self.all:
            if c["unit_level"] == "school" and (
                self.in_window(c) or c["school_year"] in base_years[c["indicator"], c["grade"]]
            ):
                self.rows_of[c["unit_code"]].append(c)
        cells = []
        for c in self.window:
            if c["unit_level"] == "school":
                self.by_cell[c["school_year"], c["indicator"], c["grade"]].append(c)
            if c["unit_level"] in ("school", "national"):
                cells.append({**c, "value_basis": "published"})
            else:
                published[c["dataset"], c["school_year"], c["unit_code"]].append(c)
        for (dataset, year, m), (how, code) in self.history.items():
            if how == "restructured":
                cells += self.restructured_cells(dataset, year, m)
            elif how != "none":
                rows = published[dataset, year, code]
                cells += [{**c, "unit_code": m, "value_basis": how} for c in rows]
        return cells

    def combine(self, cells: list[Row], *, over_years: bool) -> dict[tuple[Any, ...], Row]:
        """Cells by (level, unit, indicator, grade or None, year or None), combined where the rule says so."""
        pooled = self.rule["grades"] == "pooled"
        groups: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
        for c in cells:
            grade = None if pooled else c["grade"]
            year = None if over_years else c["school_year"]
            groups[c["unit_level"], c["unit_code"], c["indicator"], grade, year].append(c)
        if not pooled and not over_years:
            return {key: rows[0] for key, rows in groups.items()}
        combined = {}
        for key, rows in groups.items():
            usable = [
                (c["value"], c["n_pupils"]) for c in rows if c["state"] == "observed" and (c["n_pupils"] or 0) > 0
            ]
            states = {c["state"] for c in rows}
            row: Row = {"value": None, "n_pupils": None, "value_basis": "combined"}
            if usable:
                digits = self.by_key[key[2], rows[0]["grade"]]["decimals"]
                row |= {
                    "state": "observed",
                    "value": weighted_mean(usable, digits),
                    "n_pupils": sum(n for _, n in usable),
                }
            elif states & {"observed", "suppressed"}:
                row["state"] = "suppressed"
            else:
                row["state"] = "no_participants"
            combined[key] = row
        return combined

    def population(self, indicator: str, grade: Any, year: Any, base_year: str) -> list[Decimal]:
        key = (indicator, grade, year, base_year)
        if key not in self.populations:
            if base_year == "same_year":
                source = {k: c for k, c in self.observed.items() if k[4] == year}
            else:
                source = self.base(base_year)
            self.populations[key] = [
                c["value"]
                for k, c in source.items()
                if k[0] == "school" and k[2] == indicator and k[3] == grade and c["state"] == "observed"
                and self.scope(k[1]) is None
            ]  # fmt: skip
        return self.populations[key]

    def base(self, base_year: str) -> dict[tuple[Any, ...], Row]:
        if base_year not in self.bases:
            cells = [c for c in self.all if c["unit_level"] == "school" and c["school_year"] == base_year]
            self.bases[base_year] = self.combine(cells, over_years=False)
        return self.bases[base_year]

    def scope(self, school: str) -> str | None:
        if school not in self.scopes:
            self.scopes[school] = self.out_of_scope(school)
        return self.scopes[school]

    def limit(self, side: str, rule: Row, indicator: str, grade: Any, year: Any) -> Decimal | None:
        method = rule[f"{side}_method"]
        if method == "fixed":
            return rule[f"{side}_value"]
        if method == "published":
            nation = [c for k, c in self.observed.items() if k[0] == "national" and k[2:] == (indicator, grade, year)]
            return nation[0]["value"] if nation and nation[0]["state"] == "observed" else None
        values = self.population(indicator, grade, year, rule[f"{side}_base_year"] or "same_year")
        worst_first = sorted(values, reverse=rule["direction"] == HIGHER)
        n = len(values)
        if method == "percentile":
            if not n:
                return None
            position = math.ceil(Fraction(rule[f"{side}_percentile"]) * n / 100)
            return worst_first[max(position, 1) - 1]
        if n < 2:
            return None
        scaled = [int(v * 10 ** rule["decimals"]) for v in values]
        s1, s2 = sum(scaled), sum(v * v for v in scaled)
        mean = float(s1) / float(n)
        deviation = math.sqrt(float(n * s2 - s1 * s1) / float(n * (n - 1)))
        sign = 1 if rule["direction"] == HIGHER else -1
        x = (mean + sign * float(rule[f"{side}_k"]) * deviation) / 10 ** rule["decimals"]
        return Decimal(repr(half_up(x, rule[f"{side}_decimals"])))

    def judge(self) -> dict[tuple[Any, ...], Row]:
        cells = self.unit_cells()
        self.scopes: dict[str, str | None] = {}
        self.populations: dict[tuple[Any, ...], list[Decimal]] = {}
        self.bases: dict[str, dict[tuple[Any, ...], Row]] = {}
        self.observed = self.combine(cells, over_years=self.rule["aggregation"] == "window_mean")
        limits: dict[tuple[Any, ...], tuple[Decimal | None, Decimal | None]] = {}
        points = {}
        for key, c in self.observed.items():
            level, _, indicator, grade, year = key
            if level == "national":
                continue
            rule = next(i for i in self.indicators if i["indicator"] == indicator and grade in (None, i["grade"]))
            if (indicator, grade, year) not in limits:
                limits[indicator, grade, year] = (
                    self.limit("national", rule, indicator, grade, year),
                    self.limit("absolute", rule, indicator, grade, year),
                )
            national, absolute = limits[indicator, grade, year]
            top, weight = self.rule["points_absolute"], Fraction(rule["weight"])
            judged = c["state"] == "observed" and national is not None and absolute is not None
            hidden_too = c["state"] == "no_participants" and self.rule["no_participants"] == "hidden"
            applicable = c["state"] in ("observed", "suppressed") or hidden_too

            def worse(limit: Decimal, c: Row = c, rule: Row = rule) -> bool:
                if c["value"] == limit:
                    return self.rule["comparison"] == "worse_or_equal"
                return (c["value"] > limit) == (rule["direction"] == HIGHER)

            scored = None
            if judged:
                scored = top if worse(absolute) else self.rule["points_national"] if worse(national) else 0
            points[key] = {
                "value": c["value"] if c["state"] == "observed" else None,
                "n_pupils": c["n_pupils"],
                "state": c["state"],
                "value_basis": c["value_basis"],
                "national_limit": national,
                "absolute_limit": absolute,
                "points": scored,
                "weight": weight,
                "weighted_points": None if scored is None else scored * weight,
                "possible_points": top * weight if judged else Fraction(0),
                "applicable_points": top * weight if applicable else Fraction(0),
                "area": rule["area"],
                "judged": judged,
                "hit": judged and worse(absolute),
            }
        return points

    # --- units ---------------------------------------------------------------------------------------------------

    @staticmethod
    def sums(cells: list[Row]) -> Row:
        zero = Fraction(0)
        judged = [c for c in cells if c["judged"]]
        return {
            "points": sum((c["weighted_points"] for c in judged), zero),
            "possible_points": sum((c["possible_points"] for c in cells), zero),
            "applicable_points": sum((c["applicable_points"] for c in cells), zero),
            "hits": sum((c["weight"] for c in judged if c["hit"]), zero),
            "judged": sum((c["weight"] for c in judged), zero),
            "pupils": sum(c["n_pupils"] or 0 for c in judged),
            "areas": {c["area"] for c in judged},
        }

    def shares(self, s: Row) -> Row:
        return {
            "risk_share": to_share(s["points"], s["possible_points"]),
            "coverage": to_share(s["possible_points"], s["applicable_points"]),
            "absolute_hit_share": to_share(s["hits"], s["judged"]),
            "share_if_hidden_best": to_share(s["points"], s["applicable_points"]),
            "share_if_hidden_worst": to_share(
                s["points"] + s["applicable_points"] - s["possible_points"], s["applicable_points"]
            ),
        }

    def too_little(self, s: Row) -> str | None:
        if s["possible_points"] == 0:
            return "no_visible_cells"
        if s["possible_points"] < Fraction(self.rule["min_coverage"]) * s["applicable_points"]:
            return "low_coverage"
        return "too_few_areas" if len(s["areas"]) < self.rule["min_areas"] else None

    def order(self, row: Row, code: str) -> tuple[Any, ...]:
        def key(name: str) -> float:
            return {"absolute_hit_share": row["absolute_hit_share"], "pupils": float(row["pupils"]), "none": 0.0}[name]

        return (-row["risk_share"], -key(self.rule["tie_break_1"]), -key(self.rule["tie_break_2"]), code)

    def rank(self, rows: dict[str, Row]) -> list[str]:
        rated = sorted((code for code, r in rows.items() if r["rated"]), key=lambda code: self.order(rows[code], code))
        shares = [rows[code]["risk_share"] for code in rated]
        for position, code in enumerate(rated, start=1):
            rows[code]["rank"] = position
            rows[code]["tied"] = shares.count(rows[code]["risk_share"]) > 1
        return rated

    def has_closed(self, school: str) -> bool:
        """By its closing day; else for want of any row in the last year, of indicators that come without delay."""
        closed_on = self.register.get(school, {}).get("closed_on")
        if closed_on is not None:
            return bool(closed_on <= self.rule["selection_date"])
        least = min(i["lag"] for i in self.indicators)
        prompt = {key for key, i in self.by_key.items() if i["lag"] == least}
        return not any(
            (c["indicator"], c["grade"]) in prompt and c["start"] == self.last - least for c in self.rows_of[school]
        )

    def rate_schools(self) -> dict[str, Row]:
        cells: dict[str, list[Row]] = defaultdict(list)
        for (level, unit, *_), c in self.points.items():
            if level == "school":
                cells[unit].append(c)
        rows = {}
        for school, mine in cells.items():
            s = self.sums(mine)
            reason = self.scope(school)
            if reason is None and self.place[school] is None:
                reason = "no_municipality"
            if reason is None and self.rule["closed_schools"] == "leave_out" and self.has_closed(school):
                reason = "closed"
            reason = reason or self.too_little(s)
            rows[school] = {
                **s, **self.shares(s), "school_name": self.names[school], "municipality_code": self.place[school],
                "rated": reason is None, "not_rated_reason": reason, "rank": None, "tied": False,
                "worst_quartile": False,
            }  # fmt: skip
        rated = self.rank(rows)
        percent = Fraction(self.rule["worst_schools_percent"])
        inside = [code for code in rated if rows[code]["rank"] * 100 <= percent * len(rated)]
        if inside and self.rule["worst_schools_ties"] == "include_ties":
            cut = rows[inside[-1]]["risk_share"]
            inside = [code for code in rated if rows[code]["risk_share"] >= cut]
        for code in inside:
            rows[code]["worst_quartile"] = True
        return rows

    @staticmethod
    def spreads(shares: list[float]) -> Row:
        names = ("standard_deviation", "max_minus_rest_mean", "range", "iqr")
        n = len(shares)
        if n < 2:
            return dict.fromkeys(names)
        q = sorted(math.floor(x * 1000000 + 0.5) for x in shares)
        s1, s2 = sum(q), sum(v * v for v in q)

        def quantile(numerator: int) -> float:
            at = Fraction(numerator * (n - 1), 4)
            low = int(at)
            high = min(low + 1, n - 1)
            return q[low] + float(at - low) * (q[high] - q[low])

        values = (
            math.sqrt(float(n * s2 - s1 * s1) / float(n * (n - 1))) / 1000000,
            float(q[-1] * (n - 1) - (s1 - q[-1])) / float(n - 1) / 1000000,
            float(q[-1] - q[0]) / 1000000,
            (quantile(3) - quantile(1)) / 1000000,
        )
        return {name: half_up(v, 6) for name, v in zip(names, values, strict=True)}

    def rate_municipalities(self) -> dict[str, Row]:
        cells: dict[str, list[Row]] = defaultdict(list)
        for (level, unit, *_), c in self.points.items():
            if level == "municipality":
                cells[unit].append(c)
        schools: dict[str, list[Row]] = defaultdict(list)
        for r in self.schools.values():
            if r["rated"]:
                schools[r["municipality_code"]].append(r)
        rows = {}
        for m in self.current:
            s = self.sums(cells[m])
            if self.rule["municipality_share_from"] == "school_points":
                s = self.sums([])
                for r in schools[m]:
                    for name in ("points", "possible_points", "applicable_points", "hits", "judged", "pupils"):
                        s[name] += r[name]
                    s["areas"] = s["areas"] | r["areas"]
            reason = "pseudo_unit" if self.is_pseudo_municipality(m) else self.too_little(s)
            spread = self.spreads([r["risk_share"] for r in schools[m]])
            rows[m] = {
                **s, **self.shares(s), "county_code": m[:2], "county_governor": self.governors.get(m[:2]),
                "rated": reason is None, "not_rated_reason": reason, "rank": None, "tied": False,
                "rated_schools": len(schools[m]),
                "schools_in_worst_quartile": sum(r["worst_quartile"] for r in schools[m]),
                "school_spread": spread[self.rule["spread_measure"]],
                **{f"spread_{name}": v for name, v in spread.items()},
            }  # fmt: skip
        self.rank(rows)
        return rows

    def select(self) -> dict[tuple[str, str], Row]:
        rule, rows = self.rule, self.municipalities
        barred = self.excepted("excluded", "municipality")
        if rule["in_scheme"] == "exclude":
            barred = barred | self.in_scheme
        rated = sorted((m for m in rows if rows[m]["rated"]), key=lambda m: rows[m]["rank"])
        result: dict[tuple[str, str], Row] = {
            ("average", m): {"status": "excluded", "rank_in_group": None} for m in rated if m in barred
        }
        eligible = [m for m in rated if m not in barred]
        taken = eligible[: rule["average_quota"]]
        if taken and rule["average_ties"] == "include_ties":
            cut = rows[taken[-1]]["risk_share"]
            taken = [m for m in eligible if rows[m]["risk_share"] >= cut]
        for position, m in enumerate(eligible, start=1):
            if m in taken:
                result["average", m] = {"status": "selected", "rank_in_group": position}
            elif position <= len(taken) + rule["average_reserve"]:
                result["average", m] = {"status": "reserve", "rank_in_group": position}
        wide = [
            m
            for m in eligible
            if not (rule["spread_excludes_average"] and m in taken)
            and rows[m]["rated_schools"] >= rule["spread_min_schools"]
            and rows[m]["school_spread"] is not None
            and (rule["spread_candidates"] == "worst_quarter" or rows[m]["school_spread"] > float(rule["spread_level"]))
            and rows[m]["schools_in_worst_quartile"] >= 1
        ]
        wide.sort(key=lambda m: (-rows[m]["school_spread"], -rows[m]["risk_share"], m))
        asked = rule["spread_priority"] == "required"
        for position, m in enumerate(wide, start=1):
            if asked and rule["spread_candidates"] != "quota_and_reserve":
                result["spread", m] = {"status": "candidate", "rank_in_group": position}
            elif position <= rule["spread_quota"] + rule["spread_reserve"]:
                status = "candidate" if asked else "selected" if position <= rule["spread_quota"] else "reserve"
                result["spread", m] = {"status": status, "rank_in_group": position}
        return result
