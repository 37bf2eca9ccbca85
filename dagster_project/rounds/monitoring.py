"""The mart of the estimated effects of each cohort. It is made again only when its inputs have changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dagster_project import schema
from dagster_project.fingerprint import code_in, fingerprint
from dagster_project.pages.words import CATALOGUE
from dagster_project.rules import RuleBook, RuleSet
from dagster_project.settings import Settings
from dagster_project.transform import derived

if TYPE_CHECKING:
    import pyarrow as pa

MART = "cohort_effect"


def cohort_effect(settings: Settings, rulebook: RuleBook) -> pa.Table:
    """Rows of the mart ``cohort_effect``: what follow-up did in each cohort, estimated from ``cohort_progress``.

    Cohorts of one rule set and origin are estimated together, since they are each other's later comparison; what holds
    of all of them stands with each, marked ``pooled``.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    from dagster_project.effects import estimate_effects, load_effect_parameters
    from dagster_project.effects.outcomes import MEAN_GAP
    from dagster_project.effects.results import POOLED, SHARE

    everything = pq.read_table(settings.marts / "cohort_progress.parquet")
    progress = everything.filter(pc.field("indicator") == SHARE)
    rounds = {r.id: r for r in rulebook.rounds}
    groups: dict[tuple[str, str], list[str]] = {}
    for round_id in sorted(set(progress["round"].to_pylist())):
        groups.setdefault((rounds[round_id].rule_set, rounds[round_id].origin), []).append(round_id)
    parameters = load_effect_parameters(settings)
    tables = []
    for (rule_set, origin), members in groups.items():
        rows = progress.filter(pc.is_in(progress["round"], pa.array(members)))
        panel = pa.table(
            {
                **{n: rows[n] for n in ("cohort", "municipality_code", "in_cohort", "eligible_comparison", "event_time",
                                        "baseline_share")},
                "school_year": [schema.school_year_label(y) for y in rows["data_year"].to_pylist()],
                "risk_share": rows["value"],
                "pupils": rows["baseline_pupils"],
                "rank": rows["baseline_rank"],
                "treated_from": pa.array([parameters.first_followed_year.value] * rows.num_rows, pa.int64()),
            }
        )  # fmt: skip
        rules = rulebook.rule_sets[rule_set]
        panel = panel.append_column(
            MEAN_GAP, _mean_gaps(panel, everything.filter(pc.is_in(everything["round"], pa.array(members))), rules)
        )
        found = estimate_effects(panel, parameters, rules.window.years.value).to_table()
        for round_id in members:
            cohort = rounds[round_id].cohort_id
            mine = found.filter(pc.is_in(found["cohort"], pa.array([cohort, POOLED])))
            pooled = pc.equal(mine["cohort"], POOLED)
            named = mine.set_column(0, "cohort", pa.array([cohort] * mine.num_rows, pa.string()))
            named = named.append_column("pooled", pooled).append_column("round", pa.array([round_id] * mine.num_rows))
            tables.append(named.append_column("data_origin", pa.array([origin] * mine.num_rows)))
    return pa.concat_tables(tables) if tables else pa.table({"cohort": pa.array([], pa.string())})


def _mean_gaps(panel: pa.Table, progress: pa.Table, rules: RuleSet) -> pa.Array:
    """The outcome without steps, one value a row of the panel; null where a municipality shows no figure."""
    import pyarrow as pa

    from dagster_project.effects.outcomes import of_progress

    weights = {i.name: float(i.weight.value) for i in rules.indicators}
    rows = progress.to_pandas()
    rows = rows[rows["indicator"].isin(list(weights)) & rows["gap"].notna()]
    found = {c: of_progress(own, weights, rules.window.years.value) for c, own in rows.groupby("cohort")}
    keys = zip(*(panel[n].to_pylist() for n in ("cohort", "municipality_code", "event_time")), strict=True)
    return pa.array([found[c].get((code, at)) if c in found else None for c, code, at in keys], pa.float64())


def effects_basis(settings: Settings) -> dict[str, str]:
    """One hash over all that ``cohort_effect`` follows from: progress, choices, code, texts and libraries."""
    rules = sorted(settings.rules.glob("*.yaml"))  # weights and windows
    inputs = [settings.marts / "cohort_progress.parquet", settings.effects, settings.rounds, *rules]
    code = [*code_in("rounds/monitoring.py", "effects", "pages/words.py"), CATALOGUE]
    return {MART: fingerprint([*inputs, *code], libraries=("babel", "numpy", "pandas", "scipy", "statsmodels"))}


def current_effects(settings: Settings, rulebook: RuleBook) -> pa.Table:
    """The mart ``cohort_effect`` as it stands; estimated anew only when what it rests on has changed."""
    target = settings.marts / f"{MART}.parquet"
    return derived.current(target, effects_basis(settings), lambda _: cohort_effect(settings, rulebook))
