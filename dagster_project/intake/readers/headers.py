"""The dotted headers of the statistics bank: ``2024-25.Lesing.5. årstrinn.Alle eierformer.Alle kjønn.Skalapoeng``.

The separator stands inside "5. årstrinn" too, but a level never begins with a blank, so a piece that does belongs to
the one before it. What each level means stands in ``intake/labels.csv``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from dagster_project import schema
from dagster_project.intake import labels
from dagster_project.intake.cells import is_school_year

VALUE, POINTS, COUNT, UNCERTAINTY, LEVEL_1 = "value", "points", "n_pupils", "uncertainty", "level_1"
BULLIED, SCORE = "bullied", "score"
"""What the measures of ``labels.csv`` mean; others are known and left in the archive."""
BULLYING = "bullying"
OF_SURVEY = (BULLIED, SCORE)
"""The measures of the Pupil Survey: the share that is bullied, and the mean of the other indicators."""
YEAR = re.compile(r"\b([0-9]{4})[-–]([0-9]{2})\b")
PERIOD = re.compile(rf"(?:foreløpig[^0-9]*)?{YEAR.pattern}(?:[^0-9]*foreløpig[^0-9]*)?", re.IGNORECASE)
"""A level that is a school year: the year alone, or called provisional. One of several years is none."""
GRADE = re.compile(r"^([0-9]{1,2})\. (?:års)?trinn$")
BREAK = "Brudd"


@dataclass(frozen=True)
class Group:
    """What a set of measure columns is about. ``survey`` is an indicator of the Pupil Survey, ``subject`` of a test."""

    school_year: str
    subject: str | None
    grade: int | None
    ownership: str
    sex: str
    provisional: bool
    survey: str | None = None


@dataclass(frozen=True)
class Column:
    """One value column of the file: its header, its group, its measure, and whether the series breaks there."""

    header: str
    group: Group
    measure: str
    broken: bool

    @property
    def dataset(self) -> str:
        """The dataset that a figure of the column would belong to."""
        if self.group.survey is not None:
            return schema.PUPIL_SURVEY
        return schema.GRADE_POINTS if self.group.subject is None else schema.NATIONAL_TESTS


@dataclass(frozen=True)
class Unread:
    """A header that is not read: the level that nobody knows, one that says a second thing, or what it ``lacks``."""

    level: str
    contradicts: bool = False
    lacks: bool = False


def split_levels(header: str) -> list[str]:
    """The levels of a dotted header. A piece that begins with a blank continues the one before it."""
    pieces: list[str] = []
    for piece in header.split("."):
        if piece.startswith(" ") and pieces:
            pieces[-1] += "." + piece
        else:
            pieces.append(piece)
    return [piece.strip() for piece in pieces]


def parse_header(header: str) -> Column | Unread:
    """The column a header describes. A level of a kind stands once in it."""
    found: dict[str, str] = {}
    provisional = broken = False
    unknown: str | None = None
    for level in split_levels(header):
        kind, meaning = meaning_of(level)
        provisional = provisional or (kind in ("year", "provisional") and "foreløpig" in level.lower())
        broken = broken or kind == "break"
        if kind is None:
            unknown = unknown or level
        elif kind in found:
            return Unread(level, contradicts=True)
        elif kind not in ("break", "provisional", "whole"):
            found[kind] = meaning
    if unknown is not None:
        # a year that is none must not pass for a label that is new
        return Unread(unknown, contradicts=bool(YEAR.search(unknown)))
    survey = "survey" in found or found.get("measure") in OF_SURVEY
    wanted = {"year": "a school year", "measure": "a measure"}
    wanted |= {"survey": "an indicator of the Pupil Survey", "grade": "a grade"} if survey else {}
    if survey and "subject" in found:
        return Unread(found["subject"], contradicts=True)
    wanted |= {"grade": "a grade"} if "subject" in found else {}
    for kind, what in wanted.items():
        if kind not in found:
            return Unread(what, lacks=True)
    if survey and (found["measure"] == BULLIED) != (found["survey"] == BULLYING):
        found["measure"] = found["measure"] if found["measure"] == COUNT else "other"
    grade = int(found["grade"]) if "grade" in found else None
    group = Group(found["year"], found.get("subject"), grade, found.get("ownership", "all"), found.get("sex", "all"),
                  provisional, found.get("survey"))  # fmt: skip
    return Column(header, group, found["measure"], broken)


def meaning_of(level: str) -> tuple[str | None, str]:
    """What kind of thing a level of a header is, and what it says; None when nobody knows."""
    if (match := PERIOD.fullmatch(level)) and is_school_year(year := f"{match[1]}-{match[2]}"):
        return "year", year
    if match := GRADE.match(level):
        return "grade", match[1]
    for kind in labels.OF_HEADERS:
        if (meaning := labels.meaning(kind, level)) is not None:
            return kind, meaning
    if level == BREAK:
        return "break", level
    return ("provisional", level) if level.lower().startswith("foreløpig") and not YEAR.search(level) else (None, level)


def dataset_of(levels: Iterable[str]) -> str:
    """What a download is about, by the levels of its headers alone."""
    known = [(labels.meaning("measure", level), labels.meaning("survey", level)) for level in levels]
    if any(measure in OF_SURVEY or survey for measure, survey in known):
        return schema.PUPIL_SURVEY
    return schema.GRADE_POINTS if any(measure == POINTS for measure, _ in known) else schema.NATIONAL_TESTS
