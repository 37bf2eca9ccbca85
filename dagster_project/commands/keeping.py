"""Keeping a data folder: back it up, restore it."""

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

    with progress_line().status("backing up"):
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

    with progress_line().status("restoring"):
        made = backups.restore(settings, source).summary()
        left = [state.finding for state in doctor.examine(settings)]
    lines = [
        f"{settings.home}: {made['files']} files of the backup of {made['created_at'][:16].replace('T', ' ')} UTC.",
        *(finding.as_text() for finding in left),
        "Next: oppfolging run. It makes extracts, models and tables again, and publishes only what is new.",
    ]
    return Answer({**made, "problems": [f.as_dict() for f in left]}, "\n".join(lines))


COMMANDS = (backup, restore)
