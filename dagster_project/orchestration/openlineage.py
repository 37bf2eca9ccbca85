"""What a run did, as OpenLineage events: for Marquez, DataHub and whatever else reads that standard.

Each asset of a run is a job run of its own with a START and a COMPLETE or FAIL event, below one job run for the whole.
Its inputs and outputs are datasets named after the assets, with columns, descriptions and column lineage; the original
files are the inputs of the inbox, with their hashes as versions. Checks are a job of their own (``<asset>.checks``)
that reads the asset, because the standard keeps assertions with what a job reads.

Events go to a file of the home; `oppfolging run` delivers its own, sensors those of all other runs. Only when a server
is configured are they sent there too, and to no other place: the client's own configuration by environment and files is
not read. Names are relative: no path or host of this machine.
"""

from __future__ import annotations

import datetime as dt
import logging
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from dagster_project.diagnostics import Finding, Severity
from dagster_project.settings import Settings

if TYPE_CHECKING:
    from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, RunEvent
    from openlineage.client.transport.transport import Transport

NAMESPACE = "oppfolging"
PRODUCER = "urn:oppfolging:run"
TIMEOUT = 5.0

End = Literal["COMPLETE", "FAIL", "ABORT"]


@dataclass(frozen=True)
class Column:
    """A column of an asset. ``origins`` are (asset, column) it is made of."""

    name: str
    type: str
    description: str
    origins: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class CheckOutcome:
    """One check that was run on an asset."""

    name: str
    passed: bool
    severity: str
    description: str = ""


@dataclass(frozen=True)
class AssetOutcome:
    """What a run did with one asset. ``error`` is None when it succeeded; ``rows`` None when nobody counted."""

    name: str
    description: str
    source: str
    started: dt.datetime
    ended: dt.datetime
    error: str | None = None
    parents: tuple[str, ...] = ()
    columns: tuple[Column, ...] = ()
    checks: tuple[CheckOutcome, ...] = ()
    rows: int | None = None


@dataclass(frozen=True)
class RunRecord:
    """A whole run. ``files`` maps the original files it took in to their SHA-256; ``inbox`` is the asset that did."""

    run_id: str
    job: str
    started: dt.datetime
    ended: dt.datetime
    end: End
    code_version: str
    assets: tuple[AssetOutcome, ...]
    inbox: str
    files: Mapping[str, str] = field(default_factory=dict)


def events(record: RunRecord) -> list[RunEvent]:
    """The events of a run in order: the run begins, each asset begins and ends, its checks do, the run ends."""
    from openlineage.client.event_v2 import RunState

    make = partial(_event, record)
    whole = _job(record, record.job, "The whole run.", "dagster_project/jobs.py", "JOB")
    result = [make(RunState.START, record.started, record.run_id, whole)]
    for asset in record.assets:
        run_id = _child(record, asset.name)
        job = _job(record, asset.name, asset.description, asset.source, "ASSET")
        inputs = [_read(parent) for parent in asset.parents]
        if asset.name == record.inbox:
            inputs += [_file(name, sha256) for name, sha256 in record.files.items()]
        end = RunState.COMPLETE if asset.error is None else RunState.FAIL
        result.append(make(RunState.START, asset.started, run_id, job, inputs, [_written(asset)]))
        result.append(make(end, asset.ended, run_id, job, inputs, [_described(asset)], error=asset.error))
        if asset.checks:
            name = f"{asset.name}.checks"
            job = _job(record, name, f"The checks of {asset.name}.", asset.source, "TEST")
            read = [_checked(asset)]
            result.append(make(RunState.START, asset.ended, _child(record, name), job, read))
            result.append(make(RunState.COMPLETE, asset.ended, _child(record, name), job, read))
    return [*result, make(RunState(record.end), record.ended, record.run_id, whole)]


def file_of(settings: Settings, run_id: str) -> Path:
    """Where the events of a run are. The file is there as soon as somebody has begun to deliver them."""
    return settings.lineage / f"{run_id}.jsonl"


def deliver(settings: Settings, record: RunRecord) -> list[Finding]:
    """Write the events of a run to its file, and send them to the server that is configured, if any; but only once.

    A run never fails for its lineage: what could not be delivered is a warning. Of two that deliver the same run, the
    one that makes the file does it all, and the other nothing.
    """
    from openlineage.client.serde import Serde

    made = events(record)
    path = file_of(settings, record.run_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    # one write of all events; the client's file transport opens the file anew for each
    text = "".join(Serde.to_json(event) + "\n" for event in made)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        return []
    if settings.openlineage_url is None:
        return []
    try:
        transport = _server(settings.openlineage_url)
        for event in made:
            transport.emit(event)
    except Exception as error:  # whatever an HTTP client may raise: the run is done, and this is only a copy
        logging.getLogger(__name__).debug("lineage was not sent", exc_info=True)
        return [
            Finding(
                "lineage-not-sent", Severity.WARN, "the lineage server did not take the events", stage="lineage",
                file=f"lineage/{path.name}", found=str(error).splitlines()[0] if str(error) else repr(error),
                expected="a server that answers at OPPFOLGING_OPENLINEAGE_URL",
                fix="Send the file when it is up again.",
            )
        ]  # fmt: skip
    return []


def _server(url: str) -> Transport:
    from openlineage.client.transport.http import HttpConfig, HttpTransport

    return HttpTransport(HttpConfig.from_dict({"url": url, "timeout": TIMEOUT, "retry": {"total": 0}}))


def _child(record: RunRecord, name: str) -> str:
    return str(uuid.uuid5(uuid.UUID(record.run_id), name))


def _event(
    record: RunRecord, state: Any, time: dt.datetime, run_id: str, job: Job,
    inputs: Iterable[InputDataset] = (), outputs: Iterable[OutputDataset] = (), *, error: str | None = None,
) -> RunEvent:  # fmt: skip
    from openlineage.client.event_v2 import Run, RunEvent
    from openlineage.client.facet_v2 import error_message_run, parent_run, processing_engine_run

    facets: dict[str, Any] = {
        "processing_engine": processing_engine_run.ProcessingEngineRunFacet(
            version=version("dagster"), name="Dagster", producer=PRODUCER
        )
    }
    if run_id != record.run_id:
        facets["parent"] = parent_run.ParentRunFacet(
            run=parent_run.Run(record.run_id), job=parent_run.Job(NAMESPACE, record.job), producer=PRODUCER
        )
    if error is not None:
        facets["errorMessage"] = error_message_run.ErrorMessageRunFacet(error, "SQL, Python", producer=PRODUCER)
    return RunEvent(
        eventTime=time.isoformat(), producer=PRODUCER, run=Run(run_id, facets), job=job, eventType=state,
        inputs=list(inputs), outputs=list(outputs),
    )  # fmt: skip


def _job(record: RunRecord, name: str, description: str, source: str, kind: str) -> Job:
    from openlineage.client.event_v2 import Job
    from openlineage.client.facet_v2 import documentation_job, job_type_job, source_code_location_job

    return Job(
        NAMESPACE,
        name,
        {
            "documentation": documentation_job.DocumentationJobFacet(description, producer=PRODUCER),
            "jobType": job_type_job.JobTypeJobFacet(
                "BATCH", "DBT" if source.endswith(".sql") else "DAGSTER", kind, producer=PRODUCER
            ),
            "sourceCodeLocation": source_code_location_job.SourceCodeLocationJobFacet(
                type="git", url=f"file:{source}", path=source, version=record.code_version, producer=PRODUCER
            ),
        },
    )


def _read(name: str) -> InputDataset:
    """A dataset by name; the event of the asset that wrote it describes it."""
    from openlineage.client.event_v2 import InputDataset

    return InputDataset(NAMESPACE, name)


def _written(asset: AssetOutcome) -> OutputDataset:
    from openlineage.client.event_v2 import OutputDataset

    return OutputDataset(NAMESPACE, asset.name)


def _file(name: str, sha256: str) -> InputDataset:
    from openlineage.client.event_v2 import InputDataset
    from openlineage.client.facet_v2 import dataset_version_dataset

    facet = dataset_version_dataset.DatasetVersionDatasetFacet(sha256, producer=PRODUCER)
    return InputDataset(NAMESPACE, f"archive/{name}", facets={"version": facet})


def _checked(asset: AssetOutcome) -> InputDataset:
    from openlineage.client.event_v2 import InputDataset
    from openlineage.client.facet_v2 import data_quality_assertions_dataset as quality

    assertions = [
        quality.Assertion(
            assertion=check.name, success=check.passed, severity=check.severity.lower(), name=check.name,
            description=check.description or None,
        )
        for check in asset.checks
    ]  # fmt: skip
    facet = quality.DataQualityAssertionsDatasetFacet(assertions=assertions, producer=PRODUCER)
    return InputDataset(NAMESPACE, asset.name, inputFacets={"dataQualityAssertions": facet})


def _described(asset: AssetOutcome) -> OutputDataset:
    """The dataset an asset wrote, with columns, column lineage, description and number of rows."""
    from openlineage.client.event_v2 import OutputDataset
    from openlineage.client.facet_v2 import (
        column_lineage_dataset,
        documentation_dataset,
        output_statistics_output_dataset,
        schema_dataset,
    )

    facets: dict[str, Any] = {
        "documentation": documentation_dataset.DocumentationDatasetFacet(asset.description, producer=PRODUCER)
    }
    if asset.columns:
        facets["schema"] = schema_dataset.SchemaDatasetFacet(
            fields=[
                schema_dataset.SchemaDatasetFacetFields(c.name, c.type, c.description or None, position)
                for position, c in enumerate(asset.columns, start=1)
            ],
            producer=PRODUCER,
        )
    made_of = dict(_column_lineage(asset))
    if made_of:
        facets["columnLineage"] = column_lineage_dataset.ColumnLineageDatasetFacet(fields=made_of, producer=PRODUCER)
    counted: dict[str, Any] = {}
    if asset.rows is not None:
        counted["outputStatistics"] = output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(
            rowCount=asset.rows, producer=PRODUCER
        )
    return OutputDataset(NAMESPACE, asset.name, facets=facets, outputFacets=counted)


def _column_lineage(asset: AssetOutcome) -> Iterator[tuple[str, Any]]:
    from openlineage.client.facet_v2 import column_lineage_dataset as column_lineage

    for column in asset.columns:
        if column.origins:
            origins = [column_lineage.InputField(NAMESPACE, name, origin) for name, origin in column.origins]
            yield column.name, column_lineage.Fields(inputFields=origins)
