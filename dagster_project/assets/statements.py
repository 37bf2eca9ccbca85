"""Names of checks, as statements that hold when the check passes: ``coverage_is_between_0_and_1``.

A name is made from what the test says itself: the arguments of a dbt test, or those of an expectation. So it is
written nowhere else, changes with them, and dbt's and Great Expectations' own names stay as they are. A name that
somebody gave (``name:`` of a dbt test, ``holds`` in the ``meta`` of a suite) is kept.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dagster_project.validation.suites import Expectation

MOST = 4
"""So many columns or values are named; of more, their number."""
OPERATORS = {"==": "is", "!=": "is not", ">=": "is at least", "<=": "is at most", ">": "is over", "<": "is under"}


def name_of(statement: str) -> str:
    """A statement as Dagster takes it for the name of a check: letters, digits and underscores."""
    signed = re.sub(r"-(?=\d)", "minus ", statement)
    return re.sub(r"\W+", "_", signed).strip("_")


def sentence(statement: str) -> str:
    """A statement with a capital letter and a full stop."""
    return f"{statement[:1].upper()}{statement[1:]}."


def of_dbt_test(test: Mapping[str, Any], *, short: bool = True) -> str:
    """What a test of the dbt manifest checks. ``short`` counts columns and values where there are many.

    A test of a kind that is not known here, and one with a name of its own, is called as in dbt.
    """
    metadata = test.get("test_metadata") or {}
    kind, model = metadata.get("name", ""), str(test.get("attached_node") or "").rpartition(".")[2]
    if kind not in _DBT or not str(test["name"]).startswith(f"{kind}_{model}_"):
        return str(test["name"]).replace("_", " ")
    where = (test.get("config") or {}).get("where")
    return _DBT[kind](metadata.get("kwargs", {}), short) + (f" where {where}" if where else "")


def of_expectations(entries: Sequence[Expectation], *, short: bool = True) -> str:
    """What the expectations of one check say together."""
    if entries[0].holds:
        return entries[0].holds
    return " and ".join(dict.fromkeys(_of_expectation(e, short) for e in entries))


def _of_expectation(entry: Expectation, short: bool) -> str:
    kwargs = {**{name: _value(v) for name, v in entry.kwargs.items()}, "expects": entry.expects}
    condition = entry.kwargs.get("row_condition")
    if short and entry.batch == "slices":
        condition = None  # there it only leaves out slices with too few schools
    return _EXPECTATIONS[entry.type](kwargs, short) + (f" where {_condition(condition)}" if condition else "")


def _value(value: Any) -> Any:
    """An argument; one that is known only when a file arrives is called by its name."""
    return value["$PARAMETER"] if isinstance(value, dict) and "$PARAMETER" in value else value


def _condition(condition: Mapping[str, Any]) -> str:
    if condition["type"] in ("and", "or"):
        return f" {condition['type']} ".join(map(_condition, condition["conditions"]))
    column = condition["column"]["name"]
    if condition["type"] == "nullity":
        return f"{column} is {'null' if condition['is_null'] else 'not null'}"
    if condition["operator"] == "IN":
        return f"{column} is {_list(condition['parameter'], 'or')}"
    return f"{column} {OPERATORS[condition['operator']]} {condition['parameter']}"


def _list(values: Sequence[Any], last: str) -> str:
    *most, end = map(str, values)
    return f"{', '.join(most)} {last} {end}" if most else end


def _columns(columns: Sequence[str], short: bool, verbs: tuple[str, str]) -> str:
    """``round and unit_code are``; of many columns ``the 9 columns together are``."""
    if short and len(columns) > MOST:
        return f"{len(columns)} columns {verbs[1]}"
    return f"{_list(columns, 'and')} {verbs[len(columns) > 1]}"


def _among(column: str, values: Any, short: bool) -> str:
    if isinstance(values, str):
        return f"{column} is in {values}"
    if short and len(values) > MOST:
        return f"{column} is one of {len(values)} values"
    return f"{column} is {_list(values, 'or')}"


def _between(column: str, lowest: Any, highest: Any) -> str:
    if lowest is None or highest is None:
        return f"{column} is at {'most' if lowest is None else 'least'} {highest if lowest is None else lowest}"
    return f"{column} is {lowest}" if lowest == highest else f"{column} is between {lowest} and {highest}"


def _unique(columns: Sequence[str], short: bool) -> str:
    if short and len(columns) > MOST:
        return f"no two rows agree in all {len(columns)} key columns"
    return f"no two rows have the same {_list(columns, 'and')}"


def _compared(kwargs: Mapping[str, Any], _: bool) -> str:
    relation = "is at least" if kwargs.get("or_equal") else "is over"
    return f"{kwargs['column_A']} {relation} {kwargs['column_B']}"


def _model(reference: str) -> str:
    """The model that ``ref('...')`` names."""
    found = re.search(r"ref\(['\"](\w+)", reference)
    return found[1] if found else reference


Words = Callable[[Mapping[str, Any], bool], str]
_DBT: dict[str, Words] = {
    "between": lambda k, _: _between(k["column_name"], k["lowest"], k["highest"]),
    "accepted_values": lambda k, short: _among(k["column_name"], k["values"], short),
    "not_null": lambda k, _: f"{k['column_name']} has a value",
    "never_null": lambda k, short: _columns(k["columns"], short, ("has a value", "have a value")),
    "unique_combination": lambda k, short: _unique(k["columns"], short),
    "exists_in": lambda k, _: f"{_list(k['keys'], 'and')} exist in {_model(k['model_name'])}",
}
"""The kinds of dbt tests that are used under ``dbt/models``."""
_EXPECTATIONS: dict[str, Words] = {
    "expect_column_values_to_be_in_set": lambda k, short: _among(k["column"], k["value_set"], short),
    "expect_column_values_to_be_between": lambda k, _: _between(k["column"], k.get("min_value"), k.get("max_value")),
    "expect_column_values_to_not_be_null": lambda k, _: f"{k['column']} has a value",
    "expect_column_values_to_be_null": lambda k, _: f"{k['column']} has no value",
    "expect_column_values_to_be_unique": lambda k, short: _unique([k["column"]], short),
    "expect_compound_columns_to_be_unique": lambda k, short: _unique(k["column_list"], short),
    "expect_column_values_to_match_regex": lambda k, _: f"{k['column']} is {k['expects']}",
    "expect_column_pair_values_to_be_equal": lambda k, _: f"{k['column_A']} equals {k['column_B']}",
    "expect_column_pair_values_a_to_be_greater_than_b": _compared,
    "expect_column_values_to_be_organisation_numbers": lambda k, _: f"{k['column']} is an organisation number",
    "expect_select_column_values_to_be_in_set": lambda k, short: (
        f"{_columns(k['column_list'], short, ('is', 'are'))} in {k['value_set']}"
    ),
}
"""The types of expectations that are used under ``expectations/``."""
