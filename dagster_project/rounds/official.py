"""The official list of a round, compared with what the round proposes, as the marts have it now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dagster_project.settings import Settings


def official_list(settings: Settings, round_id: str) -> dict[str, Any] | None:
    """Counts of a round's comparison, and the municipalities on one list only by number and name; None without a list.

    It is read from the marts and not from the revision: a list may come after a release, which then stays as it is.
    """
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    paths = [settings.marts / f"{name}.parquet" for name in ("official_list_summary", "official_list")]
    if not all(path.exists() for path in paths):
        return None
    summary, rows = (pq.read_table(path, filters=pc.field("round") == round_id).to_pylist() for path in paths)
    if not summary:
        return None
    named = {
        side: [f"{r['municipality_code']} {r['municipality_name']}" for r in rows if r["agreement"] == side]
        for side in ("only_official", "only_computed")
    }
    return {**{k: summary[0][k] for k in ("source", "official", "computed", "agree", "agree_on_group")}, **named}


def as_lines(found: Mapping[str, Any]) -> list[str]:
    """The same for a terminal."""
    only = {side: ", ".join(found[side]) or "none" for side in ("only_official", "only_computed")}
    return [
        f"official list ({found['source']}): {found['agree']} of {found['official']} agree, "
        f"{found['agree_on_group']} of them on the group",
        f"  only official: {only['only_official']}; only computed: {only['only_computed']}",
    ]
