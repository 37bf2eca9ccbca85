"""Recompute what this pack claims, from the excerpts of the source files alone. Plain Python 3, nothing to install.

    python3 check.py            # in the unpacked folder; exit code 0 when everything agrees, 1 when not

It reads each source cell out of its line, compares it with the tables, finds the points from value and limits by the
rule in rules.json, adds them up, and compares sums, shares and coverage with the rankings. It also compares every
file with SHA256SUMS. What needs
every school or municipality of the country, percentile limits and ranks, it cannot check.
"""

from __future__ import annotations

import csv
import hashlib
import json
import re
import sys
from collections import defaultdict
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

Row = dict[str, str]
Cells = dict[tuple[str, str, int], Row]

HERE = Path(__file__).resolve().parent
PROBLEMS: list[str] = []
DONE: dict[str, int] = defaultdict(int)
SAFE = re.compile(r"""(^|[;\t\r\n])([\s"']*)'(?=[=+\-@\t\r＝＋－＠])""")


def claim(kind: str, ok: bool, message: str) -> None:
    """Count one comparison; keep the message when it does not hold."""
    DONE[kind] += 1
    if not ok:
        PROBLEMS.append(f"{kind}: {message}")


def plain(text: str) -> str:
    """A cell of a table as it was before it was made harmless for spreadsheet programs."""
    return SAFE.sub(r"\1\2", text)


def table(name: str) -> list[Row]:
    with (HERE / "tables" / f"{name}.csv").open(encoding="utf-8", newline="") as handle:
        return [{k: plain(v) for k, v in row.items()} for row in csv.DictReader(handle)]


def norwegian(text: str) -> Fraction | None:
    """A number as the sources write it: decimal comma, any space between thousands. None when it is not a number."""
    bare = "".join(c for c in text if not c.isspace()).replace(",", ".")
    try:
        return Fraction(bare) if bare else None
    except ValueError:
        return None


def exact(text: str) -> Fraction | None:
    return Fraction(text) if text != "" else None


def read_excerpts() -> Cells:
    """(sha256, member, line) -> {column: raw cell}."""
    cells: Cells = {}
    for path in sorted((HERE / "excerpts").glob("*.jsonl")):
        with path.open(encoding="utf-8") as handle:
            rows = [json.loads(line) for line in handle]
        about = rows[0]
        split = about["delimiter"]
        header = [h.strip().strip('"').lstrip("\ufeff") for h in about["header"].split(split)] if split else []
        for row in rows[1:]:
            if about["kind"] == "json":
                found = {k: "" if v is None else v if isinstance(v, str) else json.dumps(v)
                         for k, v in json.loads(row["text"]).items()}  # fmt: skip
            else:
                line = row["text"]
                parts = line.split("\t") if split == "\t" else next(csv.reader([line], delimiter=split))
                found = dict(zip(header, parts, strict=False))
            cells[about["sha256"], about["member"], row["line"]] = found
    return cells


def cell_at(excerpts: Cells, sha256: str, line: str, column: str) -> str | None:
    member, mark, inner = column.partition("!")
    row = excerpts.get((sha256, member if mark else "", int(line)))
    return None if row is None else row.get(inner if mark else column)


def worse(value: Fraction, limit: Fraction, indicator: Any, rules: Any) -> bool:
    if indicator["direction"]["value"] == "higher_is_worse" and value > limit:
        return True
    if indicator["direction"]["value"] == "lower_is_worse" and value < limit:
        return True
    return bool(rules["points"]["comparison"]["value"] == "worse_or_equal" and value == limit)


def weighted_mean(rows: list[Row], decimals: int) -> Fraction | None:
    """Mean of visible cells by pupils, rounded half up to the published decimals."""
    seen = [
        (Fraction(r["cell_value"]), Fraction(r["cell_n_pupils"] or 0)) for r in rows if r["cell_state"] == "observed"
    ]
    pupils = sum((n for _, n in seen), Fraction(0))
    if not pupils:
        return None
    mean = sum((value * n for value, n in seen), Fraction(0)) / pupils
    scale = 10**decimals
    return Fraction(int((mean * scale + Fraction(1, 2)) // 1), scale)


def check_sums() -> None:
    for line in (HERE / "SHA256SUMS").read_text(encoding="utf-8").splitlines():
        digest, name = line.split("  ", 1)
        path = HERE / name
        found = hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else "missing"
        claim("file", found == digest, f"{name} is {found}, SHA256SUMS says {digest}")


def check_rule() -> None:
    manifest = json.loads((HERE / "manifest.json").read_text(encoding="utf-8"))
    name = manifest["rule_set"]["name"]
    found = hashlib.sha256((HERE / "rulebook" / "rules" / f"{name}.yaml").read_bytes()).hexdigest()
    claim("rule set", found == manifest["rule_set"]["sha256"], f"{name}.yaml is not the one the manifest names")


def check_cells(excerpts: Cells, sources: list[Row]) -> None:
    for r in sources:
        raw = cell_at(excerpts, r["source_sha256"], r["source_row"], r["source_column"])
        name = f"{r['source_sha256'][:12]} line {r['source_row']}, {r['source_column']}"
        claim("source cell", raw == r["cell_raw_value"], f"{name} holds {raw!r}, stated {r['cell_raw_value']!r}")
        if r["cell_state"] == "observed":
            ok = raw is not None and norwegian(raw) == exact(r["cell_value"])
            claim("source value", ok, f"{name} holds {raw!r}, the table says {r['cell_value']}")
        else:
            claim("hidden cell", raw is None or norwegian(raw) is None or raw.strip() == "0", f"{name} holds {raw!r}")


def check_limits(excerpts: Cells, limits: list[Row], by_name: Any) -> None:
    for r in limits:
        for side in ("national", "absolute"):
            stated, rule = exact(r[f"{side}_limit"]), by_name[r["indicator"]][side]
            name = f"{side} limit of {r['indicator']} {r['grade']} {r['school_year']}"
            if r.get(f"{side}_source_sha256"):
                sha256, line, column = (r[f"{side}_source_{k}"] for k in ("sha256", "row", "column"))
                raw = cell_at(excerpts, sha256, line, column)
                claim("limit", raw is not None and norwegian(raw) == stated, f"{name}: cell {raw!r}, stated {stated}")
            elif r[f"{side}_method"] == "fixed":
                fixed = rule["value"] if rule["values"] is None else rule["values"][r["grade"]]
                claim("limit", Fraction(str(fixed)) == stated, f"{name}: the rule says {fixed}, stated {stated}")


def check_points(points: list[Row], sources: list[Row], limits: list[Row], rules: Any, by_name: Any) -> None:
    behind: dict[tuple[str, ...], list[Row]] = defaultdict(list)
    limit_of: dict[tuple[str, ...], Row] = {}
    for r in sources:
        behind[r["unit_level"], r["unit_code"], r["indicator"], r["grade"], r["school_year"]].append(r)
    for r in limits:
        limit_of[r["indicator"], r["grade"], r["school_year"]] = r
    national, absolute = rules["points"]["national"]["value"], rules["points"]["absolute"]["value"]
    for r in points:
        key = r["unit_level"], r["unit_code"], r["indicator"], r["grade"], r["school_year"]
        name, indicator = " ".join(key[1:]), by_name[r["indicator"]]
        rows, value = behind[key], exact(r["value"])
        if r["state"] == "observed":
            if r["value_basis"] in ("published", "carried"):
                found = exact(rows[0]["cell_value"]) if len(rows) == 1 else None
            else:
                found = weighted_mean(rows, indicator["decimals"]["value"])
            claim("value", found == value, f"{name}: the sources give {found}, stated {value}")
        limit = limit_of[r["indicator"], r["grade"], r["school_year"]]
        low, high = exact(limit["national_limit"]), exact(limit["absolute_limit"])
        ok = (low, high) == (exact(r["national_limit"]), exact(r["absolute_limit"]))
        claim("limit used", ok, f"{name}: not the limits of the table of limits")
        weight = Fraction(str(indicator["weight"]["value"]))
        claim("weight", weight == exact(r["weight"]), f"{name}: the rule says {weight}, stated {r['weight']}")
        given = None
        if r["state"] == "observed" and value is not None and low is not None and high is not None:
            given = absolute if worse(value, high, indicator, rules) else (
                national if worse(value, low, indicator, rules) else 0)  # fmt: skip
        claim("points", given == exact(r["points"]), f"{name}: the rule gives {given}, stated {r['points'] or '-'}")
        product = None if given is None else given * weight
        claim("weighted", product == exact(r["weighted_points"]), f"{name}: {product}, stated {r['weighted_points']}")
        most = 0 if given is None else absolute * weight
        claim("possible", most == exact(r["possible_points"]), f"{name}: {most}, stated {r['possible_points']}")


def check_sums_of(level: str, ranking: list[Row], rows_of: Callable[[str], list[Row]], note: str = "") -> None:
    for r in ranking:
        code = r[f"{level}_code"]
        rows = rows_of(code)
        points, possible, applicable = (
            sum((Fraction(p[column] or 0) for p in rows), Fraction(0))
            for column in ("weighted_points", "possible_points", "applicable_points")
        )
        for column, found in (("points", points), ("possible_points", possible), ("applicable_points", applicable)):
            claim("sum", found == exact(r[column]), f"{code}{note} {column}: {found}, stated {r[column]}")
        for column, top, bottom in (("risk_share", points, possible), ("coverage", possible, applicable)):
            share = repr(float(top) / float(bottom)) if bottom else ""
            claim("share", share == r[column], f"{code}{note} {column}: {share}, stated {r[column]}")


def main() -> int:
    rules = json.loads((HERE / "rules.json").read_text(encoding="utf-8"))
    by_name = {i["name"]: i for i in rules["indicators"]}
    excerpts = read_excerpts()
    points, sources, limits = table("indicator_points"), table("point_sources"), table("limits")
    schools, municipalities = table("school_ranking"), table("municipality_ranking")
    check_sums()
    check_rule()
    check_cells(excerpts, sources)
    check_limits(excerpts, limits, by_name)
    check_points(points, sources, limits, rules, by_name)
    of_unit: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for p in points:
        of_unit[p["unit_level"], p["unit_code"]].append(p)
    check_sums_of("school", schools, lambda code: of_unit["school", code])
    if rules["scope"]["municipality_share_from"]["value"] == "school_points":
        rated: dict[str, list[Row]] = defaultdict(list)
        for s in schools:
            if s["rated"] == "true":
                rated[s["municipality_code"]] += of_unit["school", s["school_code"]]
        check_sums_of("municipality", municipalities, lambda code: rated[code], " from its schools")
    else:
        check_sums_of("municipality", municipalities, lambda code: of_unit["municipality", code])
    for m in municipalities:
        print(f"{m['municipality_code']} {m['municipality_name']}: {m['points']} of {m['possible_points']}, "
              f"share {m['risk_share'] or '-'}")  # fmt: skip
    print(", ".join(f"{count} {kind}" for kind, count in sorted(DONE.items())) + " compared")
    for problem in PROBLEMS[:50]:
        print("DISAGREES", problem)
    print("EVERYTHING AGREES" if not PROBLEMS else f"{len(PROBLEMS)} COMPARISONS DISAGREE")
    return 1 if PROBLEMS else 0


if __name__ == "__main__":
    sys.exit(main())
