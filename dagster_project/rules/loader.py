"""Check rule sets, rounds and registers, and name file, line and column of each mistake."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from dagster_project.diagnostics import Finding, RuleProblem
from dagster_project.rules.fields import SAME_YEAR, At, Mistake, Mistakes
from dagster_project.rules.model import Exceptions, Governors, Publication, PublicEdition, Round, Rounds, RuleSet
from dagster_project.rules.reader import MOST_FINDINGS, Document, Places, as_written, read_yaml, rule_finding, too_many
from dagster_project.schema import start_year
from dagster_project.settings import Settings

Model = TypeVar("Model", bound=BaseModel)

EXPECTED = {
    "int_type": "a whole number, without quotes",
    "float_type": "a number, without quotes",
    "bool_type": "true or false",
    "string_type": "text, in quotes where it looks like a number, a date or a list",
    "date_type": "a date such as 2026-02-15, without quotes or time",
    "tuple_type": "a list, in brackets or with hyphens",
    "dict_type": "keys with values",
    "decimal_max_places": "a number with at most 4 decimals",
    "missing": "a list with more entries",
    "too_long": "a list with fewer entries",
}
"""What a value should be, in the words of a rule file instead of pydantic's."""


@dataclass(frozen=True)
class RuleBook:
    """Everything the rules room has read and checked. ``rule_sha256`` maps a rule set to the hash of its file."""

    rule_sets: dict[str, RuleSet]
    rule_sha256: dict[str, str]
    rounds: tuple[Round, ...]
    exceptions: Exceptions
    governors: Governors
    public_edition: PublicEdition
    questions_to: str

    def round(self, round_id: str) -> Round:
        """The round with this id. Raises RuleProblem with the nearest known id."""
        for known in self.rounds:
            if known.id == round_id:
                return known
        names = [r.id for r in self.rounds]
        close = get_close_matches(round_id, names, n=1)
        hint = f"Did you mean {close[0]}?" if close else f"Known rounds: {', '.join(names)}."
        raise RuleProblem(f"There is no round {round_id}. {hint}")

    def is_illustrative(self, round_: Round) -> bool:
        """Whether the round rests on any placeholder."""
        return bool(self.rule_sets[round_.rule_set].placeholders)


def _short(path: Path, settings: Settings) -> str:
    for root in (settings.home, settings.dbt_project.parent / "data"):
        if path.is_relative_to(root):
            return path.relative_to(root).as_posix()
    return path.name


def _fields(model: type[BaseModel], path: At) -> list[str]:
    """Names a mapping at ``path`` may hold."""
    current: Any = model
    for part in path:
        fields = getattr(current, "model_fields", {})
        if part not in fields:
            continue  # a position in a list, or a key that is free to choose
        current = fields[part].annotation
        arguments = getattr(current, "__args__", ())
        while arguments and not hasattr(current, "model_fields"):
            current = next((a for a in arguments if hasattr(a, "model_fields")), arguments[0])
            arguments = getattr(current, "__args__", ())
    return list(getattr(current, "model_fields", {}))


def _within(content: Any, path: At) -> tuple[At, Any]:
    """The parts of a path that the file holds, without pydantic's names of alternatives, and what stands there."""
    real: list[str | int] = []
    for part in path:
        inside = content if isinstance(content, dict) else range(len(content) if isinstance(content, list) else 0)
        if part in inside:
            content = content[part]
            real.append(part)
    return tuple(real), content


def _finding(
    document: Document, code: str, at: At, message: str, expected: str, fix: str, found: str | None = None
) -> Finding:
    real, value = _within(document.content, at)
    if found is None:
        found = as_written(value) if real == at else "nothing"
    return rule_finding(code, message, document.file, document.places.find(real), found, expected, fix)


def _first(found: Iterable[Finding]) -> Iterator[Finding]:
    """As many findings of a file as a person reads, and that there are more."""
    for position, finding in enumerate(found):
        if position == MOST_FINDINGS:
            yield too_many(finding)
            return
        yield finding


def _from_pydantic(error: ValidationError, model: type[BaseModel], document: Document) -> Iterator[Finding]:
    for detail in error.errors(include_url=False):
        path, kind = detail["loc"], detail["type"]
        at, _ = _within(document.content, path)
        if kind == "missing" and isinstance(path[-1], str):
            what = "missing-source" if path[-1] == "source" else "missing-key"
            fix = "Say where the value comes from." if what == "missing-source" else "Add it."
            at = (*at, path[-1])
            yield _finding(document, what, at, f"{_name(at)} is missing", path[-1], fix)
        elif kind in ("extra_forbidden", "invalid_key"):
            known = _fields(model, at[:-1])
            close = get_close_matches(str(at[-1]), known, n=1)
            fix = f"Did you mean {close[0]}?" if close else "Remove it."
            message, expected = f"{_name(at)} is not a key here", ", ".join(known)
            yield _finding(document, "unknown-key", at, message, expected, fix, found=str(at[-1]))
        elif isinstance(cause := detail.get("ctx", {}).get("error"), Mistakes):
            yield from (_invalid(document, Mistake((*at, *m.at), m.message, m.expected)) for m in cause.found)
        else:
            said = detail["msg"].removeprefix("Value error, ").removeprefix("Input ")
            if kind == "model_type":
                said = f"should be keys with values: {', '.join(_fields(model, at))}"
            elif kind in EXPECTED:
                said = f"should be {EXPECTED[kind]}"
            expected = said.partition("should ")[2].removeprefix("be ") or said
            key = as_written(at[-1]) if path[-1:] == ("[key]",) else None
            yield _invalid(document, Mistake(at, said, expected), found=key)


def _name(at: At) -> str:
    return ".".join(str(part) for part in at)


def _invalid(document: Document, mistake: Mistake, found: str | None = None) -> Finding:
    message = f"{_name(mistake.at) or document.file}: {mistake.message}"
    return _finding(document, "invalid-value", mistake.at, message, mistake.expected, "Correct the value.", found)


def _read(path: Path, model: type[Model], settings: Settings, findings: list[Finding]) -> tuple[Model | None, Document]:
    document = read_yaml(path, _short(path, settings))
    findings.extend(document.findings)
    if document.findings:
        return None, document
    try:
        # strict also refuses the dates in quotes that manifests hold
        return model.model_validate(document.content, strict=True), document
    except ValidationError as error:
        findings.extend(_first(_from_pydantic(error, model, document)))
        return None, document


def read_checked(path: Path, model: type[Model], settings: Settings) -> tuple[Model, Places]:
    """Read one YAML file of any typed kind, and where each of its values stands.

    Raises:
        RuleProblem: with one finding per mistake, each naming file, line and column.
    """
    findings: list[Finding] = []
    content, document = _read(path, model, settings, findings)
    if content is None:
        raise RuleProblem(f"{document.file} cannot be used until these mistakes are corrected.", findings)
    return content, document.places


def load_rules(settings: Settings, *, only: str | None = None) -> RuleBook:
    """Read and check every rule file. With ``only``, the other rounds may name rule sets that are not at hand, as in
    the rule book of a revision, and are left out.

    Raises:
        RuleProblem: with one finding per mistake, each naming file, line and column.
    """
    findings: list[Finding] = []
    rule_sets: dict[str, RuleSet] = {}
    documents: dict[str, Document] = {}
    hashes: dict[str, str] = {}
    rule_files = sorted(settings.rules.glob("*.yaml"))
    for path in rule_files:
        rule_set, document = _read(path, RuleSet, settings, findings)
        if rule_set is None:
            continue
        if rule_set.rule_set != path.stem:
            message = f"the file is named {path.stem}, the rule set {rule_set.rule_set}"
            fix = "Give both the same name."
            findings.append(_finding(document, "wrong-name", ("rule_set",), message, path.stem, fix))
        rule_sets[path.stem], documents[path.stem] = rule_set, document
        hashes[path.stem] = hashlib.sha256(path.read_bytes()).hexdigest()
    rounds, calendar = _read(settings.rounds, Rounds, settings, findings)
    exceptions, register = _read(settings.registers / "exceptions.yaml", Exceptions, settings, findings)
    governors, _ = _read(settings.registers / "county_governors.yaml", Governors, settings, findings)
    publication, _ = _read(settings.registers / "publication.yaml", Publication, settings, findings)
    for name, rule_set in rule_sets.items():
        findings.extend(_areas(rule_set, documents[name]))
    if rounds is not None:
        findings.extend(_repeated(rounds, calendar))
        wanted = [(at, r) for at, r in enumerate(rounds.rounds) if only in (None, r.id)]
        for at, round_ in wanted:
            if round_.rule_set not in (known := [path.stem for path in rule_files]):
                place, message = ("rounds", at, "rule_set"), f"round {round_.id} names a rule set that does not exist"
                findings.append(_unknown(calendar, "unknown-rule-set", place, message, round_.rule_set, known))
        for name, rule_set in rule_sets.items():
            users = [(at, r) for at, r in wanted if r.rule_set == name]
            findings.extend(_base_years(rule_set, documents[name], users, calendar))
        if exceptions is not None:
            findings.extend(_first(_rounds_of_exceptions(exceptions, register, [r.id for r in rounds.rounds])))
    if findings or rounds is None or exceptions is None or governors is None or publication is None:
        raise RuleProblem("The rules cannot be used until these mistakes are corrected.", findings)
    kept = tuple(r for r in rounds.rounds if only in (None, r.id))
    return RuleBook(rule_sets, hashes, kept, exceptions, governors, publication.publication,
                    publication.questions_to)  # fmt: skip


def _areas(rules: RuleSet, document: Document) -> Iterator[Finding]:
    """Whether a unit can be seen in as many areas as it must be. Scenarios that leave out indicators may break this."""
    areas = len({indicator.area for indicator in rules.indicators})
    if rules.coverage.min_areas.value > areas:
        at = ("coverage", "min_areas", "value")
        yield _invalid(document, Mistake(at, f"the indicators cover only {areas} of the areas", f"at most {areas}"))


def _repeated(rounds: Rounds, document: Document) -> Iterator[Finding]:
    """Each round has an id and a cohort of its own."""
    ids: set[str] = set()
    cohorts: dict[str, str] = {}
    for position, round_ in enumerate(rounds.rounds):
        at, cohort = ("rounds", position), round_.cohort_id
        if round_.id in ids:
            message = f"round {round_.id} is given twice"
            yield _finding(document, "repeated-round", (*at, "id"), message, "another id", "Give it another id.")
        elif cohort in cohorts:
            message = f"rounds {cohorts[cohort]} and {round_.id} would both give the cohort {cohort}"
            place = (*at, "cohort" if round_.cohort else "selection_date")
            fix = "Name the cohort of one of them."
            yield _finding(document, "repeated-cohort", place, message, "a cohort of its own", fix)
        ids.add(round_.id)
        cohorts.setdefault(cohort, round_.id)


def _base_years(
    rules: RuleSet, document: Document, users: list[tuple[int, Round]], calendar: Document
) -> Iterator[Finding]:
    """No limit is taken from a school year whose figures come out after the selection of a round that uses it."""
    blamed: set[int] = set()
    for position, indicator in enumerate(rules.indicators):
        lag = rules.window.lag[indicator.dataset].value
        for side, base in (("national", indicator.national.base_year), ("absolute", indicator.absolute.base_year)):
            if base is None or base == SAME_YEAR:
                continue
            early = {at: r for at, r in users if start_year(r.last_school_year) - lag < start_year(base)}
            if early and len(early) == len(users):
                message = f"no round of {rules.rule_set} has figures of {base}"
                expected = f"{SAME_YEAR}, or a school year that a round has figures of"
                place = ("indicators", position, side, "base_year")
                yield _invalid(document, Mistake(place, message, expected))
                continue
            for at in early.keys() - blamed:
                message = f"{indicator.name} takes a limit from {base}, after the figures of {early[at].id}"
                expected = f"a rule set whose base years are not after {early[at].last_school_year}"
                yield _invalid(calendar, Mistake(("rounds", at, "rule_set"), message, expected))
            blamed |= early.keys()


def _rounds_of_exceptions(exceptions: Exceptions, document: Document, known: list[str]) -> Iterator[Finding]:
    """Exceptions name rounds that exist."""
    for position, row in enumerate(exceptions.exceptions):
        for place, name in enumerate(() if row.rounds == "all" else row.rounds):
            if name not in known:
                at = ("exceptions", position, "rounds", place)
                yield _unknown(document, "unknown-round", at, f"there is no round {name}", name, known)


def _unknown(document: Document, code: str, at: At, message: str, name: str, known: Iterable[str]) -> Finding:
    names = sorted(known)
    close = get_close_matches(name, names, n=1)
    fix = f"Did you mean {close[0]}?" if close else f"Known: {', '.join(names)}."
    return _finding(document, code, at, message, f"one of {', '.join(names)}", fix)
