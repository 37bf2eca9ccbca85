"""Fetching a year: what is asked, what comes into the inbox, and what happens when a service answers badly."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from dagster_project import schema
from dagster_project.archive import Archive
from dagster_project.diagnostics import FetchProblem, RuleProblem
from dagster_project.fetch import client as clients
from dagster_project.fetch.addresses import FETCHED, load_services, wanted
from dagster_project.fetch.client import Client
from dagster_project.fetch.deliver import FOLDER, ODD, fetch
from dagster_project.intake import flow
from dagster_project.settings import REPOSITORY, Settings
from tests.conftest import NOW, oppfolging
from tests.fetch.server import UNITS, Services, running

YEAR = "2025-26"


@pytest.fixture
def services(settings: Settings) -> Iterator[Services]:
    """A local server in place of every service; the home's ``services.yaml`` names it."""
    with running() as (address, known):
        content = yaml.safe_load((REPOSITORY / "data" / "services.yaml").read_text(encoding="utf-8"))
        for name, service in content.items():
            service |= {"base": f"{address}/{name}", "seconds_between": 0}
        settings.home.mkdir(parents=True, exist_ok=True)
        (settings.home / "services.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
        yield known


def get(settings: Settings, *datasets: str) -> tuple[list[str], list[str], list[float]]:
    """Names that came into the inbox, what was told, and the pauses."""
    told: list[str] = []
    pauses: list[float] = []
    files = wanted(load_services(settings), YEAR, datasets)
    came = fetch(settings, files, Client(pause=pauses.append, tell=told.append), told.append)
    assert all(path.parent == settings.inbox for path in came)
    return [path.name for path in came], told, [p for p in pauses if p]


def test_a_year_comes_into_the_inbox_as_the_services_answered(settings: Settings, services: Services) -> None:
    names, told, _ = get(settings, *FETCHED)
    survey = [f"2025-26_tabell_{t}_trinn_{g}_side{p}.json" for t in (148, 150, 151) for g in (7, 10) for p in (1, 2, 3)]
    assert names == [
        "klass_131_versjon_2024-01-01.json", "klass_131_versjon_2026-01-01.json", "klass_131_endringer_2024_2027.json",
        "nsr_enheter_side1.json", "nsr_enheter_side2.json", "nsr_enheter_side3.json", *survey,
        "filterVerdier_150.json", "2025-26_GSK_NP_Geo_Trinn5.json", "2025-26_GSK_NP_Geografisk.json", "2025-26_GSK_GSPoeng.json",
    ]  # fmt: skip
    rows = [row for name in survey[:3] for row in json.loads((settings.inbox / name).read_bytes())]
    assert len(rows) == UNITS and not list((settings.home / FOLDER).iterdir())
    assert any(line.startswith("2025-26_tabell_148_trinn_7_side2.json: 2 of 3") for line in told)


def test_the_pupil_survey_is_never_asked_without_a_filter(settings: Settings, services: Services) -> None:
    get(settings, schema.PUPIL_SURVEY)
    assert len(services.asked) == 6 * 4
    assert all(
        "filter=TidID(202512)_TrinnID(" in address and "_EierformID(-10)" in address for address in services.asked
    )
    assert all("," not in address for address in services.asked)


def test_no_name_and_no_password_is_sent(
    settings: Settings, services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (netrc := tmp_path / "netrc").write_text("machine 127.0.0.1 login kari password hemmelig\n")
    monkeypatch.setenv("NETRC", str(netrc))
    get(settings, schema.MUNICIPALITY_CHANGES)
    assert services.headers and all("Authorization" not in sent and "Cookie" not in sent for sent in services.headers)


@pytest.mark.parametrize(("fault", "pause"), [("429", 7), ("500", 7), ("503", 7), ("cut", clients.FIRST_PAUSE)])
def test_what_another_try_may_mend_is_tried_again(
    settings: Settings, services: Services, fault: str, pause: float
) -> None:
    services.faults["changes.json"] = [fault, fault]
    names, told, pauses = get(settings, schema.MUNICIPALITY_CHANGES)
    assert names == ["klass_131_endringer_2024_2027.json"] and len(services.asked) == 3
    assert pauses == ([pause, pause] if fault.isdigit() else [pause, 2 * pause]) and len(told) == 3


def test_a_service_that_never_answers_is_given_up_and_what_came_is_kept(settings: Settings, services: Services) -> None:
    services.faults["sideNummer=2"] = ["500"] * clients.TRIES
    with pytest.raises(FetchProblem) as caught:
        get(settings, schema.PUPIL_SURVEY)
    (finding,) = caught.value.findings
    assert finding.code == "no-answer" and finding.found == "status 500"
    asked = len(services.asked)
    assert [p.name for p in (settings.home / FOLDER).iterdir()] == ["2025-26_tabell_148_trinn_7_side1.json"]
    assert not settings.inbox.exists()
    names, told, _ = get(settings, schema.PUPIL_SURVEY)
    assert "2025-26_tabell_148_trinn_7_side1.json: came before" in told and len(names) == 18
    assert not any("148/data" in a and "sideNummer=1" in a and "TrinnID(6)" in a for a in services.asked[asked:])


@pytest.mark.parametrize("fault", ["404", "401"])
def test_a_refusal_is_told_at_once(settings: Settings, services: Services, fault: str) -> None:
    services.faults["changes.json"] = [fault]
    with pytest.raises(FetchProblem) as caught:
        get(settings, schema.MUNICIPALITY_CHANGES)
    assert caught.value.findings[0].code == "refused" and len(services.asked) == 1


@pytest.mark.parametrize(
    ("fault", "found", "missing"),
    [("html", "<html>", "EnhetNivaa"), ("changed", "Enhetsnivaa", "EnhetNivaa"), ("empty", "[]", "EnhetNivaa")],
)
def test_an_answer_that_is_not_as_known_is_put_aside_and_named(
    settings: Settings, services: Services, fault: str, found: str, missing: str
) -> None:
    services.faults["sideNummer=1"] = [fault]
    with pytest.raises(FetchProblem) as caught:
        get(settings, schema.PUPIL_SURVEY)
    (finding,) = caught.value.findings
    assert finding.code == "answer-not-as-known" and missing in str(finding.expected) and found in str(finding.found)
    aside = settings.home / FOLDER / ODD / "2025-26_tabell_148_trinn_7_side1.json"
    assert str(finding.file) == str(aside.relative_to(settings.home)) and aside.exists()
    assert not settings.inbox.exists()


def test_a_page_count_in_html_is_named(settings: Settings, services: Services) -> None:
    services.faults["sideData"] = ["html"]
    with pytest.raises(FetchProblem) as caught:
        get(settings, schema.PUPIL_SURVEY)
    assert caught.value.findings[0].code == "answer-not-as-known"


def test_pages_that_do_not_add_up_are_fetched_anew(settings: Settings, services: Services) -> None:
    services.faults["sideNummer=3"] = ["short"]
    services.faults["sideNummer=2"] = ["short"]
    with pytest.raises(FetchProblem) as caught:
        get(settings, schema.PUPIL_SURVEY)
    assert caught.value.findings[0].code == "pages-do-not-add-up"
    assert not settings.inbox.exists() and not list((settings.home / FOLDER).glob("*.json"))
    assert len(get(settings, schema.PUPIL_SURVEY)[0]) == 18


def test_an_answer_larger_than_any_known_is_not_read_to_its_end(
    settings: Settings, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clients, "MOST_BYTES", 10)
    with pytest.raises(FetchProblem) as caught:
        get(settings, schema.MUNICIPALITY_CHANGES)
    assert caught.value.findings[0].code == "answer-too-large"


@pytest.mark.parametrize("datasets", [(schema.NATIONAL_TESTS, schema.GRADE_POINTS), (schema.GRADE_POINTS,)])
def test_the_pivots_come_with_their_list_of_units_and_are_read(
    settings: Settings, services: Services, datasets: tuple[str, ...]
) -> None:
    names, _, _ = get(settings, *datasets)
    assert names[0] == "filterVerdier_150.json" and len([a for a in services.asked if "filterVerdier" in a]) == 1
    results = {r.file: r for r in flow.take_in_inbox(settings, now=NOW)}
    assert {r.status for r in results.values()} == {"accepted"}, [r.screening for r in results.values()]
    made = {(change.dataset, change.school_year) for r in results.values() for change in r.changes}
    assert made == {(d, "2024-25" if d == schema.GRADE_POINTS else YEAR) for d in datasets}


def test_the_ledger_names_where_and_when_a_file_was_fetched(settings: Settings, services: Services) -> None:
    get(settings, schema.MUNICIPALITY_VERSIONS)
    flow.take_in(settings.inbox / "klass_131_versjon_2024-01-01.json", settings, now=NOW)
    (arrived,) = Archive(settings).events("arrived")
    assert arrived["address"].endswith("/klass/versions/1.json") and arrived["fetched"] > "2026"


@pytest.mark.parametrize(
    "base", ["http://api.example.org", "https://kari:hemmelig@api.example.org", "ftp://example.org"]
)
def test_an_insecure_address_is_refused(settings: Settings, services: Services, base: str) -> None:
    path = settings.services
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    content["klass"]["base"] = base
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    with pytest.raises(RuleProblem) as caught:
        load_services(settings)
    finding = caught.value.findings[0]
    line = path.read_text(encoding="utf-8").splitlines().index(f"  base: {base}") + 1
    assert (finding.file, finding.row) == ("services.yaml", line) and finding.message.startswith(
        "klass.base: should be"
    )


def test_a_dry_run_prints_addresses_and_asks_nobody(tmp_path: Path) -> None:
    done = oppfolging(tmp_path / "h", "fetch", "--year", YEAR, "--dry-run")
    assert done.returncode == 0 and len(done.stdout.splitlines()) == 13, done.stderr
    assert "https://api.statistikkbanken.udir.no/api/rest/v2/Eksport/148/data?filter=TidID(202512)" in done.stdout
    assert not (tmp_path / "h" / FOLDER).exists()


def test_a_year_that_is_none_is_told(tmp_path: Path) -> None:
    done = oppfolging(tmp_path / "h", "fetch", "--year", "2025-27")
    assert done.returncode == 2 and "should be a school year such as 2024-25" in done.stderr
