"""Keeping a data folder: back it up, restore it, remove what is old."""

from __future__ import annotations

from pathlib import Path

import click

from dagster_project import clock
from dagster_project.commands.answer import Answer, answers, progress_line
from dagster_project.settings import Settings


@click.command()
@click.argument("target", type=click.Path(path_type=Path))
@answers
@click.pass_obj
def backup(settings: Settings, target: Path) -> Answer:
    """Back up everything that no run can make again into the new file TARGET. A run may go on meanwhile.

    The file holds figures that are not public: protect it like the data folder.
    """
    from dagster_project.audit import backup as backups

    with progress_line() as tell:
        tell("backing up")
        made = backups.backup(settings, target, now=clock.now()).summary()
    size = target.stat().st_size
    text = (
        f"{target}: {size / 1e6:.1f} MB\n{made['originals']} originals, {made['ledger_lines']} lines of the ledger, "
        f"{made['revisions']} revisions, {made['inbox']} files of the inbox."
    )
    return Answer({"file": str(target), "size": size, **made}, text)


@click.command()
@click.argument("source", metavar="BACKUP", type=click.Path(path_type=Path))
@answers
@click.pass_obj
def restore(settings: Settings, source: Path) -> Answer:
    """Restore BACKUP into the empty folder that --home names, after every hash was checked.

    Then tells what a run will make again, as `oppfolging doctor` does.
    """
    from dagster_project.audit import backup as backups
    from dagster_project.audit import doctor

    with progress_line() as tell:
        tell("restoring")
        made = backups.restore(settings, source).summary()
        left = [state.finding for state in doctor.examine(settings)]
    lines = [
        f"{settings.home}: {made['files']} files of the backup of {made['created_at'][:16].replace('T', ' ')} UTC.",
        *(finding.as_text() for finding in left),
        "Next: oppfolging run. It makes extracts, models and tables again, and publishes only what is new.",
    ]
    return Answer({**made, "problems": [f.as_dict() for f in left]}, "\n".join(lines))


@click.command()
@click.option("--do-it", is_flag=True, help="Remove it.  [default: only tell what would be removed]")
@click.option("--by", default="", help="Who removes it, for the record. Needed with --do-it.")
@answers
@click.pass_obj
def prune(settings: Settings, do_it: bool, by: str) -> Answer:
    """Tell what is old enough to be removed, by the ages of `retention.yaml`; with --do-it, remove it.

    That is: revisions that were superseded and never released, quarantine of files that wait for nobody, validation
    results, lineage, alerts that are solved, and runs of the Dagster UI. Never originals, ledger, releases, or what is
    in force.
    """
    from dagster_project.archive.guard import refuse_lost_ledger, writing
    from dagster_project.audit import retention
    from dagster_project.commands.rounds import waits
    from dagster_project.orchestration.retention import delete_runs, history, old_runs

    if do_it and not by.strip():
        raise click.UsageError("--do-it needs --by NAME")
    now, ages = clock.now(), retention.load_retention(settings)
    refuse_lost_ledger(settings)
    found = retention.old(settings, now)
    size, revisions = sum(o.bytes for o in found), [o for o in found if o.commit is not None]
    with history(settings) as dagster:
        runs = old_runs(dagster, ages.before(retention.DAGSTER_RUNS, now)) if dagster is not None else []
        if do_it:
            with writing(settings, "prune", waits):
                counts = retention.prune(settings, by=by, now=now)
                if dagster is not None:
                    delete_runs(dagster, runs)
                retention.note(settings, {retention.DAGSTER_RUNS: len(runs)}, by=by, now=now)
        else:
            counts = retention.count(settings, found, now)
    counts[retention.DAGSTER_RUNS] = len(runs)
    names = [f"{o.path.parent.name} {o.path.name}" for o in revisions]
    lines = [
        f"{kind.replace('_', ' '):22}{n:7}  older than {getattr(ages, kind).value} days" for kind, n in counts.items()
    ]
    lines += [f"revisions: {', '.join(names)}"] if names else []
    done = "Removed" if do_it else "Nothing was removed. --do-it --by NAME removes"
    lines.append(f"{done}: {sum(counts.values())} records, {size / 1e6:.1f} MB of files.")
    content = {"removed": do_it, "counts": counts, "bytes": size, "revisions": names}
    return Answer(content, "\n".join(lines))


COMMANDS = (backup, restore, prune)
