"""What the OpenLineage specification demands of the events we send, as JSON Schema.

Core specification 2-0-2 and, facet by facet, the versions below. They are transcribed, not copied: descriptions, and
fields we never send, are left out. Read as published (repository OpenLineage/OpenLineage, ``website/static/spec``) were
ParentRunFacet 1-2-0, JobTypeJobFacet 2-0-4, SourceCodeLocationJobFacet 1-1-0 and DataQualityAssertionsDatasetFacet
1-1-0; the core 2-0-2 in a copy (valensim/OpenLineageJSClient), against the published 2-0-0. Of the other facets an
earlier version was read, and what came later is taken from the classes of the client (openlineage-python 1.54.0), which
are generated from the specification and carry its version. ``test_lineage.py`` holds every facet against those classes.

A number may stand for two texts: the assertions 1-1-0 that were read have no ``name`` and ``description`` (the published
1-2-0 has), and the client writes both as 1-1-0. Every text leaves its objects open, so each accepts ours.

Stricter than the specification in one thing: it leaves objects open, here a field that it does not name is a mistake.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry
from referencing.jsonschema import DRAFT202012

CORE = "https://openlineage.io/spec/2-0-2/OpenLineage.json"
RUN_EVENT = f"{CORE}#/$defs/RunEvent"

TEXT = {"type": "string"}
URI = {"type": "string", "format": "uri"}
UUID = {"type": "string", "format": "uuid"}
WHOLE = {"type": "integer"}
YES_OR_NO = {"type": "boolean"}

# none of the packages that jsonschema would check these two with is installed, and without them it checks nothing
FORMATS = FormatChecker(formats=["uuid"])


@FORMATS.checks("date-time", raises=ValueError)
def is_date_time(value: object) -> bool:
    """RFC 3339: date, time and offset."""
    stamp = re.fullmatch(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", str(value))
    return not isinstance(value, str) or (stamp is not None and bool(datetime.fromisoformat(value.upper())))


@FORMATS.checks("uri")
def is_uri(value: object) -> bool:
    """RFC 3986: a scheme, and no sign that would have to be escaped."""
    part = r"(?:[A-Za-z0-9._~:/?@!$&'()*+,;=\[\]-]|%[0-9A-Fa-f]{2})*"
    return not isinstance(value, str) or re.fullmatch(rf"[A-Za-z][A-Za-z0-9+.-]*:{part}(?:#{part})?", value) is not None


def of_core(name: str) -> dict[str, Any]:
    return {"$ref": f"{CORE}#/$defs/{name}"}


def several(item: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": item}


def by_name(item: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": item}


def thing(required: str, /, *bases: str, closed: bool = True, **properties: Any) -> dict[str, Any]:
    """An object with its required and its other fields; ``bases`` are parts of the core it has the fields of too."""
    rules: dict[str, Any] = {"type": "object", "required": required.split(), "properties": properties}
    if bases:
        rules["allOf"] = [of_core(base) for base in bases]
    return rules | ({"unevaluatedProperties": False} if closed else {})


_JOB = thing("namespace name", namespace=TEXT, name=TEXT, facets=by_name(of_core("JobFacet")))
_RUN = thing("runId", runId=UUID, facets=by_name(of_core("RunFacet")))
_INPUTS_AND_OUTPUTS = {"inputs": several(of_core("InputDataset")), "outputs": several(of_core("OutputDataset"))}
_STATES = {"type": "string", "enum": ["START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER"]}
_DELETED = {"_deleted": YES_OR_NO}

CORE_SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "$id": CORE,
    "oneOf": [of_core("RunEvent"), of_core("DatasetEvent"), of_core("JobEvent")],
    "$defs": {
        "BaseEvent": thing(
            "eventTime producer schemaURL", closed=False,
            eventTime={"type": "string", "format": "date-time"}, producer=URI, schemaURL=URI,
        ),
        "RunEvent": thing("run job", "BaseEvent", eventType=_STATES, run=of_core("Run"), job=of_core("Job"),
                          **_INPUTS_AND_OUTPUTS),
        "DatasetEvent": thing("dataset", "BaseEvent", dataset=of_core("StaticDataset"))
        | {"not": {"required": ["job", "run"]}},
        "JobEvent": thing("job", "BaseEvent", job=of_core("Job"), **_INPUTS_AND_OUTPUTS)
        | {"not": {"required": ["run"]}},
        "Run": _RUN,
        "Job": _JOB,
        "Dataset": thing("namespace name", closed=False, namespace=TEXT, name=TEXT,
                         facets=by_name(of_core("DatasetFacet"))),
        "StaticDataset": thing("", "Dataset"),
        "InputDataset": thing("", "Dataset", inputFacets=by_name(of_core("InputDatasetFacet"))),
        "OutputDataset": thing("", "Dataset", outputFacets=by_name(of_core("OutputDatasetFacet"))),
        "BaseFacet": thing("_producer _schemaURL", closed=False, _producer=URI, _schemaURL=URI),
        "RunFacet": thing("", "BaseFacet", closed=False),
        "JobFacet": thing("", "BaseFacet", closed=False, **_DELETED),
        "DatasetFacet": thing("", "BaseFacet", closed=False, **_DELETED),
        "InputDatasetFacet": thing("", "BaseFacet", closed=False),
        "OutputDatasetFacet": thing("", "BaseFacet", closed=False),
    },
}  # fmt: skip


@dataclass(frozen=True)
class Facet:
    """A facet: its definition and version, the field it stands under, the kind of facet it is, and its own fields."""

    name: str
    version: str
    field: str
    base: str
    required: str
    properties: dict[str, Any]

    @property
    def document(self) -> str:
        return f"https://openlineage.io/spec/facets/{self.version}/{self.name}.json"

    @property
    def url(self) -> str:
        """What ``_schemaURL`` has to say."""
        return f"{self.document}#/$defs/{self.name}"

    @property
    def schema(self) -> dict[str, Any]:
        return {"$id": self.document, "$defs": {self.name: thing(self.required, self.base, **self.properties)}}


_CHANGE = thing("type", type=TEXT, subtype=TEXT, description=TEXT, masking=YES_OR_NO)
_ORIGIN = thing("namespace name field", namespace=TEXT, name=TEXT, field=TEXT, transformations=several(_CHANGE))
_PART = thing("name", name=TEXT)
_COLUMN = thing("name", name=TEXT, type=TEXT, description=TEXT, ordinal_position=WHOLE, fields=several(_PART))
_ASSERTION = thing(
    "assertion success", assertion=TEXT, success=YES_OR_NO, column=TEXT, severity=TEXT, name=TEXT, description=TEXT,
    params={"type": "object"},
)  # fmt: skip

FACETS = [
    Facet("ProcessingEngineRunFacet", "1-1-1", "processing_engine", "RunFacet", "version",
          {"version": TEXT, "name": TEXT, "openlineageAdapterVersion": TEXT}),
    Facet("ParentRunFacet", "1-2-0", "parent", "RunFacet", "run job", {"run": _RUN, "job": _JOB}),
    Facet("ErrorMessageRunFacet", "1-0-1", "errorMessage", "RunFacet", "message programmingLanguage",
          {"message": TEXT, "programmingLanguage": TEXT, "stackTrace": TEXT}),
    Facet("DocumentationJobFacet", "1-1-0", "documentation", "JobFacet", "description",
          {"description": TEXT, "contentType": TEXT}),
    Facet("JobTypeJobFacet", "2-0-4", "jobType", "JobFacet", "processingType integration",
          {"processingType": TEXT, "integration": TEXT, "jobType": TEXT}),
    Facet("SourceCodeLocationJobFacet", "1-1-0", "sourceCodeLocation", "JobFacet", "type url",
          {"type": TEXT, "url": URI, "repoUrl": TEXT, "path": TEXT, "version": TEXT, "tag": TEXT, "branch": TEXT}),
    Facet("DocumentationDatasetFacet", "1-1-0", "documentation", "DatasetFacet", "description",
          {"description": TEXT, "contentType": TEXT}),
    Facet("DatasetVersionDatasetFacet", "1-0-1", "version", "DatasetFacet", "datasetVersion",
          {"datasetVersion": TEXT}),
    Facet("SchemaDatasetFacet", "1-2-0", "schema", "DatasetFacet", "", {"fields": several(_COLUMN)}),
    Facet("ColumnLineageDatasetFacet", "1-2-0", "columnLineage", "DatasetFacet", "fields",
          {"fields": by_name(thing("inputFields", inputFields=several(_ORIGIN))), "dataset": several(_ORIGIN)}),
    Facet("DataQualityAssertionsDatasetFacet", "1-1-0", "dataQualityAssertions", "InputDatasetFacet", "assertions",
          {"assertions": several(_ASSERTION)}),
    Facet("OutputStatisticsOutputDatasetFacet", "1-0-2", "outputStatistics", "OutputDatasetFacet", "",
          {"rowCount": WHOLE, "size": WHOLE, "fileCount": WHOLE}),
]  # fmt: skip
BY_PLACE = {(facet.base, facet.field): facet for facet in FACETS}
REGISTRY: Registry[Any] = Registry().with_resources(
    (schema["$id"], DRAFT202012.create_resource(schema))
    for schema in [CORE_SCHEMA, *(facet.schema for facet in FACETS)]
)


def _problems(value: Any, url: str, place: str) -> Iterator[str]:
    validator = Draft202012Validator({"$ref": url}, registry=REGISTRY, format_checker=FORMATS)
    for error in validator.iter_errors(value):
        yield f"{place}{error.json_path[1:]}: {error.message}"


def facets_of(event: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every facet of a run event: (kind, field, facet)."""
    holders = [("RunFacet", event["run"], "facets"), ("JobFacet", event["job"], "facets")]
    for side, kind in (("inputs", "InputDatasetFacet"), ("outputs", "OutputDatasetFacet")):
        for dataset in event.get(side, []):
            holders += [("DatasetFacet", dataset, "facets"), (kind, dataset, f"{side[:-1]}Facets")]
    for kind, holder, field in holders:
        for name, facet in holder.get(field, {}).items():
            yield kind, name, facet


def problems(event: dict[str, Any]) -> list[str]:
    """What is wrong with a run event: as an event, and each facet by the schema it has to name."""
    found = [*_problems(event, RUN_EVENT, "event"), *_problems(event, CORE, "event")]
    if found:
        return found
    if event["schemaURL"] != RUN_EVENT:
        found.append(f"event.schemaURL: {event['schemaURL']}")
    for kind, name, facet in facets_of(event):
        known = BY_PLACE.get((kind, name))
        if known is None:
            found.append(f"{kind} {name}: not in the specification")
        elif facet["_schemaURL"] != known.url:
            found.append(f"{name}: names {facet['_schemaURL']}, not {known.url}")
        else:
            found += _problems(facet, known.url, name)
    return found
