"""Every expectation decides: each has a specimen that it, and no other of its suite, catches."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from dagster_project import schema
from dagster_project.diagnostics import RuleProblem, Severity
from dagster_project.intake.read import read_file
from dagster_project.settings import REPOSITORY, Settings
from dagster_project.validation import checkpoints, findings
from dagster_project.validation.suites import Expectation, combination, load_suite
from dagster_project.validation.validate import validate
from tests import samples

FOLDER = REPOSITORY / "expectations"
SUITES = sorted(path.stem for path in FOLDER.glob("*.json"))
DAY, TODAY = pd.Timestamp("2026-02-15"), dt.datetime(2026, 3, 1)
PARAMETERS: dict[str, Any] = {
    "this_year": 2026,
    "today": TODAY,
    "origin": [False],
    "known_municipalities": [combination("2024-25", "1103")],
    "rounds": ["r1"],
    "cohorts": ["c1"],
    "municipalities_of_rounds": [combination("r1", "1103"), combination("r1", "1106")],
    "members_of_cohorts": [combination("c1", "1103")],
    "reports_owed": [combination("c1", 1, "guides")],
    "places_sent_out": [combination("r1", "Rogaland", *place) for place in (("1103", "spread"), ("1106", "spread"))]
    + [combination("r1", "Rogaland", "1108", "average")],
}
SCHOOLS = ("974760673", "923609016", "914778271", "984851006", "889640782")


def cells(*measured: tuple[str, int, float]) -> pd.DataFrame:
    rows = [
        {"source_row": i, "source_column": "x", "raw_value": str(value), "school_year": "2024-25", "start_year": 2024,
         "unit_level": "school", "unit_code": SCHOOLS[i] if i < len(SCHOOLS) else f"U{i}", "municipality_code": "1103", "grade": grade,
         "indicator": indicator, "ownership": "all", "sex": "all", "value": value, "state": "observed",
         "fictional": False}
        for i, (indicator, grade, value) in enumerate(measured)
    ]  # fmt: skip
    return pd.DataFrame(rows)


UNITS = pd.DataFrame(
    [{"source_row": 1, "unit_code": "1103", "pupils": 90, "pupils_of_parts": 90, "parts": "sexes", "schools": 40,
      "pupils_missing": 0}]
)  # fmt: skip
SLICES = pd.DataFrame(
    [
        {"indicator": "bullying", "grade": 7, "school_year": "2024-25", "schools": 40, "schools_before": 40,
         "suppressed_share": 0.3, "national_gap_sd": 0.0, "pupils_outside_schools": 0.0,
         "pupils_outside_municipalities": 0.0, "national_figures": 1, "suppressed_change": 0.0, "schools_change": 0.0,
         "national_shift_sd": 0.0, "vanishing_share": 0.0}
    ]
)  # fmt: skip
CODES = {"source_row": 1, "source_column": "code", "fictional": False}
LINE = {"source_row": 9, "source_column": "Kommunenr", "municipality_code": "1103", "fictional": False,
        "selection_date": DAY - pd.Timedelta(days=60), "selection_year": 2025}  # fmt: skip
IN_ROUND, IN_COHORT = {**LINE, "round": "r1"}, {**LINE, "cohort": "c1"}
REPLY = {"county_governor": "Rogaland", "candidate_list_hash": "abc", "list_in_force": "abc", "answered_revision": "r0001", "replied_on": DAY,
         "priorities_due": DAY, "days_late": 0.0, "conversation_on": DAY, "candidates_sent": 2.0, "advice": None,
         "reason": "fordi"}  # fmt: skip
FRAMES: dict[str, dict[str, pd.DataFrame]] = {
    "pupil_survey": {
        "cells": cells(("bullying", 7, 8.0), ("teacher_support", 10, 4.1), ("motivation", 7, 3.7)),
        "units": UNITS, "slices": SLICES,
    },
    "national_tests": {
        "cells": cells(("reading_level_1", 5, 20.0), ("english_scale_score", 8, 50.0)),
        "units": UNITS, "slices": SLICES,
    },
    "grade_points": {"cells": cells(("grade_points", 10, 43.0)), "units": UNITS, "slices": SLICES},
    "school_register": {
        "register": pd.DataFrame(
            [{**CODES, "school_code": code, "school_name": "Skole", "municipality_code": "1103"} for code in SCHOOLS]
        )
    },
    "municipality_changes": {
        "register": pd.DataFrame([{**CODES, "old_code": "1102", "new_code": "1108", "change_date": DAY}])
    },
    "municipality_versions": {"register": pd.DataFrame([{**CODES, "code": "1103", "valid_from": DAY}])},
    "governor_priorities": {
        "form": pd.DataFrame(
            [
                {**IN_ROUND, **REPLY, "selection_group": "spread", "priority": 1.0},
                {**IN_ROUND, **REPLY, "municipality_code": "1106", "selection_group": "spread", "priority": None,
                 "advice": "do_not_take"},
                {**IN_ROUND, **REPLY, "municipality_code": "1108", "selection_group": "average", "priority": None,
                 "conversation_on": pd.NaT},
            ]
        ),
        "replies": pd.DataFrame([{"source_row": 9, "candidates_sent": 2, "candidates_returned": 2,
                                  "missing_candidates": "", "round": "r1", "county_governor": "Rogaland"}]),
    },
    "decisions": {
        "form": pd.DataFrame(
            [{**IN_ROUND, "decision": decision, "decided_on": DAY, "reason": "fordi"} for decision in ("accept", "exclude")]
        )
    },
    "round_queries": {
        "form": pd.DataFrame(
            [{**IN_ROUND, "received_on": DAY, "outcome": "accepted", "outcome_on": DAY, "effect": "rettes",
              "handled_by": "Kari"}]
        )
    },
    "selected_municipality": {"form": pd.DataFrame([{**IN_ROUND, "selection_group": "spread", "source": "brev"}])},
    "followup_reports": {"form": pd.DataFrame([{**IN_COHORT, "report": 1, "sender": "guides", "received_on": DAY}])},
    "support_measures": {
        "form": pd.DataFrame([{**IN_COHORT, "year": 2026, "applied": 100.0, "granted": 100.0, "spent": 100.0}])
    },
}  # fmt: skip

Change = dict[str, Any] | Callable[[pd.DataFrame], pd.DataFrame]
TWICE: Change = lambda frame: pd.concat([frame, frame.head(1)], ignore_index=True)  # noqa: E731
LATER, EARLIER = DAY + pd.Timedelta(days=1), DAY - pd.Timedelta(days=1)
AHEAD, LONG_AGO = pd.Timestamp("2026-03-02"), pd.Timestamp("2025-01-01")
UNSEEN = {"answered_revision": None, "list_in_force": None, "selection_date": pd.NaT, "priorities_due": pd.NaT,
          "candidates_sent": 0.0}  # fmt: skip


def again(**other: Any) -> Change:
    """The first row once more, with another key but for the parts that are named."""
    return lambda frame: pd.concat([frame, frame.head(1).assign(**other)], ignore_index=True)


def limits(column: str, low: float | None, high: float | None, **condition: float) -> tuple[list[Change], list[Change]]:
    """Just outside the limits, and on them; with a condition, far outside where it lets the row go."""
    near = [low - 0.001] if low is not None else []
    outside: list[Change] = [{column: value} for value in [*near, *([high + 0.001] if high is not None else [])]]
    inside: list[Change] = [{column: value} for value in (low, high) if value is not None]
    return outside, [*inside, *([{column: 99.0, **condition}] if condition else [])]


FEW, FEW_BEFORE = {"schools": 19}, {"schools_before": 19}
# per file of suites, in its order: the code, the row, what is caught, what is let go
Case = tuple[str, int, list[Change], list[Change]]
SPECIMENS: dict[str, list[Case]] = {
    "shared/figures": [
        ("wrong-year", 0, [{"start_year": 2027}, {"start_year": 2005}], [{"start_year": 2006}, {"start_year": 2026}]),
        ("invalid-organisation-number", 0, [{"unit_code": "974760674"}, {"unit_code": "974 760 673"}],
         [{"unit_code": "U123"}, {"unit_code": "navn:Skole"}, {"unit_code": "1103", "unit_level": "municipality"}]),
        ("unknown-municipality-code", 0, [{"municipality_code": "1102"}, {"school_year": "2023-24"}],
         [{"municipality_code": "1102", "state": "absent"}]),
        ("fictional-and-official-mixed", 0, [{"fictional": True}], []),
        ("cell-not-unique", 0, [TWICE], [again(**{k: v}) for k, v in (
            ("unit_code", "U1"), ("unit_level", "county"), ("sex", "girls"), ("ownership", "private"))]),
        ("parts-exceed-whole", 0, [{"pupils_of_parts": 91}], [{"pupils_of_parts": 89}]),
        ("national-figure-missing", 0, [{"national_figures": 0}, {"national_figures": 2}], []),
        ("national-far-from-schools", 0, *limits("national_gap_sd", -0.5, 0.5, **FEW)),
        ("suppressed-share-jumped", 0, *limits("suppressed_change", -0.1, 0.1)),
        ("number-of-schools-jumped", 0, *limits("schools_change", -0.05, 0.1, **FEW_BEFORE)),
        ("national-value-shifted", 0, *limits("national_shift_sd", -1, 1, **FEW_BEFORE)),
        ("cells-in-force-would-vanish", 0, *limits("vanishing_share", None, 0.05)),
    ],
    "shared/forms": [("fictional-and-official-mixed", 0, [{"fictional": True}], [])],
    "shared/round_forms": [("unknown-round", 0, [{"round": "r9", **UNSEEN}], [])],
    "shared/cohort_forms": [
        ("unknown-cohort", 0, [{"cohort": "c9", **UNSEEN}], []),
        ("municipality-not-in-cohort", 0, [{"municipality_code": "1102"}], []),
    ],
    "pupil_survey": [
        ("unknown-indicator", 0, [{"indicator": "grade_points"}], []),
        ("unknown-grade", 0, [{"grade": 8}], [{"grade": 10}]),
        ("value-off-scale", 0, [{"value": 100.1}, {"value": -0.1}], [{"value": 100.0}, {"value": 0.0}]),
        ("value-off-scale", 1, [{"value": 5.1}, {"value": 0.9}], [{"value": 5.0}, {"value": 1.0}]),
        ("schools-short-of-nation", 0, *limits("pupils_outside_schools", None, 0.45, **FEW)),
        ("municipalities-short-of-nation", 0, *limits("pupils_outside_municipalities", None, 0.1, **FEW)),
    ],
    "national_tests": [
        ("unknown-indicator", 0, [{"indicator": "bullying"}], []),
        ("unknown-grade", 0, [{"grade": 7}], [{"grade": 8}, {"grade": 9}]),
        ("unknown-grade", 1, [{"grade": 9}, {"grade": 7}], [{"grade": 5}]),
        ("value-off-scale", 0, [{"value": -0.1}, {"value": 100.1}], [{"value": 0.0}, {"value": 100.0}]),
        ("schools-short-of-nation", 0, *limits("pupils_outside_schools", None, 0.2, **FEW)),
        ("municipalities-short-of-nation", 0, *limits("pupils_outside_municipalities", None, 0.05, **FEW)),
        ("parts-short-of-whole", 0, [{"pupils_missing": 1}], [{"pupils_missing": 0}, {"pupils_missing": 9, "schools": 19}]),
    ],
    "grade_points": [
        ("unknown-indicator", 0, [{"indicator": "bullying"}], []),
        ("unknown-grade", 0, [{"grade": 9}], []),
        ("value-off-scale", 0, [{"value": 60.1}, {"value": -0.1}], [{"value": 60.0}, {"value": 0.0}]),
        ("schools-short-of-nation", 0, *limits("pupils_outside_schools", None, 0.2, **FEW)),
        ("municipalities-short-of-nation", 0, *limits("pupils_outside_municipalities", None, 0.05, **FEW)),
    ],
    "school_register": [
        ("invalid-organisation-number", 0, [{"school_code": "97476067"}], [{"school_code": "U1"}]),
        ("invalid-municipality-code", 0, [{"municipality_code": "301"}, {"municipality_code": "11030"}], []),
        ("missing-name", 0, [{"school_name": None}], []),
        ("school-not-unique", 0, [TWICE], []),
        ("fictional-and-official-mixed", 1, [{"fictional": True}], []),
    ],
    "municipality_changes": [
        ("invalid-old-code", 0, [{"old_code": "301"}], []),
        ("invalid-new-code", 0, [{"new_code": "03 1"}], []),
        ("change-not-unique", 0, [TWICE],
         [again(old_code="1103"), again(new_code="1103"), again(change_date=LATER)]),
    ],
    "municipality_versions": [
        ("invalid-municipality-code", 0, [{"code": "301"}], []),
        ("code-not-unique", 0, [TWICE], [again(valid_from=LATER), again(code="1106")]),
    ],
    "governor_priorities": [
        ("candidate-list-not-in-force", 0, [{"candidate_list_hash": "old", "answered_revision": None}], []),
        ("not-the-governors-candidate", 0, [{"municipality_code": "1102"}],
         [{"municipality_code": "1102", "candidate_list_hash": "abc", "answered_revision": None}]),
        ("candidates-missing", 0, [{"candidates_returned": 1}], []),
        ("priority-or-advice", 0, [{"priority": None}], []),
        ("priority-or-advice", 1, [{"priority": 2.0}], []),
        ("average-group-not-prioritised", 2, [{"priority": 2.0}], []),
        ("average-group-not-prioritised", 2, [{"advice": "do_not_take"}], []),
        ("assessment-missing", 0, [{"reason": None}], []),
        ("assessment-missing", 0, [{"conversation_on": pd.NaT}], []),
        ("priority-repeated", 1, [{"priority": 1.0, "advice": None}], [{"priority": 2.0, "advice": None}]),
        ("priority-out-of-range", 0, [{"priority": 3.0}], [{"priority": 2.0}]),
        ("impossible-date", 0, [{"conversation_on": LATER}], []),
        ("impossible-date", 0, [{"replied_on": AHEAD, "priorities_due": pd.NaT}],
         [{"replied_on": TODAY, "priorities_due": pd.NaT}]),
        ("impossible-date", 0, [{"replied_on": LONG_AGO, "conversation_on": pd.NaT, "selection_group": "average",
                                 "municipality_code": "1108", "priority": None}], []),
        ("impossible-date", 0, [{"conversation_on": LONG_AGO}], []),
        ("reply-too-late", 0, [{"priorities_due": EARLIER}], [{"priorities_due": pd.NaT}]),
    ],
    "decisions": [
        ("municipality-not-in-round", 0, [{"municipality_code": "1102"}], []),
        ("reason-missing", 1, [{"reason": None}], [{"reason": None, "decision": "accept"}]),
        ("impossible-date", 0, [{"decided_on": AHEAD}], [{"decided_on": TODAY}]),
        ("impossible-date", 0, [{"decided_on": LONG_AGO}], []),
    ],
    "round_queries": [
        ("municipality-not-in-round", 0, [{"municipality_code": "1102"}], []),
        ("outcome-not-dated", 0, [{"outcome_on": pd.NaT}], [{"outcome_on": pd.NaT, "outcome": "pending"}]),
        ("outcome-not-dated", 0, [{"handled_by": None}], [{"handled_by": None, "outcome": "pending"}]),
        ("effect-missing", 0, [{"effect": None}], [{"effect": None, "outcome": "rejected"}]),
        ("impossible-date", 0, [{"received_on": AHEAD, "outcome_on": pd.NaT, "outcome": "pending"}], []),
        ("impossible-date", 0, [{"outcome_on": AHEAD}], [{"outcome_on": TODAY}]),
        ("impossible-date", 0, [{"outcome_on": EARLIER}], []),
    ],
    "selected_municipality": [("municipality-not-in-round", 0, [{"municipality_code": "1102"}], [])],
    "followup_reports": [
        ("report-not-owed", 0, [{"report": 2}, {"sender": "municipality"}], []),
        ("impossible-date", 0, [{"received_on": AHEAD}], [{"received_on": TODAY}]),
        ("impossible-date", 0, [{"received_on": LONG_AGO}], []),
    ],
    "support_measures": [
        ("impossible-year", 0, [{"year": 2027}], []),
        ("impossible-year", 0, [{"year": 2024}], [{"year": 2025}]),
        ("granted-more-than-applied", 0, [{"granted": 101.0}], [{"granted": 99.0, "spent": None}]),
        ("spent-more-than-granted", 0, [{"spent": 101.0}], [{"spent": None}]),
    ],
}  # fmt: skip
WARNINGS = {
    "national-far-from-schools", "suppressed-share-jumped", "number-of-schools-jumped", "national-value-shifted",
    "cells-in-force-would-vanish", "schools-short-of-nation", "municipalities-short-of-nation", "parts-short-of-whole", "reply-too-late",
    "granted-more-than-applied", "spent-more-than-granted",
}  # fmt: skip
"""What somebody may accept by name and reason. Everything else blocks for good."""


def shares(dataset: str) -> list[str]:
    return [f"shared/{n}" for n in json.loads((FOLDER / f"{dataset}.json").read_text())["meta"].get("shares", ())]


def cases() -> Iterator[Any]:
    """One per expectation: a dataset that has it, its place there, and what it has to catch and to let go."""
    seen = set()
    for dataset in SUITES:
        position = 0
        for file in (*shares(dataset), dataset):
            for number, (code, row, caught, let_go) in enumerate(SPECIMENS[file]):
                if file not in seen:
                    yield pytest.param(dataset, position, row, caught, let_go, id=f"{file}-{number}-{code}")
                position += 1
            seen.add(file)


def failing(dataset: str, batch: str, frame: pd.DataFrame) -> list[tuple[int, findings.CheckResult]]:
    entries = load_suite(FOLDER, dataset)
    mine = [e for e in entries if e.batch == batch]
    place = findings.place(mine, frame.columns)
    found = checkpoints.run(None, f"{dataset}_{batch}", mine, frame, place, PARAMETERS, "a file")
    return [
        (entries.index(entry), *findings.by_check([(entry, outcome)], PARAMETERS, "a file"))
        for entry, outcome in found
        if not outcome.success
    ]


def changed(frame: pd.DataFrame, row: int, change: Change) -> pd.DataFrame:
    if callable(change):
        return change(frame)
    frame = frame.copy()
    for column, value in ((c, v) for c, v in change.items() if c in frame):
        frame[column] = frame[column].astype(object) if isinstance(value, str) or value is None else frame[column]
        frame.loc[frame.index[row], column] = value
    return frame


@pytest.mark.parametrize(("dataset", "position", "row", "caught", "let_go"), list(cases()))
def test_an_expectation_catches_its_specimens_and_no_other_does(
    dataset: str, position: int, row: int, caught: list[Change], let_go: list[Change]
) -> None:
    entries = load_suite(FOLDER, dataset)
    frame = FRAMES[dataset][entries[position].batch]
    for change in caught:
        found = failing(dataset, entries[position].batch, changed(frame, row, change))
        assert [number for number, _ in found] == [position], (change, found)
        finding = found[0][1].findings[0]
        assert finding.expected and finding.found and finding.found != finding.expected, finding.as_text()
        assert "{" not in finding.as_text()
    for change in let_go:
        alone = [entries[position]]
        ((_, outcome),) = checkpoints.run(
            None, f"one_{dataset}", alone, changed(frame, row, change), ("source_row",), PARAMETERS, "a file"
        )
        assert outcome.success, change


@pytest.mark.parametrize("dataset", SUITES)
def test_what_is_in_order_passes_every_expectation_and_every_expectation_has_a_specimen(dataset: str) -> None:
    for batch, frame in FRAMES[dataset].items():
        assert failing(dataset, batch, frame) == []
    assert {e.batch for e in load_suite(FOLDER, dataset)} == set(FRAMES[dataset])
    shown = [case[0] for file in (*shares(dataset), dataset) for case in SPECIMENS[file]]
    assert shown == [e.code for e in load_suite(FOLDER, dataset)]


def every_entry() -> list[Expectation]:
    return [entry for dataset in SUITES for entry in load_suite(FOLDER, dataset)]


def test_no_expectation_asks_whether_a_column_is_true() -> None:
    asked = [e for e in every_entry() if any(isinstance(v, bool) for v in e.kwargs.get("value_set", ()))]
    assert asked == []


def test_entries_of_one_check_are_equally_grave_and_say_why_and_what_to_do() -> None:
    for dataset in SUITES:
        alike: dict[str, set[Any]] = {}
        for entry in load_suite(FOLDER, dataset):
            alike.setdefault(entry.code, set()).add((entry.severity, entry.stage, entry.why, entry.fix))
            assert (entry.severity is Severity.WARN) == (entry.code in WARNINGS), entry.code
            assert entry.kwargs.get("mostly", 1) == 1
            assert len(entry.why) > 20 and len(entry.fix) > 10 and entry.stage in ("values", "against_last_year")
        assert all(len(said) == 1 for said in alike.values())


def test_scales_and_grades_of_the_suites_are_those_of_the_format() -> None:
    """Rules and assumptions are held to ``schema.INDICATORS`` before there is any file."""
    for name, known in schema.INDICATORS.items():
        low, high = known.scale_min, known.scale_max
        others = [g for g in range(1, 11) if g not in known.grades]
        right = [(name, known.grades[0], v) for v in (low, high)] + [(name, g, low) for g in known.grades]
        wrong = [(name, known.grades[0], v) for v in (low - 0.1, high + 0.1)] + [(name, g, low) for g in others]
        caught = failing(known.dataset, "cells", cells(*right, *wrong))
        rows = {(result.code, row["source_row"]) for _, result in caught for row in result.rows}
        codes = ["value-off-scale"] * 2 + ["unknown-grade"] * len(others)
        assert rows == {(code, len(right) + i) for i, code in enumerate(codes)}


def sample_rows(folder: Path) -> pa.Table:
    (table,) = read_file(samples.national_tests(folder / "a.csv"), "0")
    return table.table


def test_results_are_kept_as_great_expectations_keeps_them_and_drawn_as_data_docs(
    settings: Settings, tmp_path: Path
) -> None:
    from great_expectations.core.expectation_validation_result import expectationSuiteValidationResultSchema

    rows = sample_rows(tmp_path)
    validate(settings, schema.NATIONAL_TESTS, rows, "a/strange name.csv", TODAY, lambda *_: None, keep=True)
    kept = sorted((settings.home / checkpoints.RESULTS).rglob("*.json"))
    assert [path.parts[-4] for path in kept] == [
        "national_tests_cells",
        "national_tests_slices",
        "national_tests_units",
    ]
    result = expectationSuiteValidationResultSchema.load(json.loads(kept[0].read_text()))
    assert result.success and result.statistics["evaluated_expectations"] == 8, "no list of municipalities is in force"
    (of_scale,) = [r for r in result.results if r.expectation_config.meta["code"] == "value-off-scale"]
    assert of_scale.result["element_count"] == rows.num_rows
    # the results of a file whose name ends like theirs lie in a folder of that name
    validate(settings, schema.NATIONAL_TESTS, rows, "tests.json", TODAY, lambda *_: None, keep=True)
    (half := kept[0].with_name("half.json")).write_text('{"success": tr')
    (other := kept[0].with_name("other.json")).write_text("{}")
    page, removed = checkpoints.data_docs(settings.home, settings.expectations)
    assert (
        set(removed) == {half, other} and not half.exists() and page == settings.home / checkpoints.PAGES / "index.html"
    )
    assert "a_strange_name.csv" in page.read_text(encoding="utf-8")
    assert any("must be organisation numbers" in p.read_text("utf-8") for p in page.parent.rglob("*.html"))


def test_what_could_not_be_asked_is_told_and_kept_as_no_success(settings: Settings, tmp_path: Path) -> None:
    rows = sample_rows(tmp_path)
    found = validate(settings, schema.NATIONAL_TESTS, rows, "a.csv", TODAY, lambda *_: None, keep=False)
    (result,) = [r for r in found if r.findings]
    assert (result.code, result.passed) == ("unknown-municipality-code", True)
    assert (result.findings[0].code, result.findings[0].severity) == ("not-checked", Severity.PASS)


def test_a_mistake_in_a_suite_is_no_fault_of_the_file() -> None:
    (entry, *_) = load_suite(FOLDER, "grade_points")
    wrong = dataclasses.replace(
        entry, type="expect_column_values_to_be_in_set", kwargs={"column": "county", "value_set": ["11"]}
    )
    with pytest.raises(RuleProblem) as caught:
        checkpoints.run(None, "wrong", [wrong], FRAMES["grade_points"]["cells"], ("source_row",), PARAMETERS, "a.csv")
    (finding,) = caught.value.findings
    assert finding.code == "suite-mistake" and finding.column == "county" and "school_year" in str(finding.expected)


def test_nothing_is_kept_of_a_file_that_is_only_checked(settings: Settings, tmp_path: Path) -> None:
    rows = sample_rows(tmp_path)
    validate(settings, schema.NATIONAL_TESTS, rows, "a.csv", TODAY, lambda *_: None, keep=False)
    assert not (settings.home / checkpoints.RESULTS).exists()


def test_of_many_faults_the_last_that_is_listed_says_how_many_follow() -> None:
    """Each of the first twenty said "in 39 places"; then nothing said that 19 were not listed."""
    suite = load_suite(REPOSITORY / "expectations", "decisions")
    entry = next(e for e in suite if e.code == "municipality-not-in-round")
    rows = [
        {"source_row": n, "municipality_code": f"{6100 + n}", "round": "r", "round_municipality": ""} for n in range(39)
    ]
    outcome = SimpleNamespace(success=False, result={"unexpected_index_list": rows})
    (result,) = findings.by_check([(entry, outcome)], {}, "f.xlsx")
    assert [f.count for f in result.findings] == [1] * 19 + [20]
    assert "and in 19 more places" in result.findings[-1].as_text()
