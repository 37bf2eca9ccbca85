"""Hold tables to suites with Great Expectations: validation definitions, checkpoints, kept results and Data Docs.

The results of every validation lie in ``<home>/validations`` as Great Expectations writes and reads them; Data Docs are
drawn from them. Suites, validation definitions and checkpoints follow from ``expectations/`` and live in memory.

Great Expectations takes seconds to import, so it is imported only when something is validated. Its telemetry is off.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dagster_project.diagnostics import Finding, RuleProblem, Severity
from dagster_project.validation.suites import Expectation, load_suite

if TYPE_CHECKING:
    import pandas as pd

RESULTS, PAGES = "validations", "data_docs"
NO_NAME = re.compile(r"[^\w.-]+")
LONGEST_NAME = 80


class Project:
    """A Great Expectations context whose results are kept in a home; with None they are not kept."""

    def __init__(self, home: Path | None) -> None:
        os.environ["GX_ANALYTICS_ENABLED"] = "false"
        import great_expectations as gx
        from great_expectations.data_context.types.base import (
            DataContextConfig,
            InMemoryStoreBackendDefaults,
            ProgressBarsConfig,
        )

        import dagster_project.validation.expectations  # noqa: F401  (registers our own)

        memory = InMemoryStoreBackendDefaults(init_temp_docs_sites=False)
        stores: dict[str, Any] = dict(memory.stores)
        sites: dict[str, Any] = {}
        if home is not None:
            stores["validation_results_store"] = {
                "class_name": "ValidationResultsStore", "store_backend": _folder(home / RESULTS)
            }  # fmt: skip
            sites["data_docs"] = {
                "class_name": "SiteBuilder",
                "show_how_to_buttons": False,
                "store_backend": _folder(home / PAGES),
                "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
            }
        self.context: Any = gx.get_context(
            mode="ephemeral",
            project_config=DataContextConfig(
                store_backend_defaults=memory, stores=stores, data_docs_sites=sites,
                analytics_enabled=False, progress_bars=ProgressBarsConfig(globally=False),
            ),
        )  # fmt: skip
        self.source = self.context.data_sources.add_pandas("files")
        self._made: dict[str, tuple[Any, Any]] = {}

    def checkpoint(self, name: str, entries: Sequence[Expectation], place: Sequence[str]) -> Any:
        """The checkpoint of a suite with its validation definition; the columns ``place`` name failing rows."""
        import great_expectations as gx

        made_of, checkpoint = self._made.get(name, (None, None))
        if made_of == (entries, place):
            return checkpoint
        context = self.context
        expectations = [{**e.configuration(), "meta": {**e.meta, "position": i}} for i, e in enumerate(entries)]
        suite = context.suites.add_or_update(gx.ExpectationSuite(name=name, expectations=expectations))
        if name in {a.name for a in self.source.assets}:
            self.source.delete_asset(name)
        batch = self.source.add_dataframe_asset(name).add_batch_definition_whole_dataframe("whole")
        definition = context.validation_definitions.add_or_update(
            gx.ValidationDefinition(name=name, data=batch, suite=suite)
        )
        wanted: Any = {"result_format": "COMPLETE", "unexpected_index_column_names": list(place)}
        checkpoint = context.checkpoints.add_or_update(
            gx.Checkpoint(name=name, validation_definitions=[definition], result_format=wanted)
        )
        self._made[name] = ((entries, place), checkpoint)
        return checkpoint

    def add_suites(self, folder: Path) -> None:
        """Every suite with its validation definition and checkpoint, for who wants to look at them or run them."""
        for dataset in sorted(path.stem for path in folder.glob("*.json")):
            entries = load_suite(folder, dataset)
            for batch in dict.fromkeys(e.batch for e in entries):
                if (name := f"{dataset}_{batch}") not in self._made:
                    self.checkpoint(name, [e for e in entries if e.batch == batch], ("source_row", "source_column"))

    def build_data_docs(self) -> Path:
        """Draw every kept result as pages; returns the first one."""
        (url,) = self.context.build_data_docs().values()
        return Path(url.removeprefix("file://"))


def _folder(path: Path) -> dict[str, str]:
    return {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(path)}


def data_docs(home: Path, expectations: Path) -> tuple[Path, list[Path]]:
    """Draw Data Docs of the suites and of every validation kept in a home.

    Returns the page to begin with, and the results that were removed first because they are none: a killed process
    leaves half of one, and Great Expectations would refuse them all.
    """
    removed = []
    # a folder may be named after a file whose name ends like this
    for path in sorted(p for p in (home / RESULTS).rglob("*.json") if p.is_file()):
        try:
            whole = "suite_name" in json.loads(path.read_bytes())
        except ValueError:
            whole = False
        if not whole:
            path.unlink()
            removed.append(path)
    opened = project(home)
    opened.add_suites(expectations)
    return opened.build_data_docs(), removed


@cache
def project(home: Path | None) -> Project:
    """The project of a home, opened once per process."""
    return Project(home)


def warm() -> None:
    """Import Great Expectations ahead of need. For a thread that has time while another waits."""
    project(None)


def run(
    home: Path | None,
    name: str,
    entries: Sequence[Expectation],
    frame: pd.DataFrame,
    place: Sequence[str],
    parameters: Mapping[str, Any],
    file: str,
) -> list[tuple[Expectation, Any]]:
    """Hold every row of ``frame`` to the suite ``name``: each expectation with what Great Expectations says of it.

    ``parameters`` are the values of the suite's ``$PARAMETER`` s; ``file`` names the run among the kept results.

    Raises:
        RuleProblem: an expectation cannot be evaluated at all (a mistake in the suite, not in the data).
    """
    import great_expectations as gx

    checkpoint = project(home).checkpoint(name, entries, place)
    answer = checkpoint.run(
        batch_parameters={"dataframe": frame},
        expectation_parameters=dict(parameters),
        run_id=gx.RunIdentifier(run_name=NO_NAME.sub("_", file)[:LONGEST_NAME]),
    )
    found = []
    (result,) = answer.run_results.values()
    for outcome in result.results:
        entry = entries[outcome.expectation_config.meta["position"]]
        info = outcome.exception_info or {}
        raised = [v for v in info.values() if isinstance(v, dict) and v.get("raised_exception")]
        if raised or info.get("raised_exception") is True:
            said = next((v["exception_message"] for v in raised), info.get("exception_message"))
            raise RuleProblem(
                f"An expectation of {name} cannot be evaluated.",
                [Finding("suite-mistake", Severity.FAIL, f"{entry.code} asks what {entry.batch} cannot answer",
                         stage="values", file=f"expectations ({name})", column=", ".join(entry.columns),
                         found=str(said).splitlines()[0][:200], expected=f"columns among {', '.join(frame.columns)}",
                         fix="Correct the suite. The file waits, and is validated again then.")],
            )  # fmt: skip
        found.append((entry, outcome))
    return found
