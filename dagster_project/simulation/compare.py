"""Compare a scenario with the round: who enters, who leaves, who changes rank, and how similar the rankings are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dagster_project.simulation.scenario import AS_IT_STANDS, SCENARIO_COLUMN, WATERMARK, WATERMARK_COLUMN, Outcome

ENTERS, LEAVES, GROUP, MOVES, SAME = "enters", "leaves", "changes group", "moves in rank", "same"

DECIMALS = 12
"""Of a correlation. SciPy gives 0.9999999999999999 for two orders that are the same."""


@dataclass(frozen=True)
class Comparison:
    """One scenario against the round as it stands.

    ``rows`` has one entry a municipality in either, sorted by number: both ranks, shares and groups, and ``change``.
    ``kendall`` and ``spearman`` are taken over the municipalities rated in both; None below two.
    """

    scenario: str
    rows: tuple[dict[str, Any], ...]
    kendall: float | None
    spearman: float | None
    rated_in_both: int

    @property
    def counts(self) -> dict[str, int]:
        """How many municipalities there are of each change."""
        counted = Counter(row["change"] for row in self.rows)
        return {change: counted[change] for change in (ENTERS, LEAVES, GROUP, MOVES, SAME)}

    @property
    def changes(self) -> list[dict[str, Any]]:
        """The rows that differ: entering first, then leaving, changing group, moving; each by rank."""
        order = {ENTERS: 0, LEAVES: 1, GROUP: 2, MOVES: 3}
        kept = [row for row in self.rows if row["change"] != SAME]
        last = len(self.rows) + 1
        return sorted(kept, key=lambda r: (order[r["change"]], r["scenario_rank"] or last, r["base_rank"] or last))


def groups_of(outcome: Outcome, scenario: str) -> dict[str, str]:
    """The group or groups that take each municipality in a scenario: average, spread, or both joined by a plus."""
    taken: dict[str, list[str]] = {}
    for row in outcome.table("selection", scenario).to_pylist():
        if row["within_quota"]:
            taken.setdefault(row["municipality_code"], []).append(row["selection_group"])
    return {code: "+".join(sorted(groups)) for code, groups in taken.items()}


def compare(outcome: Outcome, scenario: str) -> Comparison:
    """Compare one scenario with the round as it stands."""
    base, other = (
        {m["municipality_code"]: m for m in outcome.table("municipality_ranking", s).to_pylist()}
        for s in (AS_IT_STANDS, scenario)
    )
    base_groups, other_groups = groups_of(outcome, AS_IT_STANDS), groups_of(outcome, scenario)
    rows, pairs = [], []
    for code in sorted(base.keys() | other.keys()):
        b, o = base.get(code, {}), other.get(code, {})
        before, after = base_groups.get(code), other_groups.get(code)
        ranks = (b.get("rank"), o.get("rank"))
        if None not in ranks:
            pairs.append(ranks)
        rows.append(
            {
                "round": outcome.round,
                SCENARIO_COLUMN: scenario,
                WATERMARK_COLUMN: WATERMARK,
                "municipality_code": code,
                "municipality_name": (b or o)["municipality_name"],
                "county_governor": (b or o)["county_governor"],
                "change": _change(before, after, b, o),
                "base_group": before,
                "scenario_group": after,
                "base_rank": ranks[0],
                "scenario_rank": ranks[1],
                "rank_change": None if None in ranks else ranks[1] - ranks[0],
                "base_share": b.get("risk_share"),
                "scenario_share": o.get("risk_share"),
                "base_spread": b.get("school_spread"),
                "scenario_spread": o.get("school_spread"),
            }
        )
    kendall, spearman = rank_correlations(pairs)
    return Comparison(scenario, tuple(rows), kendall, spearman, len(pairs))


def _change(before: str | None, after: str | None, base: dict[str, Any], other: dict[str, Any]) -> str:
    if before is None and after is not None:
        return ENTERS
    if before is not None and after is None:
        return LEAVES
    if before != after:
        return GROUP
    return SAME if base.get("rank") == other.get("rank") else MOVES


def rank_correlations(pairs: list[tuple[int, int]]) -> tuple[float | None, float | None]:
    """Kendall's tau and Spearman's rho of pairs of ranks; None below two pairs."""
    from scipy.stats import kendalltau

    if len(pairs) < 2:
        return None, None
    a, b = zip(*pairs, strict=True)
    return round(float(kendalltau(a, b).statistic), DECIMALS), spearman(a, b)


def spearman(a: Sequence[float], b: Sequence[float]) -> float | None:
    """Spearman's rho of two columns of one length, ties at their mean rank; None when one of them is constant."""
    from scipy.stats import spearmanr

    return None if len(set(a)) < 2 or len(set(b)) < 2 else round(float(spearmanr(a, b).statistic), DECIMALS)


def stability(outcome: Outcome, scenarios: tuple[str, ...]) -> list[dict[str, Any]]:
    """Per municipality taken in any of the scenarios: in how many, and the span of its ranks. Sorted by number.

    The round as it stands counts as one of them when it is named.
    """
    taken = {s: groups_of(outcome, s) for s in scenarios}
    ranks: dict[str, list[int]] = {}
    names: dict[str, str] = {}
    for s in scenarios:
        for m in outcome.table("municipality_ranking", s).to_pylist():
            names.setdefault(m["municipality_code"], m["municipality_name"])
            if m["rank"] is not None:
                ranks.setdefault(m["municipality_code"], []).append(m["rank"])
    base = groups_of(outcome, AS_IT_STANDS)
    return [
        {
            "round": outcome.round,
            "municipality_code": code,
            "municipality_name": names[code],
            "taken_in_rule": code in base,
            "readings": len(scenarios),
            "taken_in": sum(code in groups for groups in taken.values()),
            "average_in": sum("average" in groups.get(code, "") for groups in taken.values()),
            "spread_in": sum("spread" in groups.get(code, "") for groups in taken.values()),
            "rank_lowest": min(ranks.get(code, ()), default=None),
            "rank_highest": max(ranks.get(code, ()), default=None),
        }
        for code in sorted(names)
        if any(code in groups for groups in taken.values())
    ]
