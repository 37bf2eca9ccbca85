"""The life of a round: show it, release it, amend it, and print its whole history."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from dagster_project import clock
from dagster_project.commands.answer import Answer, answers, echo
from dagster_project.settings import Settings


@click.group("round")
def round_() -> None:
    """A selection round (uttrekk): draft, candidates, prioritised, final, closed."""


def waits(who: str) -> None:
    """Say that the command waits for another process."""
    echo(f"waiting for {who or 'another process that writes to this data folder'}", err=True)


def _act(act: Callable[..., str]) -> click.Command:
    """A command that changes a round: it needs a name and a reason, and waits while another process writes.

    ``act`` gets both with the time (``signed``), and returns what to tell.
    """

    @click.argument("round_id")
    @click.option("--by", required=True, help="Your name.")
    @click.option("--reason", required=True, help="The reason. Shown with the release.")
    @answers
    @click.pass_obj
    @wraps(act)
    def command(settings: Settings, **given: Any) -> Answer:
        from dagster_project.archive.guard import writing

        with writing(settings, f"round {act.__name__}", waits):
            told = act(settings, now=clock.now(), **given)
        return Answer({"round": given["round_id"], "done": act.__name__, "said": told}, told)

    return round_.command()(command)


@round_.command()
@click.argument("round_id")
@answers
@click.pass_obj
def show(settings: Settings, round_id: str) -> Answer:
    """Show the state of the round, what it waits for, and what must be done before its release."""
    from dagster_project.archive.commits import current_revision
    from dagster_project.rounds import history, release

    if current_revision(settings, round_id) is None:
        content = history.waiting(settings, round_id)
        text = history.waiting_as_text(content)
    else:
        stand = release.standing(settings, round_id)
        content = history.summary(settings, stand, release.checklist(settings, stand), clock.now().date())
        text = history.as_text(stand, content)
    return Answer(content, text)


@round_.command()
@click.argument("round_id")
@answers
@click.pass_obj
def candidates(settings: Settings, round_id: str) -> Answer:
    """List the candidates of the spread-based selection by county governor, and the folder of the workbooks."""
    from dagster_project.forms.candidates import answered, candidate_list
    from dagster_project.publication.edition import FORMS
    from dagster_project.rounds import release

    stand = release.standing(settings, round_id)
    found = candidate_list(settings, round_id)
    status = {
        r["municipality_code"]: r for r in stand.tables["selection"].to_pylist() if r["selection_group"] == "spread"
    }
    lines = [f"{round_id}, revision {stand.folder.name}: {len(found.rows)} candidates, list {found.code[:12]}"]
    content: dict[str, Any] = {"round": round_id, "revision": stand.folder.name, "list": found.code,
                               "workbooks": str(stand.folder / FORMS), "county_governors": []}  # fmt: skip
    for governor, rows in found.governors.items():
        replied = all(answered(status[r["municipality_code"]]) for r in rows)
        lines.append(f"{governor}: {'has replied' if replied else 'reply MISSING'}")
        told = []
        for r in rows:
            own = status[r["municipality_code"]]
            told.append({
                **{name: r[name] for name in ("municipality_code", "municipality_name", "rank_in_group")},
                "priority": own["governor_priority"], "advice": own.get("governor_advice"),
            })  # fmt: skip
        told.sort(key=lambda c: (c["priority"] or 0, c["rank_in_group"]))
        content["county_governors"].append({"name": governor, "replied": replied, "candidates": told})
        for c in told:
            said = "advised against" if c["advice"] else f"priority {c['priority'] or '-'!s:>2}"
            name = f"{c['municipality_code']} {c['municipality_name']}"
            lines.append(f"  {said:15}  rank {c['rank_in_group']:>2}  {name}")
    lines.append(f"workbooks: {stand.folder / FORMS}")
    return Answer(content, "\n".join(lines))


@_act
@click.option(
    "--override-placeholders", "override", help="Reason why the round may be final although some limits are assumed."
)
def finalise(settings: Settings, round_id: str, override: str | None, **signed: Any) -> str:
    """Release the round and lock it. The first release is 1.0; after a reopening, the next number."""
    from dagster_project.rounds import release

    return f"{round_id} is final: {release.finalise(settings, round_id, override=override, **signed).path}"


@_act
@click.option("--dataset", required=True, help="Dataset of the missing figures.")
@click.option("--year", required=True, help="School year of the missing figures, such as 2024-25.")
@click.option("--indicator", required=True, help="Indicator of the missing figures.")
@click.option("--grade", required=True, type=int, help="Grade of the missing figures.")
def accept_missing(
    settings: Settings, round_id: str, dataset: str, year: str, indicator: str, grade: int, **signed: Any
) -> str:
    """Accept that an input is missing and compute the round without it. All its pages and tables say so."""
    from dagster_project.rounds import inputs

    wanted = (dataset, year, indicator, grade)
    inputs.accept_missing(settings, round_id, wanted, **signed)
    return f"{round_id} may do without {indicator}, grade {grade}, {year}. Run: oppfolging run"


@_act
@click.option("--query", help="Number of the accepted query that this amendment answers.")
@click.option("--note", help="Internal note; not published.")
def amend(settings: Settings, round_id: str, query: str | None, note: str | None, **signed: Any) -> str:
    """Release today's results as the next version (1.1), with a list of changes. Version 1.0 stays readable."""
    from dagster_project.rounds import release

    return f"{round_id} is amended: {release.amend(settings, round_id, query=query, note=note, **signed).path}"


@_act
def withdraw(settings: Settings, round_id: str, **signed: Any) -> str:
    """Mark the release as withdrawn. It is kept; all its tables show the reason."""
    from dagster_project.rounds import release

    return f"{round_id} is withdrawn: {release.withdraw(settings, round_id, **signed).path}"


@_act
def reopen(settings: Settings, round_id: str, **signed: Any) -> str:
    """Unlock a final round, so that runs publish it again. Its releases stay readable."""
    from dagster_project.rounds import release

    release.reopen(settings, round_id, **signed)
    return f"{round_id} is open again"


@_act
def keep(settings: Settings, round_id: str, **signed: Any) -> str:
    """Keep the release despite today's differences, which are recorded as accepted."""
    from dagster_project.rounds import release

    release.keep(settings, round_id, **signed)
    return f"{round_id} stands as released"


@round_.command()
@click.argument("round_id")
@answers
@click.pass_obj
def history(settings: Settings, round_id: str) -> Answer:
    """Show the history: files, states, replies, decisions, queries and releases, with names, dates and reasons."""
    from dagster_project.rounds import history as histories

    events = histories.whole(settings, round_id)
    return Answer(events, histories.whole_as_text(events))


@round_.command()
@click.argument("round_id")
@click.option("--municipality", help="Only this municipality number.  [default: all on a list]")
@click.option("--out", type=click.Path(path_type=Path), help="Folder.  [default: previews/ROUND of the data folder]")
@answers
@click.pass_obj
def preview(settings: Settings, round_id: str, municipality: str | None, out: Path | None) -> Answer:
    """Write confidential previews: a workbook and a page for each municipality, with its own figures only."""
    from dagster_project.rounds.preview import write_previews

    written = write_previews(settings, round_id, municipality, out or settings.home / "previews" / round_id)
    return Answer({"files": [str(path) for path in written]},
                  f"{len(written)} files in {written[0].parent if written else out}")  # fmt: skip


COMMANDS = (round_,)
