"""May a file take the place of those in force? Not an older export, nor the public view of what is shown in full.

``older-export``        it is older than what it would replace: it waits for somebody to accept that
``fuller-view-stands``  the file in force shows what this one hides, and stays in force (no fault)
``fuller-view-differs`` the same, and other figures differ: one of the two is out of date, so it waits
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
    fuller_slices,
    keys_of,
    name_of,
    replaced_sources,
    rows_for,
)

if TYPE_CHECKING:
    import pyarrow as pa

STAMP = re.compile(r"(\d{8}-\d{4})_")
STAGE = "against_last_year"
FULLER_DIFFERS = "fuller-view-differs"


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
                        stage=STAGE, file=file, found=file, expected=f"an export newer than {other.name}",
                        fix="Accept it to bring the older figures back into force; otherwise dismiss it.",
                    )
                )  # fmt: skip
    return findings


def _behind_fuller(extracts: Extracts, tables: Sequence[ExtractTable], file: str) -> list[Finding]:
    """Is the file the public view of slices that a file in force shows with their hidden figures?"""
    findings = []
    for key in keys_of(tables):
        if key[0] not in schema.YEARLY_DATASETS:
            continue
        rows, held = rows_for(tables, key), extracts.table(key)
        if rows is None or held is None or not (slices := fuller_slices(held, rows)).num_rows:
            continue
        hidden, differing = _compared(held, rows, slices)
        first = differing.slice(0, 1).to_pylist()
        same = f"{hidden} figures that this file hides are in force for {name_of(key)}, from a file with access to them"
        if not first:
            findings.append(
                Finding("fuller-view-stands", Severity.PASS, "the fuller view stays in force", stage=STAGE, file=file,
                        found=same, fix="Nothing to do.")
            )  # fmt: skip
            continue
        findings.append(
            Finding(
                FULLER_DIFFERS, Severity.WARN, "the file in force shows more, and this one has other figures",
                stage=STAGE, file=file, row=first[0]["source_row"], column=first[0]["source_column"],
                found=f"{first[0]['raw_value']}, where the fuller file has {first[0]['held']}; {same}",
                expected="the same figures in both views", count=differing.num_rows,
                fix="Get the view with hidden figures again, send that, and dismiss this one; or withdraw the file in "
                "force, and send this one again. It cannot be accepted: the fuller file would stand all the same.",
            )
        )  # fmt: skip
    return findings


def _compared(held: pa.Table, rows: pa.Table, slices: pa.Table) -> tuple[int, pa.Table]:
    """Of slices in two views: how many figures only the fuller one shows, and the cells in which the two differ."""
    import pyarrow.compute as pc

    cell = [*CELL_KEY, "value", "state"]
    ours = held.select([*cell, "restricted", "raw_value", "abroad"]).join(
        slices, list(schema.SLICE_KEY), join_type="left semi"
    )
    ours = ours.select([*cell, "restricted", "raw_value"]).rename_columns([*cell, "restricted", "held"])
    places = ["raw_value", "source_row", "source_column"]
    both = ours.join(rows.select([*cell, *places]), list(CELL_KEY), right_suffix="_new", join_type="inner")
    shown = both.filter(pc.and_(pc.equal(both["state"], "observed"), pc.equal(both["state_new"], "observed")))
    hidden = both.filter(pc.and_(pc.fill_null(both["restricted"], False), pc.equal(both["state_new"], "suppressed")))
    differing = shown.filter(pc.not_equal(shown["value"], shown["value_new"]))
    return hidden.num_rows, differing.sort_by([("source_row", "ascending"), ("source_column", "ascending")])
