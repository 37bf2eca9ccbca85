"""May a file take the place of those in force? Not an older export, nor the public view of what is shown in full.

``older-export``        it is older than what it would replace: it waits for somebody to accept that
``fuller-view-stands``  figures in force that this file hides stay (no fault)
``fuller-view-differs`` the same, and other figures differ: one of the two is out of date, so it waits
``star-gone``           figures for those with access come without a star: would they be public? So it waits
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from dagster_project import schema
from dagster_project.diagnostics import Finding, Severity
from dagster_project.intake.cells import ExtractTable
from dagster_project.intake.partitions import (
    CELL_KEY,
    Extracts,
    kept_figures,
    keys_of,
    name_of,
    replaced_sources,
    rows_for,
)

if TYPE_CHECKING:
    import pyarrow as pa

STAMP = re.compile(r"(\d{8}-\d{4})_")
STAGE = "against_last_year"


def order_findings(
    extracts: Extracts, tables: Sequence[ExtractTable], file: str, sha256: str, line: float
) -> list[Finding]:
    """What is to be said of a file and those in force that hold the same slices. ``line`` is its arrival."""
    return [*_older(extracts, tables, file, sha256, line), *_behind_fuller(extracts, tables, file)]


def _older(extracts: Extracts, tables: Sequence[ExtractTable], file: str, sha256: str, line: float) -> list[Finding]:
    """Would the file take the place of a newer one? It waits then for somebody to accept that.

    Newer is what the name of the export says (``20260218-1045_...``), or that the same bytes were in force before and
    were replaced since.
    """
    before = {f.sha256: f for f in extracts.files if f.status == "accepted"}
    own = STAMP.match(file)
    findings = []
    for key in keys_of(tables):
        rows, held = rows_for(tables, key), extracts.table(key)
        if rows is None or held is None:
            continue
        for other in (before[s] for s in sorted(replaced_sources(key[0], held, rows)) if s in before):
            stamp = STAMP.match(other.name)
            by_name = own is not None and stamp is not None and own[1] < stamp[1]
            by_return = any(f.line < other.line < line for f in extracts.files if f.sha256 == sha256 and f.partitions)
            if other.line < line and other.sha256 != sha256 and (by_name or by_return):
                findings.append(
                    Finding(
                        "older-export", Severity.WARN, f"an older export would replace a newer one of {name_of(key)}",
                        stage=STAGE, file=file, found=f"{file} ({sha256[:12]})",
                        expected=f"an export newer than {other.name} ({other.sha256[:12]}) of {other.arrived[:10]}",
                        fix="Accept it to bring the older figures back into force; otherwise dismiss it.",
                    )
                )  # fmt: skip
    return findings


def _behind_fuller(extracts: Extracts, tables: Sequence[ExtractTable], file: str) -> list[Finding]:
    """Does the file hide figures that are in force, or show those as public that only people with access may see?"""
    findings = []
    for key in keys_of(tables):
        if key[0] not in schema.YEARLY_DATASETS:
            continue
        rows, held = rows_for(tables, key), extracts.table(key)
        if rows is None or held is None or not any(held["restricted"].unique().to_pylist()):
            continue
        kept = kept_figures(held, rows).num_rows
        stands = f"{kept} figures of {name_of(key)} that this file hides stay, from a file with access to them"
        differing, bare = _compared(held, rows)
        if kept:
            findings.append(
                Finding("fuller-view-stands", Severity.PASS, "figures that this file hides stay in force", stage=STAGE,
                        file=file, found=stands, fix="Nothing to do.")
            )  # fmt: skip
        if kept and differing.num_rows:
            findings.append(
                _of_cells(
                    "fuller-view-differs", "the file hides figures that stay in force, and differs in others", file,
                    differing, "the same figures in both views",
                    "Get the view with hidden figures again and send that. Accept this one to have its figures beside "
                    "the older hidden ones.",
                )
            )  # fmt: skip
        if bare.num_rows:
            findings.append(
                _of_cells(
                    "star-gone", "figures that only those with access might see come without a star", file, bare,
                    "a number and a star, as before",
                    "Look whether the publisher shows them now. Accepted, they count as public.",
                )
            )  # fmt: skip
    return findings


def _of_cells(code: str, message: str, file: str, cells: pa.Table, expected: str, fix: str) -> Finding:
    """A warning on the first of some cells, which names what is in force in its place."""
    first = cells.slice(0, 1).to_pylist()[0]
    return Finding(
        code, Severity.WARN, message, stage=STAGE, file=file, row=first["source_row"], column=first["source_column"],
        found=f"{first['raw_value']}, where {first['held']} is in force", expected=expected, fix=fix,
        count=cells.num_rows,
    )  # fmt: skip


def _compared(held: pa.Table, rows: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Cells that two views show with other values; cells of the same value that have lost their star."""
    import pyarrow.compute as pc

    cell, places = [*CELL_KEY, "value", "state", "restricted"], ["raw_value", "source_row", "source_column"]
    ours = held.select([*cell, "raw_value"]).rename_columns([*cell, "held"])
    both = ours.join(rows.select([*cell, *places]), list(CELL_KEY), right_suffix="_new", join_type="inner")
    shown = both.filter(pc.and_(pc.equal(both["state"], "observed"), pc.equal(both["state_new"], "observed")))
    shown = shown.sort_by([("source_row", "ascending"), ("source_column", "ascending")])
    bare = pc.and_not(shown["restricted"], shown["restricted_new"])
    return shown.filter(pc.not_equal(shown["value"], shown["value_new"])), shown.filter(bare)
