"""What differs between two sets of tables, and what changed beneath them."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pyarrow as pa
import pytest

from dagster_project.publication.changes import as_findings, causes, count_cells, row_changes

KEY = ("code",)
OLD = pa.table({"code": ["b", "a", "c"], "rank": [1, 2, None], "share": [0.5, 0.4, 0.3], "source_row": [7, 8, 9]})
MANIFEST: dict[str, Any] = {
    "inputs": [{"sha256": "1", "datasets": ["national_tests"]}, {"sha256": "2", "datasets": ["decisions"]}],
    "rule_set": {"name": "r", "sha256": "3"}, "registers": {"exceptions.yaml": "4"},
    "round_entry": {"id": "x", "status": "draft"}, "code_version": "5",
}  # fmt: skip


def test_rows_are_compared_by_their_key_and_a_figure_in_another_place_is_the_same_figure() -> None:
    moved = OLD.take([2, 0, 1]).set_column(3, "source_row", pa.array([1, 2, 3]))
    assert list(row_changes("t", OLD, moved.append_column("new", pa.array([1, 2, 3])), KEY)) == []


def test_a_changed_a_gone_and_a_new_row_are_told_apart_in_order_of_their_keys() -> None:
    new = pa.table({"code": ["d", "c", "b"], "rank": [4, 3, 1], "share": [0.1, 0.2, 0.5], "source_row": [7, 8, 9]})
    found = list(row_changes("t", OLD, new, KEY))
    assert [(c.key["code"], c.only_in, c.columns) for c in found] == [
        ("a", "before", {}), ("c", None, {"rank": (None, 3), "share": (0.3, 0.2)}), ("d", "after", {}),
    ]  # fmt: skip
    assert count_cells(found) == 4
    selection = list(row_changes("selection", OLD, new.slice(0, 2), KEY))
    shown = as_findings([*found, *selection], 3)
    assert [(f.file, f.column, f.found, f.expected, f.count) for f in shown] == [
        ("selection a", "row", "no such row", "the released row", 9),
        ("selection b", "row", "no such row", "the released row", 9),
        ("selection c", "rank", "3", "None", 9),
    ]


@pytest.mark.parametrize(
    ("part", "value", "expected"),
    [
        ("inputs", MANIFEST["inputs"][1:], ("data",)),
        ("inputs", MANIFEST["inputs"][:1], ("decision",)),
        ("inputs", [], ("data", "decision")),
        ("rule_set", {"name": "r", "sha256": "other"}, ("rule",)),
        ("registers", {"exceptions.yaml": "other"}, ("rule",)),
        ("round_entry", {"id": "y", "status": "draft"}, ("rule",)),
        ("round_entry", {"id": "x", "status": "final"}, ()),
        ("code_version", "other", ("code",)),
    ],
)
def test_causes_are_what_the_manifests_do_not_share_whichever_is_older(
    part: str, value: Any, expected: tuple[str, ...]
) -> None:
    other = {**deepcopy(MANIFEST), part: value}
    assert causes(MANIFEST, other) == causes(other, MANIFEST) == expected
