"""An attacker who has the public tables of a round and a pocket calculator. He knows how the tables hang together.

Each attack returns what it pins down: the key of a cell, or of a group of cells on few pupils, with how it was done.
Written apart from the models that hide, so that both would have to be wrong in the same way.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import product
from typing import Any

Row = dict[str, Any]
Tables = dict[str, list[Row]]
FEW = 10
OUTSIDE = ("private", "ownership_unknown", "special_school", "pseudo_unit")


def _key(row: Row) -> tuple[Any, ...]:
    return row["indicator"], row["grade"], row["school_year"]


def visible_small(public: Tables, truth: Tables) -> list[str]:
    """Read a figure on few pupils straight off a table."""
    few = {(r["unit_level"], r["unit_code"], *_key(r)) for r in truth["indicator_points"]
           if r["state"] == "observed" and (r["n_pupils"] or 0) < FEW}  # fmt: skip
    found = [
        f"{key} stands in indicator_points"
        for r in public["indicator_points"]
        if (key := (r["unit_level"], r["unit_code"], *_key(r))) in few
        and any(r[c] is not None for c in ("value", "n_pupils", "points", "weighted_points"))
    ]
    for row, true in zip(public["point_sources"], truth["point_sources"], strict=True):
        if true["cell_state"] == "observed" and (true["cell_n_pupils"] or 0) < FEW:
            found += [
                f"{row['cell_unit_code']} {c}"
                for c in ("cell_value", "cell_n_pupils", "cell_raw_value")
                if row[c] is not None
            ]
    return found


def totals(public: Tables, points: tuple[int, ...], adds_schools: bool) -> list[str]:
    """Try every assignment of points to a unit's hidden cells that gives its published sums and share."""
    units = {("school", r["school_code"]): r for r in public["school_ranking"]}
    units |= {("municipality", r["municipality_code"]): r for r in public["municipality_ranking"]}
    cells = defaultdict(list)
    for row in public["indicator_points"]:
        cells[row["unit_level"], row["unit_code"]].append(row)
    found = []
    if adds_schools:
        hiding = {r["municipality_code"] for r in public["school_ranking"] if r["rated"] and r["points"] is None}
        found += [f"{r['municipality_code']} is the sum of its schools" for r in public["municipality_ranking"]
                  if r["municipality_code"] in hiding and (r["points"] is not None or r["risk_share"] is not None)]  # fmt: skip
        units = {unit: r for unit, r in units.items() if unit[0] == "school"}
    for unit, rows in cells.items():
        hidden = [r for r in rows if r["points"] is None and r["possible_points"]]
        if not hidden or unit not in units:
            continue
        stated = units[unit]
        sums = [float(stated[c]) * float(d) for c, d in (("points", 1), ("risk_share", stated["possible_points"]),
                ("share_if_hidden_best", stated["applicable_points"])) if stated[c] is not None and d]  # fmt: skip
        if not sums:
            found += [
                f"{unit} {c}"
                for c in ("share_if_hidden_worst", "absolute_hit_share", "pupils")
                if stated[c] is not None
            ]
            continue
        if len(hidden) > 6:
            found.append(f"{unit} shows its sums beside {len(hidden)} hidden cells")
            continue
        seen = float(sum(r["weighted_points"] for r in rows if r["weighted_points"] is not None))
        fits = [a for a in product(points, repeat=len(hidden))
                if abs(seen + sum(p * float(r["weight"]) for p, r in zip(a, hidden, strict=True)) - sums[0]) < 1e-6]  # fmt: skip
        found += [f"{unit} {_key(r)}" for i, r in enumerate(hidden) if len({a[i] for a in fits}) == 1]
    return found


def ranks(public: Tables) -> list[str]:
    """Read the sum of a unit off the ranks of its neighbours, the order of rows, or a spread with one unknown."""
    found = []
    for name, code in (("school_ranking", "school_code"), ("municipality_ranking", "municipality_code")):
        rated = [r for r in public[name] if r["rated"]]
        if any(r["risk_share"] is None for r in rated):
            for column in ("rank", "worst_quartile", "tied"):
                found += [f"{name} {r[code]} {column}" for r in rated if r.get(column) is not None]
        unknown = [r[code] for r in public[name] if r["rank_among_shown"] is None]
        if unknown != sorted(unknown):
            found.append(f"{name}: the order of rows tells ranks")
    of = defaultdict(list)
    for row in public["school_ranking"]:
        if row["rated"]:
            of[row["municipality_code"]].append(row["risk_share"])
    for row in public["municipality_ranking"]:
        if None in of[row["municipality_code"]]:
            found += [
                f"{row['municipality_code']} {c}"
                for c in row
                if c.startswith(("spread_", "school_spread", "schools_in"))
                and c != "spread_publication"
                and row[c] is not None
            ]
    shares = {r["municipality_code"]: r["risk_share"] for r in public["municipality_ranking"]}
    for group in ("average", "spread"):
        listed = [r for r in public["selection"] if r["selection_group"] == group]
        if any(r["rank_in_group"] is not None for r in listed) and any(
            shares[r["municipality_code"]] is None
            for r in listed
            if r["rank_in_group"] is not None or r.get("rank_publication") != "shown"
        ):
            found.append(f"selection {group}: places tell a hidden share")
        found += [
            f"selection {r['municipality_code']} tells its place in words"
            for r in listed
            if r["rank_in_group"] is None and "rank" in (r["reason"] or "")
        ]
        order = ("selected", "candidate", "reserve", "declined", "excluded")
        codes = [(order.index(r["status"]), r["municipality_code"]) for r in listed if r["rank_in_group"] is None]
        if codes != sorted(codes):
            found.append(f"selection {group}: the order of rows tells places")
    return found


def limits(public: Tables, truth: Tables) -> list[str]:
    """Join limits taken from schools to schools.

    A percentile limit is one school's value: a limit that names its place names the school. Without a place, and for a
    limit of mean and standard deviation always, the schools that are hidden must be more than the two limits they could
    be worked out from. ``truth`` says how many pupils those have.
    """
    seen = {
        (r["source_sha256"], r["source_row"], r["source_column"])
        for r in public["point_sources"]
        if r["cell_unit_level"] == "school" and r.get("publication") == "shown"
    }
    ground = {r["school_code"]: r["not_rated_reason"] for r in public["school_ranking"]}
    of, pupils = defaultdict(list), {}
    # a limit hidden in its own table must not stand beside a cell it judged
    told = {(_key(r), s) for name in ("limits", "indicator_points") for r in public[name]
            for s in ("national", "absolute") if r[f"{s}_limit"] is not None}  # fmt: skip
    for row in public["indicator_points"]:
        if row["unit_level"] == "school" and ground[row["unit_code"]] not in OUTSIDE:
            of[_key(row)].append(row)
    for row in truth["indicator_points"]:
        if row["unit_level"] == "school":
            pupils[row["unit_code"], *_key(row)] = row["n_pupils"] or 0
    found = []
    for limit, side in product(public["limits"], ("national", "absolute")):
        if limit[f"{side}_method"] not in ("percentile", "mean_sd"):
            continue
        place = tuple(limit[f"{side}_source_{c}"] for c in ("sha256", "row", "column"))
        if any(part is not None for part in place) and place not in seen:
            found.append(f"{side} limit {_key(limit)} names a school's cell that is not shown: {place}")
        year = limit[f"{side}_base_year"] or limit["school_year"]
        key = (limit["indicator"], limit["grade"], year)
        schools = of[key]
        if not schools or (_key(limit), side) not in told:
            continue
        left = limit[f"{side}_schools"] - sum(r["publication"] == "shown" for r in schools)
        hidden = sum(
            pupils[r["unit_code"], *key]
            for r in schools
            if r["publication"] in ("hidden_small", "hidden_complementary")
        )
        if 0 < left <= 2 or (left and hidden < FEW):
            found.append(f"{side} limit {_key(limit)}: {left} hidden schools with {hidden} pupils")
    return found


def all_attacks(
    public: Tables, truth: Tables, *, points: tuple[int, ...], adds_schools: bool = False
) -> dict[str, list[str]]:
    """Every attack by name, with what it pins down. ``truth`` only says what was hidden and how many pupils it had."""
    return {
        "visible": visible_small(public, truth),
        "totals": totals(public, points, adds_schools),
        "ranks": ranks(public),
        "limits": limits(public, truth),
    }
