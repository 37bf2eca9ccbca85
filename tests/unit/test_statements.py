"""Names of checks are statements, made from the arguments of a dbt test or an expectation."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from dagster_project import schema
from dagster_project.assets import statements
from dagster_project.diagnostics import Severity
from dagster_project.settings import REPOSITORY, load_settings
from dagster_project.transform import dbt_step
from dagster_project.validation.suites import Expectation, by_check

LONGEST = 100
DATASETS = (
    *schema.YEARLY_DATASETS, schema.SCHOOL_REGISTER, schema.MUNICIPALITY_CHANGES, schema.MUNICIPALITY_VERSIONS,
    *schema.FORM_DATASETS,
)  # fmt: skip


def dbt_test(kind: str, name: str | None = None, where: str | None = None, **kwargs: Any) -> dict[str, Any]:
    """A test of the model ``mart``, as the manifest has it."""
    return {
        "name": name or f"{kind}_mart_whatever_dbt_appends", "attached_node": "model.oppfolging.mart",
        "test_metadata": {"name": kind, "kwargs": kwargs}, "config": {"where": where},
    }  # fmt: skip


MANY = ["a", "b", "c", "d", "e"]


@pytest.mark.parametrize(
    ("test", "name"),
    [
        (dbt_test("between", column_name="coverage", lowest=0, highest=1), "coverage_is_between_0_and_1"),
        (dbt_test("not_null", where="not rated", column_name="reason"), "reason_has_a_value_where_not_rated"),
        (dbt_test("accepted_values", column_name="kind", values=["x", "y"]), "kind_is_x_or_y"),
        (dbt_test("accepted_values", column_name="kind", values=MANY), "kind_is_one_of_5_values"),
        (dbt_test("never_null", columns=["a"]), "a_has_a_value"),
        (dbt_test("never_null", columns=MANY), "5_columns_have_a_value"),
        (dbt_test("unique_combination", columns=["a", "b"]), "no_two_rows_have_the_same_a_and_b"),
        (dbt_test("unique_combination", columns=MANY), "no_two_rows_agree_in_all_5_key_columns"),
        (dbt_test("exists_in", model_name="ref('other')", keys=["a", "b"]), "a_and_b_exist_in_other"),
        (dbt_test("between", name="shares_are_shares", column_name="x", lowest=0, highest=1), "shares_are_shares"),
        (dbt_test("a_test_of_another_package"), "a_test_of_another_package_mart_whatever_dbt_appends"),
        ({"name": "points_add_up", "config": {}}, "points_add_up"),
    ],
)
def test_a_dbt_test_is_named_after_its_arguments_unless_it_has_a_name(test: dict[str, Any], name: str) -> None:
    assert statements.name_of(statements.of_dbt_test(test)) == name


def test_the_whole_statement_names_what_the_name_only_counts() -> None:
    said = statements.of_dbt_test(dbt_test("never_null", columns=MANY), short=False)
    assert statements.sentence(said) == "A, b, c, d and e have a value."


def expectation(type_: str, holds: str | None = None, **kwargs: Any) -> Expectation:
    return Expectation(
        f"expect_{type_}", kwargs, Severity.FAIL, "code", "cells", "values", "Why.", "Fix.", "four digits", holds=holds
    )


BELOW = expectation("column_values_to_be_between", column="share", min_value=-0.5, max_value=0.5)
GIVEN = {"type": "comparison", "column": {"name": "n"}, "operator": ">=", "parameter": 20}
FILLED = {"type": "nullity", "column": {"name": "m"}, "is_null": False}


@pytest.mark.parametrize(
    ("entries", "name"),
    [
        ([BELOW], "share_is_between_minus_0_5_and_0_5"),
        ([BELOW, expectation("column_values_to_not_be_null", column="share")],
         "share_is_between_minus_0_5_and_0_5_and_share_has_a_value"),
        ([expectation("column_values_to_be_between", column="day", max_value={"$PARAMETER": "today"})],
         "day_is_at_most_today"),
        ([expectation("column_values_to_be_null", column="a", row_condition=GIVEN)],
         "a_has_no_value_where_n_is_at_least_20"),
        ([expectation("column_values_to_be_null", column="a",
                      row_condition={"type": "and", "conditions": [GIVEN, FILLED]})],
         "a_has_no_value_where_n_is_at_least_20_and_m_is_not_null"),
        ([expectation("column_values_to_match_regex", column="code", regex="^[0-9]{4}$")], "code_is_four_digits"),
        ([expectation("column_pair_values_a_to_be_greater_than_b", column_A="a", column_B="b", or_equal=True)],
         "a_is_at_least_b"),
        ([expectation("column_values_to_be_unique", "the row stands once", column="a"), BELOW], "the_row_stands_once"),
    ],
)  # fmt: skip
def test_a_check_of_a_suite_is_named_after_its_expectations_unless_it_says_what_holds(
    entries: list[Expectation], name: str
) -> None:
    assert statements.name_of(statements.of_expectations(entries)) == name


def test_the_name_of_a_check_of_slices_leaves_out_which_slices_are_too_small() -> None:
    entry = replace(expectation("column_values_to_be_null", column="a", row_condition=GIVEN), batch="slices")
    assert statements.of_expectations([entry]) == "a has no value"
    assert statements.of_expectations([entry], short=False) == "a has no value where n is at least 20"


def test_every_check_of_the_project_has_a_short_name_that_is_a_statement() -> None:
    manifest = dbt_step.load_manifest(load_settings())
    tests = [n for n in manifest["nodes"].values() if n["resource_type"] == "test"]
    said = [statements.of_dbt_test(t) for t in tests]
    for dataset in DATASETS:
        checks = by_check(REPOSITORY / "expectations", dataset)
        named = [statements.of_expectations(entries) for entries in checks.values()]
        assert len(set(map(statements.name_of, named))) == len(checks), dataset
        said += named
    verb = re.compile(r"\b(is|are|has|have|exist|agree|came|keep|add|follow\w*|equals|owes)\b")
    for statement in said:
        assert len(statement) <= LONGEST and verb.search(statement), statement
