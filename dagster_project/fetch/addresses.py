"""Which addresses hold the files of a school year. What stands here about the services is in formats.md 1.2 to 1.8."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any
from urllib.parse import urlencode, urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from dagster_project import schema
from dagster_project.rules.loader import read_checked
from dagster_project.settings import Settings

ALL = -10
"""The services' id of "all" in a filter: both sexes together, every ownership together."""
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def _secure(base: str) -> str:
    place = urlsplit(base)
    if place.scheme != "https" and place.hostname not in LOOPBACK:
        raise ValueError("should be an address that begins with https://")
    if place.username or place.password:
        raise ValueError("should be an address without a user or password")
    return base.rstrip("/")


class Service(BaseModel):
    """Where a service answers, and how many seconds lie between two questions."""

    model_config = ConfigDict(extra="forbid")
    base: Annotated[str, AfterValidator(_secure)]
    seconds_between: Annotated[float, Field(ge=0)] = 1.0


class ExportApi(Service):
    tables: dict[int, str]
    grades: dict[int, int]


class ReportApi(Service):
    reports: dict[str, list[str]]
    units_of_table: int = 150
    """The table of the export API whose ``filterVerdier`` lists the units by their internal ids."""


class SchoolRegister(Service):
    per_page: int = 1000


class Services(BaseModel):
    """``services.yaml``."""

    model_config = ConfigDict(extra="forbid")
    export_api: ExportApi
    report_api: ReportApi
    school_register: SchoolRegister
    klass: Service


def load_services(settings: Settings) -> Services:
    """The services of a home, or those that come with the product.

    Raises:
        RuleProblem: with one finding per mistake, each naming file, line and column.
    """
    return read_checked(settings.services, Services, settings)[0]


@dataclass(frozen=True)
class Wanted:
    """One file: its name in the inbox, the address that gives it, and what an answer must hold.

    ``pages``: when the answer comes in pages, how many there are, by the answer of ``counted_at`` or else by the first
    page; the address of page n follows from ``address`` with ``{page}``. ``rows`` gives the rows of a page and of all
    pages together. ``follow`` reads further files out of the answer instead of keeping it.
    """

    dataset: str
    name: str
    address: str
    keys: frozenset[str]
    seconds_between: float
    pages: Callable[[Any], int] | None = None
    counted_at: str | None = None
    rows: Callable[[Any], tuple[int, int]] | None = None
    follow: Callable[[Any], list[Wanted]] | None = None

    def page(self, number: int) -> tuple[str, str]:
        """Name and address of a page, or of the only one."""
        if self.pages is None:
            return self.name, self.address
        stem, _, suffix = self.name.rpartition(".")
        return f"{stem}_side{number}.{suffix}", self.address.format(page=number)


def _survey(services: Services, year: str) -> Iterator[Wanted]:
    """Tables of the export API for grades 7 and 10. Never without a filter: that gives every combination there is."""
    api = services.export_api
    time = f"{schema.start_year(year)}12"  # the autumn of the year, as 202512 for 2025-26
    for table, what in api.tables.items():
        for grade, grade_id in api.grades.items():
            chosen = f"TidID({time})_TrinnID({grade_id})_KjoennID({ALL})_EierformID({ALL})"
            if what == "participation":
                chosen = chosen.replace(f"_KjoennID({ALL})", "")
            asked = urlencode({"filter": chosen, "format": 0}, safe="()_-")
            yield Wanted(
                schema.PUPIL_SURVEY, f"{year}_tabell_{table}_trinn_{grade}.json",
                f"{api.base}/{table}/data?{asked}&sideNummer={{page}}",
                frozenset({"EnhetNivaa", "Skoleaarnavn", "RaderTotalt"}), api.seconds_between,
                lambda answer: int(answer[0]["JSONSider"]),
                f"{api.base}/{table}/sideData?{urlencode({'filter': chosen}, safe='()_-')}",
                lambda page: (len(page), int(page[0]["RaderTotalt"])),
            )  # fmt: skip


def _reports(services: Services, year: str, dataset: str) -> Iterator[Wanted]:
    """Reports of the report API: the page of a report names the address of its figures."""
    api = services.report_api
    # the figures of a year: grade points are filed under the summer in which the year ends
    time = f"{schema.start_year(year) + 1}06" if dataset == schema.GRADE_POINTS else f"{schema.start_year(year)}12"
    for report in api.reports[dataset]:

        def figures(answer: Any, report: str = report) -> list[Wanted]:
            chosen = f"TidID({time})_KjoennID({ALL})_EierformID({ALL})_VisMestringsnivaafordeling(1)"
            asked = urlencode({"filter": chosen, "radSti": "*", "inkluderKoder": "true"}, safe="()_-*")
            address = str(answer["dataEndepunkt"]).removeprefix("rest/v1").lstrip("/")
            return [Wanted(dataset, f"{year}_{report}.json", f"{api.base}/{address}?{asked}",
                           frozenset({"metadata", "rows"}), api.seconds_between)]  # fmt: skip

        yield Wanted(dataset, f"{year}_{report}_side.json", f"{api.base}/Rapportside/{report}",
                     frozenset({"dataEndepunkt"}), api.seconds_between, follow=figures)  # fmt: skip


def _units(services: Services, dataset: str) -> Wanted:
    """The list of units: a pivot may name schools by internal ids, and the list has their organisation numbers."""
    api, table = services.export_api, services.report_api.units_of_table
    return Wanted(dataset, f"filterVerdier_{table}.json", f"{api.base}/{table}/filterVerdier", frozenset({"EnhetID"}),
                  api.seconds_between)  # fmt: skip


def _schools(services: Services, year: str) -> Iterator[Wanted]:
    api = services.school_register
    yield Wanted(
        schema.SCHOOL_REGISTER, "nsr_enheter.json",
        f"{api.base}/enheter?sidenummer={{page}}&antallPerSide={api.per_page}",
        frozenset({"EnhetListe", "AntallSider", "TotaltAntallEnheter"}), api.seconds_between,
        lambda page: int(page["AntallSider"]), None,
        lambda page: (len(page["EnhetListe"]), int(page["TotaltAntallEnheter"])),
    )  # fmt: skip


def _changes(services: Services, year: str) -> Iterator[Wanted]:
    """Changes from the year before the school year began until the year it ends."""
    start = schema.start_year(year)
    yield Wanted(
        schema.MUNICIPALITY_CHANGES, f"klass_131_endringer_{start - 1}_{start + 2}.json",
        f"{services.klass.base}/classifications/131/changes.json?from={start - 1}-12-31&to={start + 2}-01-02",
        frozenset({"codeChanges"}), services.klass.seconds_between,
    )  # fmt: skip


def _versions(services: Services, year: str) -> Iterator[Wanted]:
    """The municipality lists in force when the school year began and until it ends."""
    klass, start = services.klass, schema.start_year(year)

    def lists(answer: Any) -> list[Wanted]:
        by_day = {
            dt.date.fromisoformat(v["validFrom"]).isoformat(): str(v["_links"]["self"]["href"])
            for v in answer["versions"]
        }
        before = [day for day in sorted(by_day) if day <= f"{start}-08-01"][-1:]
        if not before:
            raise ValueError(f"no list is in force on {start}-08-01")
        during = [day for day in sorted(by_day) if f"{start}-08-01" < day <= f"{start + 1}-12-31"]
        return [
            Wanted(
                schema.MUNICIPALITY_VERSIONS, f"klass_131_versjon_{day}.json",
                f"{klass.base}/versions/{urlsplit(by_day[day]).path.rsplit('/', 1)[-1]}.json",
                frozenset({"classificationItems", "validFrom"}), klass.seconds_between,
            )
            for day in [*before, *during]
        ]  # fmt: skip

    yield Wanted(schema.MUNICIPALITY_VERSIONS, "klass_131.json", f"{klass.base}/classifications/131.json",
                 frozenset({"versions"}), klass.seconds_between, follow=lists)  # fmt: skip


MAKERS: dict[str, Callable[[Services, str], Iterator[Wanted]]] = {
    schema.MUNICIPALITY_VERSIONS: _versions,
    schema.MUNICIPALITY_CHANGES: _changes,
    schema.SCHOOL_REGISTER: _schools,
    schema.PUPIL_SURVEY: _survey,
    schema.NATIONAL_TESTS: partial(_reports, dataset=schema.NATIONAL_TESTS),
    schema.GRADE_POINTS: partial(_reports, dataset=schema.GRADE_POINTS),
}
REPORTED = (schema.NATIONAL_TESTS, schema.GRADE_POINTS)
FETCHED = tuple(MAKERS)
"""The datasets that can be fetched, registers first."""


def wanted(services: Services, year: str, datasets: Collection[str]) -> Iterator[Wanted]:
    """The files of a school year such as ``2025-26``, registers first, and the list of units before the pivots."""
    reports = [dataset for dataset in REPORTED if dataset in datasets]
    for dataset in FETCHED:
        if dataset in reports[:1]:
            yield _units(services, dataset)
        if dataset in datasets:
            yield from MAKERS[dataset](services, year)
