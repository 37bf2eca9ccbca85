"""Read rule sets, rounds and registers, and say of each mistake in which file, line and column it stands."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from dagster_project.diagnostics import Finding, RuleProblem, Severity
from dagster_project.rules.model import Exceptions, Governors, Round, Rounds, RuleSet
from dagster_project.settings import Settings

Model = TypeVar("Model", bound=BaseModel)
Path_ = tuple[str | int, ...]
# the parser in C is ten times faster, where it was built
_LOADER: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class RuleBook:
    """Everything the rules room has read and checked. ``rule_sha256`` maps a rule set to the hash of its file."""

    rule_sets: dict[str, RuleSet]
    rule_sha256: dict[str, str]
    rounds: tuple[Round, ...]
    exceptions: Exceptions
    governors: Governors

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


class Places:
    """Line and column of every place in a YAML document, by path."""

    def __init__(self, root: yaml.Node | None) -> None:
        self.at: dict[Path_, tuple[int, int]] = {}
        self.repeated: list[tuple[Path_, yaml.Mark]] = []
        if root is not None:
            self._walk((), root)

    def _walk(self, path: Path_, node: yaml.Node) -> None:
        self.at.setdefault(path, (node.start_mark.line + 1, node.start_mark.column + 1))
        if isinstance(node, yaml.MappingNode):
            seen: set[str] = set()
            for key, value in node.value:
                if key.value in seen:
                    self.repeated.append(((*path, key.value), key.start_mark))
                seen.add(key.value)
                self.at[(*path, key.value)] = (key.start_mark.line + 1, key.start_mark.column + 1)
                self._walk((*path, key.value), value)
        elif isinstance(node, yaml.SequenceNode):
            for position, value in enumerate(node.value):
                self._walk((*path, position), value)

    def find(self, path: Path_) -> tuple[int, int]:
        """The place of the path, or of the nearest thing around it."""
        wanted = tuple(str(p) if not isinstance(p, int) else p for p in path)
        for end in range(len(wanted), -1, -1):
            if wanted[:end] in self.at:
                return self.at[wanted[:end]]
        return (1, 1)


def _short(path: Path, settings: Settings) -> str:
    for root in (settings.home, settings.dbt_project.parent / "data"):
        if path.is_relative_to(root):
            return path.relative_to(root).as_posix()
    return path.name


def _finding(code: str, message: str, file: str, place: tuple[int, int], **more: Any) -> Finding:
    return Finding(
        code,
        Severity.FAIL,
        message,
        stage="rules",
        file=file,
        row=place[0],
        column=f"column {place[1]}",
        **more,
    )


def _fields(model: type[BaseModel], path: Path_) -> list[str]:
    """Names a mapping at ``path`` may hold, for a did-you-mean."""
    current: Any = model
    for part in path:
        if isinstance(part, int):
            continue
        fields = getattr(current, "model_fields", {})
        if part not in fields:
            return []
        current = fields[part].annotation
        arguments = getattr(current, "__args__", ())
        while arguments and not hasattr(current, "model_fields"):
            current = next((a for a in arguments if hasattr(a, "model_fields")), arguments[0])
            arguments = getattr(current, "__args__", ())
    return list(getattr(current, "model_fields", {}))


def _from_pydantic(error: ValidationError, model: type[BaseModel], lines: Places, file: str) -> list[Finding]:
    findings = []
    for detail in error.errors():
        path: Path_ = tuple(detail["loc"])
        place = lines.find(path)
        name = ".".join(str(p) for p in path) or file
        found = None if isinstance(detail["input"], dict | list) else str(detail["input"])
        if detail["type"] == "extra_forbidden":
            close = get_close_matches(str(path[-1]), _fields(model, path[:-1]), n=1)
            fix = f"Did you mean {close[0]}?" if close else "Remove it."
            findings.append(
                _finding("unknown-key", f"{name} is not a key here", file, place, found=str(path[-1]), fix=fix)
            )
        elif detail["type"] == "missing":
            what = "missing-source" if path[-1] == "source" else "missing-key"
            message = f"{name} is missing"
            fix = "Say where the value comes from." if what == "missing-source" else "Add it."
            findings.append(_finding(what, message, file, place, expected=str(path[-1]), fix=fix))
        else:
            message = f"{name}: {detail['msg'].removeprefix('Value error, ')}"
            findings.append(_finding("invalid-value", message, file, place, found=found, fix="Correct the value."))
    return findings


def _read(path: Path, model: type[Model], settings: Settings, findings: list[Finding]) -> tuple[Model | None, Places]:
    file = _short(path, settings)
    try:
        text = path.read_text(encoding="utf-8")
        root = yaml.compose(text, Loader=_LOADER)
        content = yaml.load(text, Loader=_LOADER)
    except FileNotFoundError:
        findings.append(_finding("missing-file", f"{file} is missing", file, (1, 1), fix="Put it back."))
        return None, Places(None)
    except UnicodeDecodeError:
        findings.append(_finding("wrong-encoding", f"{file} is not UTF-8", file, (1, 1), fix="Save it as UTF-8."))
        return None, Places(None)
    except (yaml.YAMLError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        place = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        what = getattr(error, "problem", None) or str(error)
        findings.append(_finding("invalid-yaml", f"{file} is not valid YAML: {what}", file, place, fix="Correct it."))
        return None, Places(None)
    lines = Places(root)
    for repeated, mark in lines.repeated:
        name = ".".join(str(p) for p in repeated)
        place = (mark.line + 1, mark.column + 1)
        findings.append(_finding("repeated-key", f"{name} stands twice", file, place, fix="Keep one of them."))
    if lines.repeated:
        return None, lines
    try:
        return model.model_validate(content), lines
    except ValidationError as error:
        findings.extend(_from_pydantic(error, model, lines, file))
        return None, lines


def read_checked(path: Path, model: type[Model], settings: Settings) -> tuple[Model, Places]:
    """Read one YAML file of any typed kind, and where each of its values stands.

    Raises:
        RuleProblem: with one finding per mistake, each naming file, line and column.
    """
    findings: list[Finding] = []
    content, places = _read(path, model, settings, findings)
    if content is None or findings:
        raise RuleProblem(f"{_short(path, settings)} cannot be used as it stands.", findings)
    return content, places


def load_rules(settings: Settings, *, only: str | None = None) -> RuleBook:
    """Read and check every rule file. With ``only``, the other rounds may name rule sets that are not at hand, as in
    the rule book of a revision, and are left out.

    Raises:
        RuleProblem: with one finding per mistake, each naming file, line and column.
    """
    findings: list[Finding] = []
    rule_sets: dict[str, RuleSet] = {}
    hashes: dict[str, str] = {}
    for path in sorted(settings.rules.glob("*.yaml")):
        rule_set, lines = _read(path, RuleSet, settings, findings)
        if rule_set is None:
            continue
        if rule_set.rule_set != path.stem:
            place = lines.find(("rule_set",))
            message = f"the file is named {path.stem}, the rule set {rule_set.rule_set}"
            findings.append(
                _finding("wrong-name", message, _short(path, settings), place, fix="Give both the same name.")
            )
        rule_sets[rule_set.rule_set] = rule_set
        hashes[rule_set.rule_set] = hashlib.sha256(path.read_bytes()).hexdigest()
    rounds, lines = _read(settings.rounds, Rounds, settings, findings)
    exceptions, exception_lines = _read(settings.registers / "exceptions.yaml", Exceptions, settings, findings)
    governors, _ = _read(settings.registers / "county_governors.yaml", Governors, settings, findings)
    known_files = {path.stem for path in settings.rules.glob("*.yaml")}
    seen: set[str] = set()
    cohorts: dict[str, str] = {}
    for position, round_ in enumerate(rounds.rounds if rounds else ()):
        file = _short(settings.rounds, settings)
        if round_.rule_set not in known_files and only in (None, round_.id):
            close = get_close_matches(round_.rule_set, known_files, n=1)
            fix = f"Did you mean {close[0]}?" if close else f"Known: {', '.join(sorted(known_files))}."
            place = lines.find(("rounds", position, "rule_set"))
            message = f"round {round_.id} names a rule set that does not exist"
            findings.append(_finding("unknown-rule-set", message, file, place, found=round_.rule_set, fix=fix))
        if round_.id in seen:
            place = lines.find(("rounds", position, "id"))
            findings.append(
                _finding(
                    "repeated-round",
                    f"round {round_.id} stands twice",
                    file,
                    place,
                    fix="Give it another id.",
                )
            )
        if round_.cohort_id in cohorts:
            place = lines.find(("rounds", position, "selection_date"))
            message = (
                f"rounds {cohorts[round_.cohort_id]} and {round_.id} would both give the cohort {round_.cohort_id}"
            )
            findings.append(_finding("repeated-cohort", message, file, place, fix="Name the cohort of one of them."))
        cohorts[round_.cohort_id] = round_.id
        seen.add(round_.id)
    for position, row in enumerate(exceptions.exceptions if exceptions else ()):
        for name in () if row.rounds == "all" else row.rounds:
            if name not in seen:
                place = exception_lines.find(("exceptions", position, "rounds"))
                findings.append(
                    _finding(
                        "unknown-round",
                        f"there is no round {name}",
                        "registers/exceptions.yaml",
                        place,
                        found=name,
                        fix=_nearest(name, seen),
                    )
                )
    if findings or rounds is None or exceptions is None or governors is None:
        raise RuleProblem("The rules cannot be used as they stand.", findings)
    kept = tuple(r for r in rounds.rounds if only in (None, r.id))
    return RuleBook(rule_sets, hashes, kept, exceptions, governors)


def _nearest(name: str, known: Sequence[str] | set[str]) -> str:
    close = get_close_matches(name, list(known), n=1)
    return f"Did you mean {close[0]}?" if close else f"Known: {', '.join(sorted(known))}."
