"""Small random nations with many rounds of random rules, written as the files dbt reads."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections import defaultdict
from decimal import Decimal
from itertools import chain
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from dagster_project import schema
from dagster_project.forms.spec import form_schema
from dagster_project.rules.compile import parameter_schemas
from tests.oracle.oracle import Oracle

Row = dict[str, Any]
YEARS = ("2021-22", "2022-23", "2023-24", "2024-25", "2025-26")
INDICATORS = (
    ("bullying", "pupil_survey", "learning_environment", (7, 10), 1),
    ("motivation", "pupil_survey", "learning_environment", (7, 10), 1),
    ("reading_level_1", "national_tests", "national_tests", (5, 8), 1),
    ("reading_scale_score", "national_tests", "national_tests", (5, 8), 0),
    ("grade_points", "grade_points", "grade_points", (10,), 1),
)
REFORM = dt.date(2024, 1, 1)
# before the reform -> after it: kept, renumbered, split, merged, and one that never was a municipality
BEFORE = {"6101": ["6101"], "6102": ["7202"], "6103": ["7203", "7204"], "6104": ["7205"], "6105": ["7205"],
          "6106": ["6106"], "7900": ["7900"]}  # fmt: skip
MEANS = {"bullying": 10, "motivation": 3.5, "reading_level_1": 15, "reading_scale_score": 50, "grade_points": 42}


def file_of(dataset: str, year: str, indicator: str) -> str:
    """The hash of the file that a slice comes from: what a dataset holds of a year came in two files."""
    return hashlib.sha256(f"{dataset} {year} {len(indicator) % 2}".encode()).hexdigest()


def input_files() -> list[Row]:
    """The files in force. Some came twice, the second time under another name."""
    files = sorted(
        {(dataset, year, file_of(dataset, year, name)) for name, dataset, *_ in INDICATORS for year in YEARS}
    )
    return [
        {
            "dataset": dataset,
            "school_year": year,
            "source_sha256": sha256,
            "file": f"{sha256[:4]}-{place}.csv",
            "place": place,
        }
        for dataset, year, sha256 in files
        for place in ((1, 2) if sha256 < "8" else (1,))
    ]


def accepted_gaps(rng: Random, indicators: list[Row]) -> list[Row]:
    """Slices that somebody lets a round do without, whether it lacks them or not; each once."""
    # more often of years that no file holds, where an acceptance counts
    starts = (*range(2018, 2022), *range(2018, 2026))
    drawn = {(i["round"], rng.choice(starts), i["indicator"], i["grade"]): i for i in indicators for _ in range(2)}
    return [
        {"round": round_id, "dataset": i["dataset"], "school_year": schema.school_year_label(start), "indicator": indicator,
         "grade": grade, "accepted_by": rng.choice(["Kari", "Ola"]), "accepted_reason": f"drawn {at}"}
        for at, ((round_id, start, indicator, grade), i) in enumerate(drawn.items())
    ]  # fmt: skip


def nation(rng: Random, stars: float = 0, *, large: bool = False) -> tuple[list[Row], list[Row], list[Row]]:
    """Cells, register and changes. Values are coarse on purpose, so that ties are common.

    ``stars`` is the share of the figures that the public view hides. A ``large`` nation has more municipalities, which
    never change, and more schools.
    """
    before = BEFORE | ({str(code): [str(code)] for code in range(6110, 6130)} if large else {})
    changes = [
        {"old_code": old, "old_name": old, "new_code": new, "new_name": new, "change_date": REFORM}
        for old, news in BEFORE.items()
        for new in news
        if old != new
    ]
    changes += [
        {"old_code": "6101", "old_name": "a", "new_code": "6101", "new_name": "b", "change_date": REFORM},
        {"old_code": "6106", "old_name": "x", "new_code": "6106", "new_name": "x", "change_date": dt.date(2025, 1, 1)},
        {"old_code": "6106", "old_name": "x", "new_code": "6101", "new_name": "a", "change_date": dt.date(2025, 1, 1)},
    ]
    schools = []
    for i in range(rng.randint(80, 140) if large else rng.randint(8, 24)):
        old = rng.choice(list(before))
        schools.append({"code": f"1{i:08d}", "old": old, "new": rng.choice(before[old]), "grades": rng.choice([(5, 7), (8, 10), (5, 7, 8, 10)]),
                        "first": rng.choice([0, 0, 0, 2]), "last": rng.choice([9, 9, 9, 3])})  # fmt: skip
    register = [
        {"school_code": s["code"], "school_name": s["code"], "municipality_code": s["new"], "county_code": s["new"][:2],
         "active": True, "is_compulsory": True, "ownership": rng.choice(["public", "public", "public", "private", "unknown"]),
         "special": rng.random() < 0.1,
         "closed_on": rng.choice([None, None, None, dt.date(2024, 2, 15), dt.date(2024, 8, 1), dt.date(2026, 8, 1)])}
        for s in schools if rng.random() < 0.9
    ]  # fmt: skip
    cells: list[Row] = []
    for at, year in enumerate(YEARS):
        column = "old" if at < 3 else "new"
        current = set(before) if at < 3 else {c for codes in before.values() for c in codes}
        for indicator, dataset, _, grades, digits in INDICATORS:
            for grade in grades:
                base = {"dataset": dataset, "school_year": year, "grade": grade, "indicator": indicator, "sex": "all"}

                def cell(level: str, code: str, municipality: str, ownership: str = "all", base: Row = base,
                         digits: int = digits, indicator: str = indicator) -> Row:  # fmt: skip
                    state = rng.choices(schema.STATES, (8, 2, 0.5, 0.3))[0] if level != "national" else "observed"
                    step = {0: 1, 1: 5}[digits]
                    value = round(MEANS[indicator] * 10**digits) + step * rng.randint(-4, 4)
                    return {
                        **base, "unit_level": level, "unit_code": code, "unit_name": f"name {code}",
                        "county_code": municipality[:2], "municipality_code": municipality, "ownership": ownership,
                        "abroad": municipality == "2599" or code in ("U", "25"),
                        "state": state, "value": Decimal(value) / 10**digits if state == "observed" else None,
                        "n_pupils": rng.choice([None, *range(1, 40)]) if state == "observed" and rng.random() < 0.3
                        else rng.randint(1, 60) if state == "observed" else None,
                        # what only those with access see, of any size, but for the nation
                        "restricted": state == "observed" and level != "national" and rng.random() < stars,
                        "raw_value": str(value), "source_sha256": file_of(dataset, year, indicator), "source_row": len(cells) + 2,
                        "source_column": f"{year}.{indicator}", "fictional": True, "provisional": False,
                        "break_in_series": False,
                    }  # fmt: skip

                cells += [cell("national", "I", "0000", o) for o in ("all", "public") if rng.random() < 0.97]
                for code in sorted(current):
                    cells += [cell("municipality", code, code, o) for o in ("all", "public") if rng.random() < 0.93]
                for s in schools:
                    if grade in s["grades"] and s["first"] <= at <= s["last"] and rng.random() < 0.95:
                        cells.append(cell("school", s["code"], s[column]))
                # a second row of every level, which lies abroad and is no part of the country
                abroad = (("national", "U", "0000"), ("county", "25", "0000"), ("municipality", "2599", "2599"),
                          ("school", "U90000001", "2599"))  # fmt: skip
                cells += [cell(*unit, o) for unit in abroad for o in ("all", "public") if rng.random() < 0.9]
    return cells, [r | {"fictional": True} for r in register], [c | {"fictional": True} for c in changes]


def random_rules(rng: Random, round_id: str) -> tuple[Row, list[Row], list[Row]]:
    """One round with every switch of its rule drawn, its indicators, and some exceptions."""
    pick = rng.choice
    decimal = lambda *values: Decimal(str(pick(values)))  # noqa: E731
    pooled = pick(["separate", "pooled"])
    round_ = {
        "round": round_id, "title": round_id, "origin": "fictional", "rule_set": "random", "status": "draft",
        "last_school_year": pick(YEARS[2:]), "selection_date": pick([dt.date(2024, 2, 15), dt.date(2026, 2, 15)]),
        "illustrative": True, "window_years": rng.randint(1, 4), "aggregation": pick(["per_year", "window_mean"]),
        "grades": pooled, "comparison": pick(["strictly_worse", "worse_or_equal"]), "points_national": pick([0, 1, 2]),
        "points_absolute": pick([2, 3]), "no_participants": pick(["not_applicable", "hidden"]),
        "min_coverage": decimal(0, 0.5, 0.8), "min_areas": rng.randint(0, 3),
        "municipality_ownership": pick(["public", "all"]), "national_ownership": pick(["public", "all"]),
        "school_ownership": pick(["public", "all"]), "special_schools": pick(["include", "exclude"]),
        "closed_schools": pick(["leave_out", "keep"]), "municipality_share_from": pick(["municipality_values", "school_points"]),
        "restructured": pick(["recompute_from_schools", "recompute_from_schools", "mark"]),
        "min_observed_school_percent": decimal(0, 50, 100), "worst_schools_percent": decimal(10, 25, 33.3, 60),
        "worst_schools_ties": pick(["strict_order", "include_ties"]),
        "tie_break_1": pick(["absolute_hit_share", "pupils", "none"]),
        "tie_break_2": pick(["absolute_hit_share", "pupils", "none"]), "average_quota": rng.randint(0, 4),
        "average_reserve": rng.randint(0, 5), "average_ties": pick(["strict_order", "include_ties"]),
        "spread_quota": rng.randint(0, 3), "spread_reserve": rng.randint(0, 4),
        "spread_measure": pick(["standard_deviation", "max_minus_rest_mean", "range", "iqr"]),
        "spread_level": decimal(0, 0, 0.05, 0.2), "spread_min_schools": pick([2, 3]),
        "spread_excludes_average": pick([True, False]), "spread_priority": pick(["required", "advisory"]),
        "spread_candidates": pick(["all_identified", "quota_and_reserve", "worst_quarter"]),
        "in_scheme": pick(["exclude", "mark"]), "public_min_pupils": 10, "public_min_hidden": 2, "public_min_counts": 3,
        "public_min_interval": Decimal("0.1"), "rule_sha256": "0" * 64,
        "spread_order": pick(["priority_then_spread", "spread"]), "purpose": "selection", "cohort": f"cohort-{round_id}",
        "followup_starts_on": dt.date(2024, 8, 1), "followup_ends_on": pick([dt.date(2025, 7, 31), dt.date(2027, 7, 31)]),
    }  # fmt: skip
    # some rounds rate and list nearly everybody, so that there is something to decide, on both lists too
    generous = rng.random() < 0.5
    if generous:
        round_ |= {
            "min_coverage": Decimal(0), "min_areas": 0, "closed_schools": "keep", "school_ownership": "all",
            "in_scheme": "mark", "worst_schools_percent": Decimal(60), "average_quota": rng.randint(0, 1),
            "average_reserve": rng.randint(4, 6), "spread_quota": rng.randint(0, 1), "spread_reserve": rng.randint(1, 3),
            "spread_level": Decimal(0), "spread_min_schools": 2,
        }  # fmt: skip
    lag = {d: pick([0, 0, 1]) for d in schema.YEARLY_DATASETS}
    indicators = []
    for name, dataset, area, grades, digits in rng.sample(INDICATORS, rng.randint(2, len(INDICATORS))):
        shared = {
            "round": round_id, "indicator": name, "area": area, "dataset": dataset, "weight": decimal(1, 1, 3, 0.5),
            "direction": pick(["higher_is_worse", "lower_is_worse"]), "decimals": digits, "lag": lag[dataset],
            "share_of_pupils": schema.INDICATORS[name].share_of_pupils,
            "scale_min": Decimal(schema.INDICATORS[name].scale_min), "scale_max": Decimal(schema.INDICATORS[name].scale_max),
        }  # fmt: skip
        for side in ("national", "absolute"):
            method = pick(["fixed", "percentile"] if generous else ["published", "fixed", "percentile", "mean_sd"])
            shared |= {
                f"{side}_method": method,
                f"{side}_value": Decimal(str(MEANS[name])) if method == "fixed" else None,
                f"{side}_percentile": decimal(5, 10, 25, 50, 33.3) if method == "percentile" else None,
                f"{side}_k": decimal(0, 0.5, 1.25) if method == "mean_sd" else None,
                f"{side}_base_year": pick(["same_year", *(() if generous else YEARS)])
                if method in ("percentile", "mean_sd")
                else None,
                f"{side}_decimals": rng.randint(0, 3),
            }
        indicators += [{**shared, "grade": grade} for grade in grades]
    exceptions = [
        {"unit_level": "municipality", "unit_code": pick(["6101", "7202", "7205", "6106", "6102"]),
         "kind": pick(["excluded", "in_scheme"]), "ground": "drawn", "source": "drawn",
         "round": pick([None, round_id]), "valid_from": pick([None, dt.date(2025, 1, 1)]), "valid_to": None}
        for _ in range(rng.randint(0, 0 if generous else 2))
    ]  # fmt: skip
    exceptions.append({"unit_level": "school", "unit_code": "100000001", "kind": "special_school", "ground": "drawn",
                       "source": "drawn", "round": round_id, "valid_from": None, "valid_to": None})  # fmt: skip
    return round_, indicators, exceptions


def answers(
    rng: Random, cells: list[Row], register: list[Row], changes: list[Row], tables: dict[str, list[Row]]
) -> dict[str, list[Row]]:
    """Decisions at random, then replies of the county governors: most to their very candidates, some to other lists."""
    codes = ["6101", "6106", "7202", "7203", "7204", "7205", "6102"]
    rounds = [r["round"] for r in tables["rounds"]]
    place = {"source_sha256": "0" * 64, "source_column": "Kommunenr", "fictional": True}
    oracles = {r: Oracle(cells, register, changes, tables, r) for r in rounds}
    decisions = []
    for r in rng.sample(rounds, len(rounds) * 2 // 3):
        # as the lists stand before anybody decides; one on both is always decided upon
        oracles[r].choose({}, [], [])
        lists: dict[str, list[str]] = defaultdict(list)
        for (_, m), row in oracles[r].selection.items():
            lists[m].append(row["proposed_status"])
        likely = [m for m in sorted(lists) if lists[m] != ["excluded"]] * 3
        chosen = rng.choices([*codes, *likely], k=rng.randint(1, 6))
        drawn = [(m, rng.choice(["accept", "accept", "decline", "exclude", "withdrew", "called_up"])) for m in chosen]
        on_both = [m for m in sorted(lists) if len(lists[m]) > 1]
        if on_both:
            drawn.append((rng.choice(on_both), rng.choice(["accept", "decline", "called_up"])))
            drawn += [(m, "called_up") for m in sorted(lists) if "reserve" in lists[m] and rng.random() < 0.4]
        decisions += [
            {"round": r, "municipality_code": m, "municipality_name": m, "decided_by": "drawn", "reason": None,
             "decision": decision, "decided_on": dt.date(2026, 3, rng.randint(1, 3)), "source_row": at, **place}
            for at, (m, decision) in enumerate(drawn)
        ]  # fmt: skip
    once = {(d["round"], d["municipality_code"], d["decision"], d["decided_on"]): d for d in decisions}
    replies = []
    for round_id, oracle in oracles.items():
        oracle.choose(oracles, [], list(once.values()))
        for governor in ("Governor", "Other"):
            asked = [m for (_, m), r in oracle.listed.items()
                     if r["status"] == "candidate" and oracle.municipalities[m]["county_governor"] == governor]  # fmt: skip
            if rng.random() < 0.2:
                asked = rng.sample(codes, rng.randint(1, 3))
            if not asked or rng.random() < 0.15:
                continue
            for priority, m in enumerate(rng.sample(asked, len(asked)), start=1):
                replies.append(
                    {"round": round_id, "county_governor": governor, "candidate_list_hash": "", "replied_by": "drawn",
                     "replied_on": dt.date(2026, 3, 1), "municipality_code": m, "municipality_name": m,
                     "selection_group": "spread", "reason": f"drawn {priority}",
                     "conversation_on": dt.date(2026, 2, 1), "source_row": priority, **place,
                     **rng.choice([{"priority": priority}] * 3 + [{"priority": None, "advice": "do_not_take"}])}
                )  # fmt: skip
            seen = [m for (group, m), r in oracle.listed.items() if group == "average"]
            for at, m in enumerate(rng.sample(seen, rng.randint(0, min(2, len(seen))))):
                if oracle.municipalities[m]["county_governor"] == governor:
                    replies.append(
                        {"round": round_id, "county_governor": governor, "candidate_list_hash": "", "replied_by": "drawn",
                         "replied_on": dt.date(2026, 3, 1), "municipality_code": m, "municipality_name": m,
                         "selection_group": "average", "reason": f"words {at}", "source_row": 100 + at, **place}
                    )  # fmt: skip
    return {"decisions": list(once.values()), "governor_priorities": replies}


def added_up(rng: Random, cells: list[Row], register: list[Row]) -> list[Row]:
    """The same nation with municipalities and a nation that are the sums of their schools, as in the real files.

    A share is that of a whole number of pupils, a school that is hidden is a part of its municipality, and few pupils
    in many schools make hidden cells common. A school that the register does not have is private.
    """
    owner = {s["school_code"]: s["ownership"] for s in register}
    parts: dict[tuple[Any, ...], list[tuple[int, Decimal, str]]] = defaultdict(list)
    for cell in cells:
        if cell["unit_level"] == "school" and not cell["abroad"] and cell["state"] in ("observed", "suppressed"):
            pupils = rng.choice([*range(1, 12), *range(10, 60)])
            total = _total(rng, cell["indicator"], pupils)
            parts[_slice(cell, cell["municipality_code"])].append(
                (pupils, total, owner.get(cell["unit_code"], "private"))
            )
            parts[_slice(cell, "nation")].append((pupils, total, owner.get(cell["unit_code"], "private")))
            if cell["state"] == "observed":
                cell |= {"n_pupils": pupils, "value": _figure(cell["indicator"], total, pupils)}
    for cell in cells:
        if cell["unit_level"] in ("municipality", "national") and cell["state"] == "observed" and not cell["abroad"]:
            place = cell["unit_code"] if cell["unit_level"] == "municipality" else "nation"
            own = [(n, t) for n, t, who in parts[_slice(cell, place)] if cell["ownership"] == "all" or who == "public"]
            pupils, total = sum(n for n, _ in own), sum((t for _, t in own), Decimal(0))
            if pupils:
                cell |= {"n_pupils": pupils, "value": _figure(cell["indicator"], total, pupils)}
            else:
                cell |= {"state": "no_participants", "n_pupils": None, "value": None}
    return cells


def _slice(cell: Row, place: str) -> tuple[Any, ...]:
    return cell["indicator"], cell["grade"], cell["school_year"], place


def _total(rng: Random, indicator: str, pupils: int) -> Decimal:
    """Cases of a share, with none and all more often than by chance; else the sum of a mean over pupils."""
    about = schema.INDICATORS[indicator]
    if about.share_of_pupils:
        return Decimal(rng.choice([0, 0, pupils, *range(pupils + 1)]))
    return Decimal(rng.randint(int(about.scale_min * 10), int(about.scale_max * 10))) / 10 * pupils


def _figure(indicator: str, total: Decimal, pupils: int) -> Decimal:
    about = schema.INDICATORS[indicator]
    value = total * (100 if about.share_of_pupils else 1) / pupils
    return value.quantize(Decimal(1).scaleb(-about.decimals), rounding="ROUND_HALF_UP")


def write_home(home: Path, rng: Random, rounds: int, stars: float = 0, *, adds_up: bool = False) -> None:
    """A home with one nation and many rounds, ready for dbt."""
    cells, register, changes = nation(rng, stars, large=adds_up)
    if adds_up:
        cells = added_up(rng, cells, register)

    def write(path: Path, rows: list[Row], shape: pa.Schema) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = [{name: row.get(name) for name in shape.names} for row in rows]
        pq.write_table(pa.Table.from_pylist(rows, schema=shape), path)

    rng.shuffle(cells)
    for dataset in schema.YEARLY_DATASETS:
        for year in YEARS:
            mine = [c for c in cells if c["dataset"] == dataset and c["school_year"] == year]
            write(home / "extracts" / dataset / f"school_year={year}" / "part-0.parquet", mine, schema.extract_schema())
    write(home / "extracts" / "school_register" / "part-0.parquet", register, schema.register_schema())
    write(home / "extracts" / "municipality_changes" / "part-0.parquet", changes, schema.changes_schema())
    drawn = [random_rules(rng, f"round-{i:02d}") for i in range(rounds)]
    pseudo = [{"unit_level": level, "unit_code": code, "kind": "pseudo_unit", "ground": "none", "source": "none",
               "round": None, "valid_from": None, "valid_to": None} for level, code in (("municipality", "7900"), ("county", "79"))]  # fmt: skip
    governors = [{"county_code": county, "governor_code": None, "governor_name": name, "valid_from": dt.date(2020, 1, 1),
                  "valid_to": None, "fictional": True} for county, name in (("61", "Governor"), ("72", "Other"))]  # fmt: skip
    tables = {
        "rounds": [r for r, _, _ in drawn],
        "rule_indicators": [i for _, rows, _ in drawn for i in rows],
        # the register holds each exception once
        "exceptions": [
            dict(e) for e in dict.fromkeys(tuple(e.items()) for e in chain(pseudo, *(x for *_, x in drawn)))
        ],
        "county_governors": governors,
    }
    people = answers(rng, cells, register, changes, tables)
    for dataset, rows in people.items():
        write(home / "extracts" / dataset / "part-0.parquet", rows, form_schema(dataset))
    tables |= {
        "report_duties": [], "calendar": [], "input_files": input_files(),
        "accepted_gaps": accepted_gaps(rng, tables["rule_indicators"]), "public_register": [],
    }  # fmt: skip
    shapes = parameter_schemas()
    for name, rows in tables.items():
        write(home / "parameters" / f"{name}.parquet", rows, shapes[name])
