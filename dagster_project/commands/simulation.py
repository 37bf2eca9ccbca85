"""What-if, variants and uncertainty. None of these commands changes the official list."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dagster_project.commands.answer import Answer, answers, terminal_width
from dagster_project.pages.words import FICTIONAL, both
from dagster_project.settings import Settings

if TYPE_CHECKING:
    from dagster_project.pages.document import Section
    from dagster_project.simulation.whatif import WhatIf

SHOWN = 40


@click.command()
@click.option("--round", "round_id", required=True, help="Id of the round, as `status` shows it.")
@click.option(
    "--set",
    "settings_",
    multiple=True,
    metavar="PATH=VALUE",
    help="Change a value, by its path in the rule file. Can be repeated.",
)
@click.option(
    "--rules",
    "rule_files",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="Use another rule file. Can be repeated.",
)
@click.option(
    "--sweep", "series", multiple=True, metavar="PATH=A..B:STEP", help="Try a series of values, of one or two paths."
)
@click.option("--name", help="Name of the folder for the result.")
@click.option(
    "--format",
    "shape",
    type=click.Choice(["table", "json", "csv"]),
    default="table",
    show_default=True,
    help="Format of the output.",
)
@answers
@click.pass_obj
def whatif(
    settings: Settings,
    round_id: str,
    settings_: tuple[str, ...],
    rule_files: tuple[Path, ...],
    series: tuple[str, ...],
    name: str | None,
    shape: str,
) -> Answer:
    """Compute a round with other values in its rule. The same models are used; the result is marked as a scenario.

    \b
    oppfolging whatif --round R --set limits.absolute.percentile=15 --set window.years=2
    oppfolging whatif --round R --sweep groups.spread.level=0.10..0.20:0.02
    """
    from dagster_project.pages.json import as_json
    from dagster_project.simulation import whatif as room
    from dagster_project.simulation.paths import parse

    answer = room.what_if(
        settings,
        round_id,
        values=dict(parse(text) for text in settings_),
        rule_files=rule_files,
        series=series,
        name=name,
    )
    folder = room.write(settings, answer)
    text = {
        "json": lambda: as_json(answer.as_dict()),
        "csv": lambda: (folder / "changes.csv").read_text(encoding="utf-8"),
        "table": lambda: f"{_what_if_text(answer)}\nTables and figure: {folder}",
    }
    return Answer({**answer.as_dict(), "folder": str(folder)}, text[shape]())


def _text(*sections: Section) -> str:
    from dagster_project.pages.text import sections_as_text

    return sections_as_text(sections, terminal_width())


def _section(lines: Sequence[str], titles: tuple[str, ...], rows: Sequence[tuple[str, ...]], words: int = 1) -> Section:
    """Lines and a table whose first columns are ``words`` and whose others are numbers."""
    from dagster_project.pages.document import Section, Table

    table = Table(titles, tuple(rows), frozenset(range(words, len(titles))))
    return Section("answer", "", tuple(lines), table)


def _what_if_text(answer: WhatIf) -> str:
    if len(answer.comparisons) > 1:
        titles = ("scenario", "enter", "leave", "change group", "Kendall", "Spearman")
        rows = [
            (c.scenario, *(str(c.counts[n]) for n in ("enters", "leaves", "changes group")), _number(c.kendall),
             _number(c.spearman))
            for c in answer.comparisons
        ]  # fmt: skip
        return _text(_section(answer.notes, titles, rows))
    (only,) = answer.comparisons
    said = (
        f"{only.scenario}: " + ", ".join(f"{n} {what}" for what, n in only.counts.items())
        + f"; Kendall {_number(only.kendall)}, Spearman {_number(only.spearman)}"
    )  # fmt: skip
    moved = [
        (
            row["change"],
            f"{row['municipality_code']} {row['municipality_name']}",
            f"{row['base_group'] or '-'} > {row['scenario_group'] or '-'}",
            f"{row['base_rank'] or '-'} > {row['scenario_rank'] or '-'}",
            f"{_number(row['base_share'])} > {_number(row['scenario_share'])}",
        )
        for row in only.changes[:SHOWN]
    ]
    text = _text(_section([*answer.notes, said], ("change", "municipality", "group", "rank", "share"), moved, 3))
    return text + (f"and {len(only.changes) - SHOWN} more\n" if len(only.changes) > SHOWN else "")


@click.command()
@click.option("--round", "round_id", required=True, help="Id of the round, as `status` shows it.")
@answers
@click.pass_obj
def variants(settings: Settings, round_id: str) -> Answer:
    """Show how sensitive the lists are to the open rule choices (A1 to A16), computing all variants in one build."""
    from dagster_project.simulation.output import write_tables
    from dagster_project.simulation.variants import compute_variants, sensitivity_tables

    tables = sensitivity_tables(compute_variants(settings, round_id))
    folder = write_tables(settings, round_id, tables)
    content = {name: table.to_pylist() for name, table in tables.items()}
    choices = [
        (row["question"], row["title"], str(row["enters"]), str(row["leaves"]), _number(row["kendall"]),
         _number(row["spearman"]))
        for row in content["choice_sensitivity"]
    ]  # fmt: skip
    weights = [
        (row["indicator"], _number(row["nominal_weight"]), _number(row["effective_weight"]),
         _number(row["mean_rank_change_without"]))
        for row in content["indicator_weights"]
    ]  # fmt: skip
    taken = content["selection_stability"]
    always = sum(r["taken_in"] == r["readings"] for r in taken)
    said = f"{always} municipalities are selected in every variant, {len(taken) - always} in some."
    text = _text(
        _section((), ("choice", "variant", "enter", "leave", "Kendall", "Spearman"), choices, 2),
        _section([said], ("indicator", "nominal", "effective", "rank change without it"), weights),
    )
    return Answer({**content, "folder": str(folder)}, f"{text}Tables: {folder}")


@click.command()
@click.option("--round", "round_id", required=True, help="Id of the round, as `status` shows it.")
@click.option("--draws", type=click.IntRange(20, 100_000), help="Recalculate with this many random draws.")
@click.option("--seed", type=click.IntRange(0), help="Recalculate with this seed. The same seed gives the same table.")
@answers
@click.pass_obj
def uncertainty(settings: Settings, round_id: str, draws: int | None, seed: int | None) -> Answer:
    """Show how certain the list is, given that every figure is a mean over few pupils. The list never changes.

    Shows the published uncertainty. With --draws or --seed it is recalculated into a separate table.
    """
    from dagster_project.simulation.output import write_tables
    from dagster_project.simulation.scenario import base_of

    base = base_of(settings, round_id)
    if draws is None and seed is None and base.has("selection_uncertainty"):
        published = base.table("selection_uncertainty").to_pylist()
        return Answer(published, _uncertainty_text(published))
    from dagster_project.simulation.assumptions import load_assumptions
    from dagster_project.simulation.uncertainty import compute_uncertainty, uncertainty_table

    found = compute_uncertainty(settings, base, load_assumptions(settings), draws=draws, seed=seed)
    result = uncertainty_table(found)
    table = write_tables(settings, round_id, {"selection_uncertainty": result})
    d = found.draws
    said = (f"Of {d.cells} cells the file states the uncertainty of {d.published_errors}; {d.without_count} have "
            "neither that nor a count of pupils and were taken to be of middle size.")  # fmt: skip
    rows = result.to_pylist()
    return Answer(rows, f"{_uncertainty_text(rows)}{said}\nTable: {table}")


def _uncertainty_text(every: list[dict[str, Any]]) -> str:
    municipalities = [r for r in every if r["unit_level"] == "municipality"]
    rows = sorted(
        (r for r in municipalities if r["probability_selected"] > 0),
        key=lambda r: (-r["probability_selected"], r["rank"]),
    )
    if not rows:
        return "No municipality is taken in any recalculation.\n"
    marks = [both(FICTIONAL)] if any(r["data_origin"] == "fictional" for r in rows) else []
    titles = ("municipality", "rank", "selected", "average", "spread", "rank from", "to", "set from", "to")
    shown = [
        (
            f"{r['unit_code']} {r['unit_name']}",
            str(r["rank"]),
            *(f"{100 * r[f'probability_{name}']:.0f} %" for name in ("selected", "average", "spread")),
            *(str(r[name]) for name in ("rank_low", "rank_high", "rank_set_low", "rank_set_high")),
        )
        for r in rows[:SHOWN]
    ]
    level = rows[0]["level"]
    sure = sum(r["probability_selected"] >= level for r in rows)
    reach = sum(bool(r.get("could_be_selected")) for r in municipalities)
    return (
        _text(_section(marks, titles, shown))
        + f"{sure} municipalities are taken in at least {100 * level:.0f} % of the {rows[0]['draws']} draws (seed "
        f"{rows[0]['seed']}) and {len(rows)} in any; {reach} in at least one of forty.\n"
    )


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


COMMANDS = (whatif, variants, uncertainty)
