"""What assets are given: the home they work in."""

from __future__ import annotations

import dagster as dg

from dagster_project.orchestration.processes import tags_of_this_process
from dagster_project.settings import Settings, load_settings


class Home(dg.ConfigurableResource):
    """The data folder. Empty means: what ``OPPFOLGING_HOME`` says, else the repository's ``data/``."""

    path: str = ""

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        """Note on the run which process it lives in, however it was launched.

        Every job runs its steps in the process that sets up its resources (``definitions.py``), so that is the one.
        """
        if context.run is not None and context.instance is not None:
            context.instance.add_run_tags(context.run.run_id, tags_of_this_process(context.run.run_id))

    def settings(self) -> Settings:
        return load_settings(self.path or None)
