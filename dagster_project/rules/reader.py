"""Read one YAML file into plain values, and remember the line and column of each.

What no rule file needs is refused while the file is parsed, before anything is expanded: anchors, tags, several
documents, deep nesting, and values that YAML takes for something else than what they look like.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NoReturn

import yaml

from dagster_project.diagnostics import Finding, RuleProblem, Severity
from dagster_project.rules.fields import At

MOST_BYTES = 1_000_000
MOST_LEVELS = 30
MOST_VALUES = 100_000
MOST_FINDINGS = 100
Place = tuple[int, int]

# the parser in C is ten times faster, where it was built
_LOADER: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# all but the characters of YAML; bytes that are not UTF-8 are decoded to some that are not
_NOT_TEXT = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# of these an unclosed one is found far from where it was opened
_OPENED = ("while parsing a flow sequence", "while parsing a flow mapping", "while scanning a quoted scalar")


@dataclass(frozen=True)
class _Kind:
    """How a value without quotes may be written, how it is read, and what to write otherwise."""

    pattern: str
    read: Callable[[str], object]
    expected: str


_KINDS = {
    "null": _Kind(".*", lambda _: None, ""),
    "bool": _Kind("(?i:true|false)", lambda text: text.lower() == "true", "true or false, or the text in quotes"),
    "int": _Kind("[-+]?(0|[1-9][0-9]{0,17})", int, "a number in plain digits, or the code in quotes"),
    "float": _Kind(r"[-+]?[0-9]{0,18}\.[0-9]{0,18}([eE][-+][0-9]{1,2})?", float, "a number in plain digits"),
    "timestamp": _Kind("[0-9]{4}-[0-9]{2}-[0-9]{2}", dt.date.fromisoformat, "a date such as 2026-02-15"),
}
_NONE = _Kind("(?!)", str, "the text in quotes")


@dataclass
class Places:
    """Line and column of every place in a YAML document, by path."""

    at: dict[At, Place] = field(default_factory=dict)

    def find(self, path: At) -> Place:
        """The place of the path, or of the nearest thing around it."""
        ends = (path[:end] for end in range(len(path), -1, -1))
        return next((self.at[end] for end in ends if end in self.at), (1, 1))


@dataclass
class Document:
    """What a file holds, where each value stands, and what is wrong with it. With findings, ``content`` is None."""

    file: str
    content: Any = None
    places: Places = field(default_factory=Places)
    findings: list[Finding] = field(default_factory=list)


class _Refused(Exception):
    """The file is not read any further."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.message)
        self.finding = finding


def rule_finding(code: str, message: str, file: str, place: Place, found: str, expected: str, fix: str) -> Finding:
    """A mistake in a rule file at a line and column."""
    return Finding(
        code, Severity.FAIL, message, stage="rules", file=file, row=place[0], column=f"column {place[1]}",
        found=found, expected=expected, fix=fix,
    )  # fmt: skip


def too_many(finding: Finding) -> Finding:
    """What is said instead of a finding after very many."""
    return replace(
        finding, code="too-many-mistakes", message=f"this and what follows is not shown: {MOST_FINDINGS} mistakes are",
        found=f"more than {MOST_FINDINGS} mistakes", expected="no mistakes", fix="Correct those that are shown first.",
    )  # fmt: skip


def as_written(value: object) -> str:
    """A value as a rule file holds it, shortened: text in quotes where YAML would take it for something else."""
    if isinstance(value, str) and value.strip():
        plain = _LOADER("").resolve(yaml.ScalarNode, value, (True, False)).endswith(":str")
        text = value if plain else f'"{value}"'
    else:
        text = str(value) if isinstance(value, dt.date) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _place(mark: Any) -> Place:
    return mark.line + 1, mark.column + 1


class _Builder:
    """Builds the values of a document from the events of the parser, in one pass."""

    def __init__(self, text: str, document: Document) -> None:
        self.events = _LOADER(text)
        self.last: Any = None
        self.document = document

    def build(self) -> Any:
        """The content of the only document of the file, None when it is empty."""
        self.events.get_event()
        if self.events.check_event(yaml.StreamEndEvent):
            return None
        self.events.get_event()
        content = self._value(())
        self.events.get_event()
        if not self.events.check_event(yaml.StreamEndEvent):
            self._refuse("several-documents", "a second document begins", self.events.peek_event().start_mark,
                         "---", "one document", "Keep one, and remove the line of hyphens.")  # fmt: skip
        return content

    def _finding(self, code: str, message: str, mark: Any, found: str, expected: str, fix: str) -> Finding:
        return rule_finding(code, message, self.document.file, _place(mark), found, expected, fix)

    def _refuse(self, *what: Any) -> NoReturn:
        raise _Refused(self._finding(*what))

    def _next(self) -> Any:
        event = self.last = self.events.get_event()
        alias = isinstance(event, yaml.AliasEvent)
        if alias or event.anchor is not None:
            self._refuse("yaml-alias", "anchors and aliases have no place here", event.start_mark,
                         f"{'*' if alias else '&'}{event.anchor}", "the value itself",
                         "Write the value out wherever it is needed.")  # fmt: skip
        if event.tag is not None:
            self._refuse("yaml-tag", "tags have no place here", event.start_mark,
                         event.tag, "a value without a tag", "Remove the tag.")  # fmt: skip
        return event

    def _value(self, path: At) -> Any:
        event = self._next()
        self.document.places.at.setdefault(path, _place(event.start_mark))
        if len(self.document.places.at) > MOST_VALUES:
            self._refuse("file-too-large", f"{self.document.file} is larger than any real one", event.start_mark,
                         f"more than {MOST_VALUES:,} values", f"at most {MOST_VALUES:,} values",
                         "Replace it by the right file.")  # fmt: skip
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event)
        if len(path) >= MOST_LEVELS:
            self._refuse("nested-too-deeply", "lists and keys lie too deep inside each other", event.start_mark,
                         f"more than {MOST_LEVELS} levels", f"at most {MOST_LEVELS} levels",
                         "Remove the superfluous levels.")  # fmt: skip
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(path)
        items: list[Any] = []
        while not self.events.check_event(yaml.SequenceEndEvent):
            items.append(self._value((*path, len(items))))
        self.events.get_event()
        return items

    def _mapping(self, path: At) -> dict[Any, Any]:
        content: dict[Any, Any] = {}
        while not self.events.check_event(yaml.MappingEndEvent):
            event = self._next()
            if not isinstance(event, yaml.ScalarEvent):
                self._refuse("invalid-yaml", "a list or a mapping stands where a key is expected", event.start_mark,
                             "a list or a mapping", "a key", "Correct it.")  # fmt: skip
            key = self._scalar(event)
            if key in content:
                name = ".".join(str(part) for part in (*path, key))
                self._note("repeated-key", f"{name} is given twice", event, "each key once", "Keep one of them.")
            self.document.places.at[(*path, key)] = _place(event.start_mark)
            content[key] = self._value((*path, key))
        self.events.get_event()
        return content

    def _scalar(self, event: yaml.ScalarEvent) -> Any:
        """The value of a scalar. One that YAML does not read as it looks is a finding."""
        kind = self.events.resolve(yaml.ScalarNode, event.value, event.implicit).rpartition(":")[2]
        if kind == "str":
            return event.value
        wanted = _KINDS.get(kind, _NONE)
        if re.fullmatch(wanted.pattern, event.value) is None:
            fix = "Put text and codes in quotes, and write numbers in plain digits."
            message = f"YAML reads {event.value} as another value than it looks like"
            self._note("ambiguous-value", message, event, wanted.expected, fix)
            return event.value
        try:
            return wanted.read(event.value)
        except ValueError as error:
            self._note("invalid-value", f"{event.value}: {error}", event, wanted.expected, "Correct the value.")
            return event.value

    def _note(self, code: str, message: str, event: yaml.ScalarEvent, expected: str, fix: str) -> None:
        found = self._finding(code, message, event.start_mark, event.value, expected, fix)
        if len(self.document.findings) == MOST_FINDINGS:
            raise _Refused(too_many(found))
        self.document.findings.append(found)


def _broken(error: yaml.MarkedYAMLError, last: Any, text: str, file: str) -> Finding:
    """What the parser could not read. It notices a bracket or quotation left open only where the next one ends it."""
    mark: Any = error.problem_mark
    place, what, opened = _place(mark), str(error.problem), error.context_mark
    if error.context not in _OPENED:
        quoted = isinstance(last, yaml.ScalarEvent) and not last.implicit[0]
        opened = last.start_mark if quoted and last.end_mark.line == mark.line else None
    if opened is not None and opened.line + 1 < place[0]:
        place, what = _place(opened), "what is opened here is not closed before the next key or the end"
    lines = text.rstrip().split("\n")
    if place[0] > len(lines):  # what is missing would have stood after the last line
        place, what = (len(lines), 1), "it ends before what was begun is whole"
    line = lines[place[0] - 1]
    if "\t" in line[: len(line) - len(line.lstrip())]:
        place, what = (place[0], line.index("\t") + 1), "the line begins with a tab"
    message, expected = f"{file} is not valid YAML: {what}", "valid YAML, indented with spaces"
    fix = "Correct the line, or the one above it."
    return rule_finding("invalid-yaml", message, file, place, line.strip()[:60] or "nothing", expected, fix)


def _text_of(path: Path, file: str) -> str:
    """The text of a file. Raises _Refused when there is none."""

    def refused(code: str, message: str, found: str, expected: str, fix: str) -> _Refused:
        return _Refused(rule_finding(code, message, file, (1, 1), found, expected, fix))

    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise refused("file-too-large", f"{file} is larger than any real one", f"{size:,} bytes",
                          f"at most {MOST_BYTES:,} bytes", "Replace it by the right file.")  # fmt: skip
        raw = path.read_bytes()
    except OSError as error:
        what = "is missing" if isinstance(error, FileNotFoundError) else f"cannot be read: {error.strerror}"
        raise refused("missing-file", f"{file} {what}", "no file", "a file with text", "Restore the file.") from None
    return raw.decode("utf-8-sig", "surrogateescape")


def parse_yaml(text: str, file: str) -> Document:
    """Read YAML; ``file`` is what findings call it. Never raises for what the text holds: the findings say it.

    All YAML of the project is read here: without aliases, tags and repeated keys, and with limits of size and depth.
    """
    document = Document(file)
    try:
        if odd := _NOT_TEXT.search(text):
            kind, before = "byte" if "\udc80" <= odd[0] <= "\udcff" else "character", text[: odd.start()]
            place = (before.count("\n") + 1, len(before) - before.rfind("\n"))
            raise _Refused(rule_finding("wrong-encoding", f"{file} is not text in UTF-8", file, place,
                                        f"{kind} {ord(odd[0]) & 0xFF:02x}", "text in UTF-8",
                                        "Save it as UTF-8."))  # fmt: skip
        builder = _Builder(text, document)
        try:
            document.content = builder.build()
        except yaml.MarkedYAMLError as error:
            raise _Refused(_broken(error, builder.last, text, file)) from None
    except _Refused as refused:
        document.findings.append(refused.finding)
    if document.findings:
        document.content = None
    return document


def read_yaml(path: Path, file: str) -> Document:
    """Read a file as ``parse_yaml`` does. One that is missing, too large or empty has a finding that says so."""
    try:
        document = parse_yaml(_text_of(path, file), file)
    except _Refused as refused:
        return Document(file, findings=[refused.finding])
    if document.content is None and not document.findings:
        empty = rule_finding("empty-file", f"{file} is empty", file, (1, 1), "nothing", "keys with values",
                             "Put its content back.")  # fmt: skip
        document.findings.append(empty)
    return document


def yaml_of(path: Path) -> Any:
    """The content of a file whose shape is not checked here.

    Raises:
        RuleProblem: it cannot be read.
    """
    document = read_yaml(path, path.name)
    if document.findings:
        raise RuleProblem(f"{path.name} cannot be used until these mistakes are corrected.", document.findings)
    return document.content
