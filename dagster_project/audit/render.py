"""An explanation as text for a terminal."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from dagster_project.audit.explain import Explanation

WIDTH = 150
SUMMED = ("value", "national_limit", "absolute_limit", "points", "weight", "weighted_points", "possible_points")


def _number(value: Any) -> str:
    if value is None:
        return ""
    text = f"{value:f}" if not isinstance(value, int) else str(value)
    return text.rstrip("0").rstrip(".") if "." in text else text


def _share(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"


def as_text(explanation: Explanation) -> str:
    """Decision, arithmetic, neighbours and sources, in that order."""
    from dagster_project.audit.explain import UNRATED

    out = Console(file=io.StringIO(), width=WIDTH, highlight=False, color_system=None)
    m, manifest = explanation.municipality, explanation.manifest
    name = f"{m['municipality_code']} {escape(m['municipality_name'])}"
    out.print(f"{name}, round {manifest['round']}, revision {manifest['revision']}")
    if manifest["data_origin"] == "fictional":
        out.print("OPPDIKTEDE DATA / FICTIONAL DATA: this municipality does not exist.")
    if manifest["illustrative"]:
        out.print(f"ILLUSTRATIVE: {len(manifest['placeholders'])} choices of the rule are placeholders: "
                  + ", ".join(manifest["placeholders"]))  # fmt: skip
    out.print()
    for decision in explanation.decisions:
        out.print(f"{decision['selection_group']}: {decision['status']}. {escape(decision['reason'] or '')}")
    if not explanation.decisions:
        out.print("Not selected: neither group takes it.")
    if not m["rated"]:
        out.print(f"Not rated: {UNRATED.get(m['not_rated_reason'], m['not_rated_reason'])}.")
    out.print(
        f"Share of possible risk points: {_number(m['points'])} of {_number(m['possible_points'])}"
        f" = {_share(m['risk_share'])}; "
        f"rank {m['rank'] or '-'}; coverage {_share(m['coverage'])} "
        f"({_share(m['share_if_hidden_best'])} to {_share(m['share_if_hidden_worst'])}"
        " if hidden figures were best or worst)."
    )
    out.print(f"Spread between {m['rated_schools']} rated schools: {_number(m['school_spread']) or '-'}; "
              f"{m['schools_in_worst_quartile']} among the nation's worst.")  # fmt: skip
    near = Table(title="Neighbours in rank", title_justify="left")
    for title in ("rank", "municipality", "share", "points", "possible"):
        near.add_column(title, justify="left" if title == "municipality" else "right")
    for row in explanation.neighbours:
        near.add_row(str(row["rank"]), escape(f"{row['municipality_code']} {row['municipality_name']}"),
                     _share(row["risk_share"]), _number(row["points"]), _number(row["possible_points"]))  # fmt: skip
    if explanation.neighbours:
        out.print(near)
    sums = Table(title="Points", title_justify="left")
    for title in (
        "indicator",
        "grade",
        "year",
        "state",
        "value",
        "national",
        "absolute",
        "points",
        "x",
        "=",
        "possible",
    ):
        sums.add_column(title, justify="left" if title in ("indicator", "state", "year") else "right")
    for cell in explanation.cells:
        sums.add_row(
            cell["indicator"], _number(cell["grade"]), cell["school_year"] or "", cell["state"],
            *(_number(cell[k]) for k in SUMMED),
        )  # fmt: skip
    sums.add_section()
    sums.add_row("sum", "", "", "", "", "", "", "", "", _number(m["points"]), _number(m["possible_points"]))
    out.print(sums)
    out.print("Sources (line of the file as text, or place of the object in JSON)")
    for cell in explanation.cells:
        label = f"{cell['indicator']} {_number(cell['grade'])} {cell['school_year'] or ''}"
        for source in cell["sources"]:
            out.print(f"  {label}: {escape(str(source['file']))} {source['sha256'][:12]} line {source['line']}, "
                      f"{escape(source['column'])}: {escape(repr(source['raw']))}", soft_wrap=True)  # fmt: skip
        if national := cell["national_source"]["line"]:
            where = cell["national_source"]
            out.print(f"    national limit: {escape(str(where['file']))} {where['sha256'][:12]} line {national}, "
                      f"{escape(where['column'])}", soft_wrap=True)  # fmt: skip
    text = out.file.getvalue()  # type: ignore[attr-defined]
    return str(text)
