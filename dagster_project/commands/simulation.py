"""What-if, variants and uncertainty. None of these commands changes the official list."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from dagster_project.pages.words import FICTIONAL, both
from dagster_project.settings import Settings

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
@click.pass_obj
def whatif(
    settings: Settings,
    round_id: str,
    settings_: tuple[str, ...],
    rule_files: tuple[Path, ...],
    series: tuple[str, ...],
    name: str | None,
    shape: str,
) -> None:
    """Compute a round with other values in its rule. The same models are used; the result is marked as a scenario.

    \b
    oppfolging whatif --round R --set limits.absolute.percentile=15 --set window.years=2
    oppfolging whatif --round R --sweep groups.spread.level=0.10..0.20:0.02
    """
    import json

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
    if shape == "json":
        click.echo(json.dumps(answer.as_dict(), ensure_ascii=False, indent=2))
    elif shape == "csv":
        click.echo((folder / "changes.csv").read_text(encoding="utf-8"), nl=False)
    else:
        _print_what_if(answer)
        click.echo(f"Tables and figure: {folder}")


def _print_what_if(answer: object) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Column, Table

    from dagster_project.simulation.whatif import WhatIf

    assert isinstance(answer, WhatIf)
    out = Console()
    for note in answer.notes:
        out.print(f"[bold]{escape(note)}[/bold]" if note.isupper() else escape(note))
    if len(answer.comparisons) > 1:
        table = Table(
            Column("scenario", overflow="fold", no_wrap=False), "enter", "leave", "change group", "Kendall", "Spearman"
        )
        for c in answer.comparisons:
            n = c.counts
            table.add_row(escape(c.scenario), str(n["enters"]), str(n["leaves"]), str(n["changes group"]),
                          _number(c.kendall), _number(c.spearman))  # fmt: skip
        out.print(table)
        return
    (only,) = answer.comparisons
    out.print(f"{escape(only.scenario)}: " + ", ".join(f"{n} {what}" for what, n in only.counts.items())
              + f"; Kendall {_number(only.kendall)}, Spearman {_number(only.spearman)}")  # fmt: skip
    table = Table("change", "municipality", "group", "rank", "share")
    for row in only.changes[:SHOWN]:
        table.add_row(
            row["change"],
            escape(f"{row['municipality_code']} {row['municipality_name']}"),
            f"{row['base_group'] or '-'} > {row['scenario_group'] or '-'}",
            f"{row['base_rank'] or '-'} > {row['scenario_rank'] or '-'}",
            f"{_number(row['base_share'])} > {_number(row['scenario_share'])}",
        )
    if only.changes:
        out.print(table)
    if len(only.changes) > SHOWN:
        out.print(f"and {len(only.changes) - SHOWN} more")


@click.command()
@click.option("--round", "round_id", required=True, help="Id of the round, as `status` shows it.")
@click.pass_obj
def variants(settings: Settings, round_id: str) -> None:
    """Show how sensitive the lists are to the open rule choices (A1 to A16), computing all variants in one build."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from dagster_project.simulation.output import write_tables
    from dagster_project.simulation.variants import compute_variants, sensitivity_tables

    tables = sensitivity_tables(compute_variants(settings, round_id))
    out = Console()
    table = Table("", "variant", "enter", "leave", "Kendall", "Spearman")
    for row in tables["choice_sensitivity"].to_pylist():
        table.add_row(row["question"], escape(row["title"]), str(row["enters"]), str(row["leaves"]),
                      _number(row["kendall"]), _number(row["spearman"]))  # fmt: skip
    out.print(table)
    taken = tables["selection_stability"].to_pylist()
    always = [r for r in taken if r["taken_in"] == r["readings"]]
    out.print(f"{len(always)} municipalities are selected in every variant, {len(taken) - len(always)} in some.")
    table = Table("indicator", "nominal", "effective", "rank change without it")
    for row in tables["indicator_weights"].to_pylist():
        table.add_row(row["indicator"], _number(row["nominal_weight"]), _number(row["effective_weight"]),
                      _number(row["mean_rank_change_without"]))  # fmt: skip
    out.print(table)
    out.print(f"Tables: {write_tables(settings, round_id, tables)}", soft_wrap=True)


@click.command()
@click.option("--round", "round_id", required=True, help="Id of the round, as `status` shows it.")
@click.option("--draws", type=click.IntRange(20, 100_000), help="Recalculate with this many random draws.")
@click.option("--seed", type=click.IntRange(0), help="Recalculate with this seed. The same seed gives the same table.")
@click.pass_obj
def uncertainty(settings: Settings, round_id: str, draws: int | None, seed: int | None) -> None:
    """Show how certain the list is, given that every figure is a mean over few pupils. The list never changes.

    Shows the published uncertainty. With --draws or --seed it is recalculated into a separate table.
    """
    from dagster_project.simulation.output import write_tables
    from dagster_project.simulation.scenario import base_of

    base = base_of(settings, round_id)
    if draws is None and seed is None and base.has("selection_uncertainty"):
        _print_uncertainty(base.table("selection_uncertainty").to_pylist())
        return
    from dagster_project.simulation.assumptions import load_assumptions
    from dagster_project.simulation.uncertainty import compute_uncertainty, uncertainty_table

    found = compute_uncertainty(settings, base, load_assumptions(settings), draws=draws, seed=seed)
    result = uncertainty_table(found)
    _print_uncertainty(result.to_pylist())
    d = found.draws
    click.echo(f"Of {d.cells} cells the file states the uncertainty of {d.published_errors}; {d.without_count} have "
               "neither that nor a count of pupils and were taken to be of middle size.")  # fmt: skip
    click.echo(f"Table: {write_tables(settings, round_id, {'selection_uncertainty': result})}")


def _print_uncertainty(every: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    municipalities = [r for r in every if r["unit_level"] == "municipality"]
    rows = sorted(
        (r for r in municipalities if r["probability_selected"] > 0),
        key=lambda r: (-r["probability_selected"], r["rank"]),
    )
    out = Console()
    if any(r["data_origin"] == "fictional" for r in rows):
        out.print(f"[bold]{both(FICTIONAL)}[/bold]")
    table = Table("municipality", "rank", "selected", "average", "spread", "rank from", "to", "set from", "to")
    for r in rows[:SHOWN]:
        table.add_row(
            escape(f"{r['unit_code']} {r['unit_name']}"),
            str(r["rank"]),
            *(f"{100 * r[f'probability_{name}']:.0f} %" for name in ("selected", "average", "spread")),
            *(str(r[name]) for name in ("rank_low", "rank_high", "rank_set_low", "rank_set_high")),
        )
    out.print(table)
    if not rows:
        return
    level = rows[0]["level"]
    sure = sum(r["probability_selected"] >= level for r in rows)
    reach = sum(bool(r.get("could_be_selected")) for r in municipalities)
    out.print(f"{sure} municipalities are taken in at least {100 * level:.0f} % of the {rows[0]['draws']} draws (seed "
              f"{rows[0]['seed']}) and {len(rows)} in any; {reach} in at least one of forty.")  # fmt: skip


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


COMMANDS = (whatif, variants, uncertainty)
