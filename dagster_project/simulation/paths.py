"""Set values of a rule set by path, such as ``groups.average.quota=25``. The types of the rule validate them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError

from dagster_project.diagnostics import Finding, RuleProblem, Severity
from dagster_project.rules.model import Choice, Limit, RuleSet, Sourced
from dagster_project.rules.reader import parse_yaml

ALIASES = {
    r"^limits\.(?=national\.|absolute\.)": "indicators.*.",
    r"^weights\.([^.]+)$": r"indicators.\1.weight",
    r"^window_years$": "window.years",
}
"""Shorter ways to say a path. The left side is a pattern, the right side what takes its place."""

Place = tuple[str | int, ...]


def settable(rules: RuleSet) -> dict[str, Place]:
    """Every path that may be set, with its place in the dumped rule set. Names, sources and bases may not be set."""
    positions = {indicator.name: i for i, indicator in enumerate(rules.indicators)}
    found: dict[str, Place] = {}
    for path, entry in rules.sourced():
        parts = path.split(".")
        place: Place = ("indicators", positions[parts[1]], *parts[2:]) if parts[0] == "indicators" else tuple(parts)
        if isinstance(entry, Choice):
            found[path] = (*place, "value")
        elif isinstance(entry, Limit):
            for name in Limit.model_fields:
                if name not in Sourced.model_fields:
                    found[f"{path}.{name}"] = (*place, name)
    return found


def expand(rules: RuleSet, path: str) -> list[str]:
    """The full paths that ``path`` stands for: aliases resolved, ``*`` standing for any one name.

    Raises:
        RuleProblem: no path of the rule set fits; the nearest are named.
    """
    known = settable(rules)
    wanted = path.strip()
    for said, meant in ALIASES.items():
        wanted = re.sub(said, meant, wanted)
    for candidate in (wanted, wanted.removesuffix(".value")):
        parts = ("[^.]+" if part == "*" else re.escape(part) for part in candidate.split("."))
        pattern = re.compile(r"\.".join(parts))
        if matches := [name for name in known if pattern.fullmatch(name)]:
            return matches
    short = (re.sub(r"^indicators\.[^.]+\.(?=national|absolute)", "limits.", name) for name in known)
    names = dict.fromkeys([*short, *known])
    close = get_close_matches(path, names, n=3, cutoff=0.5)
    ending = path.rsplit(".", 1)[-1]
    close += [n for n in names if n.rsplit(".", 1)[-1] == ending and n not in close][: 3 - len(close)]
    hint = f"Did you mean {' or '.join(close)}?" if close else "`rules/*.yaml` shows every path."
    finding = Finding(
        "unknown-path", Severity.FAIL, f"the rule set has no choice {path}", stage="scenario", found=path, fix=hint
    )
    raise RuleProblem("The scenario cannot be made.", [finding])


def parse(text: str) -> tuple[str, Any]:
    """``path=value`` as path and value; the value is read as in the rule files.

    Raises:
        RuleProblem: there is no equals sign, or what stands after it is no value.
    """
    path, equals, value = text.partition("=")
    if not equals or not path.strip():
        finding = Finding(
            "unreadable-setting", Severity.FAIL, "a setting is written path=value", stage="scenario",
            found=text, expected="groups.average.quota=25", fix="Write the path, an equals sign and the value.",
        )  # fmt: skip
        raise RuleProblem("The scenario cannot be made.", [finding])
    return path.strip(), value_of(value)


def value_of(text: str) -> Any:
    """A value as the rule files write it.

    Raises:
        RuleProblem: it is none.
    """
    document = parse_yaml(text, "the value")
    if document.findings:
        raise RuleProblem("The scenario cannot be made.", document.findings)
    return document.content


def with_settings(rules: RuleSet, values: Mapping[str, Any]) -> RuleSet:
    """The rule set with other values, checked as a rule file is.

    Raises:
        RuleProblem: a path does not exist, or the rule's types refuse a value; one finding per mistake.
    """
    known = settable(rules)
    content = rules.model_dump()
    changed: dict[Place, str] = {}
    for path, value in values.items():
        for full in expand(rules, path):
            place = known[full]
            node = content
            for part in place[:-1]:
                node = node[part]  # type: ignore[index]
            node[place[-1]] = value  # type: ignore[index]
            changed[place] = path
    return _checked(content, changed, values)


def without(rules: RuleSet, indicators: Sequence[str]) -> RuleSet:
    """The rule set without some of its indicators.

    Raises:
        RuleProblem: it has no such indicator, or none would be left.
    """
    names = [i.name for i in rules.indicators]
    if unknown := [name for name in indicators if name not in names]:
        expand(rules, f"indicators.{unknown[0]}.weight")
    content = rules.model_dump()
    content["indicators"] = [i for i in content["indicators"] if i["name"] not in indicators]
    return _checked(content, {}, {})


def _checked(content: dict[str, Any], changed: Mapping[Place, str], values: Mapping[str, Any]) -> RuleSet:
    try:
        return RuleSet.model_validate(content)
    except ValidationError as error:
        findings: dict[str, Finding] = {}
        details = error.errors()
        for detail in details:
            if detail["type"] == "too_short" and len(details) > 1:
                continue  # the indicators that failed are also missing from the list: one mistake, said twice
            at = tuple(detail["loc"])
            # a check of a whole limit stands at the limit: any setting inside it may be the cause
            path = next((p for place, p in changed.items() if place[: len(at)] == at or at[: len(place)] == place), "")
            message = detail["msg"].removeprefix("Value error, ")
            findings.setdefault(
                f"{path} {message}",
                Finding(
                    "invalid-setting", Severity.FAIL, f"{path or 'the rule set'}: {message}", stage="scenario",
                    found=str(values.get(path)) if path else None, fix="Give a value that the rule allows.",
                ),
            )  # fmt: skip
        raise RuleProblem("The scenario cannot be made.", list(findings.values())) from None
