"""Sweeps: vary one or two choices over a series of values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from itertools import product
from typing import Any

from dagster_project.diagnostics import Finding, RuleProblem, Severity
from dagster_project.rules import RuleSet
from dagster_project.simulation.paths import parse, value_of, with_settings
from dagster_project.simulation.scenario import Scenario

MOST_PARAMETERS = 2
MOST_POINTS = 120


def _problem(code: str, message: str, found: str, expected: str, fix: str) -> RuleProblem:
    finding = Finding(code, Severity.FAIL, message, stage="scenario", found=found, expected=expected, fix=fix)
    return RuleProblem("The sweep cannot be made.", [finding])


def values_of(text: str) -> list[Any]:
    """``0.10..0.20:0.02`` as its values, both ends included, exactly; or ``a,b,c`` as a list.

    Raises:
        RuleProblem: the text is neither, the step leads nowhere, or a value cannot be read.
    """
    if ".." not in text:
        return [value_of(part) for part in text.split(",")]
    try:
        ends, _, step_text = text.partition(":")
        first, last = (Decimal(part) for part in ends.split(".."))
        step = Decimal(step_text or "1")
        if step <= 0 or last < first:
            raise ValueError
    except (InvalidOperation, ValueError):
        raise _problem(
            "unreadable-sweep", "a sweep is first..last:step or a list", text, "0.10..0.20:0.02",
            "Give an upward series with a step above 0.",
        ) from None  # fmt: skip
    count = min(int((last - first) / step), MOST_POINTS) + 1
    series = [first + i * step for i in range(count)]
    return [int(v) if v == v.to_integral_value() and "." not in text else v for v in series]


def sweep(rules: RuleSet, fixed: Mapping[str, Any], series: Sequence[str]) -> list[Scenario]:
    """A scenario for each point of the sweep, named after its values.

    Raises:
        RuleProblem: too many parameters or points, or a value the rule does not allow.
    """
    if len(series) > MOST_PARAMETERS:
        raise _problem("sweep-too-wide", "a sweep varies one or two choices", str(len(series)),
                       f"at most {MOST_PARAMETERS}", "Set the others with --set.")  # fmt: skip
    axes = []
    for text in series:
        path, equals, values = text.partition("=")
        parse(f"{path}{equals}0")
        axes.append([(path.strip(), value) for value in values_of(values)])
    points = list(product(*axes))
    if len(points) > MOST_POINTS:
        raise _problem("sweep-too-long", "the sweep has too many points", str(len(points)),
                       f"at most {MOST_POINTS}", "Use a larger step.")  # fmt: skip
    return [
        Scenario(", ".join(f"{path}={value}" for path, value in point), with_settings(rules, {**fixed, **dict(point)}))
        for point in points
    ]
