"""The types of a rule set, a round and the registers. Unknown keys, wrong types and missing sources are mistakes.

What a single value may be stands in ``fields.py``; here stand the models and the rules that span several fields.
Source of the rule: docs/method.md, which says what is stated by Udir and what is not.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from difflib import get_close_matches
from itertools import pairwise
from typing import Annotated, Any, Generic, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

from dagster_project.rules.fields import (
    Address,
    At,
    BaseYear,
    CountyCode,
    Day,
    Exact,
    Filled,
    Listed,
    Mistake,
    Mistakes,
    Name,
    SchoolYear,
    Text,
    Whole,
    like,
    valid_organisation_number,
)
from dagster_project.schema import GRADE_POINTS, INDICATORS, NATIONAL_TESTS, PUPIL_SURVEY, YEARLY_DATASETS, start_year

Basis = Literal["stated", "inferred", "placeholder"]
Value = TypeVar("Value")
AREAS = {PUPIL_SURVEY: "learning_environment", NATIONAL_TESTS: "national_tests", GRADE_POINTS: "grade_points"}
LONGEST_DELAY = 3
"""Years from the beginning of the last school year within which a round is held."""
MOST_UNITS = 1000
"""More than there are municipalities. A quota above it is a slip of the hand."""
MOST_YEARS = 10
Quota = Annotated[Whole, Field(ge=0, le=MOST_UNITS)]
Share = Annotated[Exact, Field(ge=0, le=1)]
# below one it is a share that was meant
Percent = Annotated[Exact, Field(ge=1, lt=100)]
Years = Annotated[Whole, Field(ge=0, le=MOST_YEARS)]


def _tuples(node: Any) -> Any:
    """YAML and JSON have lists where the models have tuples."""
    if isinstance(node, dict):
        return {key: _tuples(value) for key, value in node.items()}
    return tuple(node) if isinstance(node, list) else node


class Strict(BaseModel):
    """Frozen; no key passes that is not named here, and no value of another type."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    @model_validator(mode="before")
    @classmethod
    def _lists_are_tuples(cls, content: Any) -> Any:
        return _tuples(content)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if found := tuple(self.mistakes()):
            raise Mistakes(found)
        return self

    def mistakes(self) -> Iterable[Mistake]:
        """What is wrong between fields, each of which is right by itself."""
        return ()


class Sourced(Strict):
    """Anything that carries where it comes from."""

    basis: Basis
    source: Text
    note: Text | None = None


class Choice(Sourced, Generic[Value]):
    """One choice of the rule: its value with basis and source."""

    value: Value


class SourceEntry(Strict):
    """What the key of a source stands for."""

    text: Text
    url: Address | None = None
    retrieved: Day | None = None


Sources = dict[Text, SourceEntry]


def sourced(node: object, at: At = ()) -> Iterator[tuple[At, Sourced]]:
    """Every choice in a model with its path, in the order of the file."""
    if isinstance(node, Sourced):
        yield at, node
    elif isinstance(node, BaseModel):
        for name in type(node).model_fields:
            yield from sourced(getattr(node, name), (*at, name))
    elif isinstance(node, dict):
        for name, child in node.items():
            yield from sourced(child, (*at, name))
    elif isinstance(node, tuple):
        for position, child in enumerate(node):
            yield from sourced(child, (*at, position))


def unknown_sources(model: BaseModel, sources: Mapping[str, SourceEntry]) -> Iterator[Mistake]:
    """Choices whose source the file does not explain."""
    for at, entry in sourced(model):
        if entry.source not in sources:
            message = f"source {entry.source} is not among the sources of the file"
            yield Mistake((*at, "source"), message, f"one of {', '.join(sources)}")


class Limit(Sourced):
    """How a limit is found.

    published: the national value in the same files. fixed: ``value``, or ``values`` by grade. percentile: the value
    of the school that closes the worst ``percentile`` percent. mean_sd: mean of the schools and ``k`` standard
    deviations to the worse side. The last two are taken from ``base_year``, or from the year itself.
    """

    method: Literal["published", "fixed", "percentile", "mean_sd"]
    value: Exact | None = None
    values: dict[int, Exact] | None = None
    percentile: Percent | None = None
    k: Annotated[Exact, Field(ge=0, le=10)] | None = None
    base_year: BaseYear | None = None
    decimals: Annotated[Whole, Field(ge=0, le=4)] = 2

    def mistakes(self) -> Iterator[Mistake]:
        """Each method needs its own fields, and has no use for those of another."""
        wanted = {
            "published": set[str](),
            "fixed": {"value"} if self.values is None else {"values"},
            "percentile": {"percentile", "base_year"},
            "mean_sd": {"k", "base_year"},
        }[self.method]
        given = {n for n in ("value", "values", "percentile", "k", "base_year") if getattr(self, n) is not None}
        expected = f"method {self.method} with {' and '.join(sorted(wanted)) or 'nothing else'}"
        if missing := sorted(wanted - given):
            yield Mistake(("method",), f"method {self.method} needs {' and '.join(missing)}", expected)
        for name in sorted(given - wanted):
            yield Mistake((name,), f"method {self.method} has no use for {name}", expected)

    def fixed(self) -> Iterator[tuple[At, int | None, Decimal]]:
        """The fixed values with their path and grade, None standing for every grade."""
        if self.value is not None:
            yield ("value",), None, self.value
        for grade, value in (self.values or {}).items():
            yield ("values", grade), grade, value

    def fixed_for(self, grade: int) -> Decimal | None:
        """The fixed value for a grade, None for other methods."""
        return self.values[grade] if self.values is not None else self.value


class Indicator(Strict):
    """One indicator of the rule, with its grades, weight, direction and both limits."""

    name: Text
    area: Literal["learning_environment", "national_tests", "grade_points"]
    dataset: Text
    grades: Choice[Listed[int]]
    weight: Choice[Annotated[Exact, Field(gt=0, le=100)]]
    direction: Choice[Literal["higher_is_worse", "lower_is_worse"]]
    decimals: Choice[Annotated[Whole, Field(ge=0, le=4)]]
    national: Limit
    absolute: Limit

    def mistakes(self) -> Iterator[Mistake]:
        """The indicator is as the files have it, and its limits lie on its scale, the absolute one beyond the other."""
        known = INDICATORS.get(self.name)
        if known is None:
            close = get_close_matches(self.name, INDICATORS, n=1)
            hint = f"; did you mean {close[0]}?" if close else ""
            yield Mistake(("name",), f"unknown indicator {self.name}{hint}", f"one of {', '.join(INDICATORS)}")
            return
        if self.dataset != known.dataset:
            message = f"{self.name} stands in {known.dataset}, not in {self.dataset}"
            yield Mistake(("dataset",), message, known.dataset)
        elif self.area != AREAS[known.dataset]:
            yield Mistake(("area",), f"{self.name} is not of the area {self.area}", AREAS[known.dataset])
        grades = self.grades.value
        for position, grade in enumerate(grades):
            if grade not in known.grades:
                message = f"{self.name} has no grade {grade}; its grades are {list(known.grades)}"
                yield Mistake(("grades", "value", position), message, f"grades among {list(known.grades)}")
        for side, limit in (("national", self.national), ("absolute", self.absolute)):
            if limit.values is not None and set(limit.values) != set(grades):
                message = f"values by grade must name exactly the grades {list(grades)}"
                yield Mistake((side, "values"), message, f"the grades {list(grades)}")
            for at, _, value in limit.fixed():
                if not known.scale_min <= float(value) <= known.scale_max:
                    scale = f"{known.scale_min} to {known.scale_max}"
                    message = f"{value} lies outside of the scale of {self.name}, {scale}"
                    yield Mistake((side, *at), message, f"a value from {scale}")
        yield from self._order()

    def _order(self) -> Iterator[Mistake]:
        """The absolute limit is at least as bad as the national one, where both are found in the same way."""
        one, other = self.national, self.absolute
        if (one.method, one.base_year) != (other.method, other.base_year):
            return
        if one.percentile is not None and other.percentile is not None and other.percentile > one.percentile:
            expected = f"at most {one.percentile}, the national percentile"
            yield Mistake(("absolute", "percentile"), "the absolute limit is reached before the national one", expected)
        if one.k is not None and other.k is not None and other.k < one.k:
            expected = f"at least {one.k}, the national k"
            yield Mistake(("absolute", "k"), "the absolute limit is reached before the national one", expected)
        higher = self.direction.value == "higher_is_worse"
        for at, grade, value in other.fixed():
            for _, its_grade, national in one.fixed():
                same = grade is None or its_grade is None or grade == its_grade
                if same and (value < national if higher else value > national):
                    expected = f"{'at least' if higher else 'at most'} {national}, the national limit"
                    message = f"{value} is reached before the national limit {national}"
                    yield Mistake(("absolute", *at), message, expected)


class Window(Strict):
    """Which years count, and how grades and years are put together (A1, A2)."""

    years: Choice[Annotated[Whole, Field(ge=1, le=MOST_YEARS)]]
    aggregation: Choice[Literal["per_year", "window_mean"]]
    grades: Choice[Literal["separate", "pooled"]]
    lag: dict[str, Choice[Annotated[Whole, Field(ge=0, le=5)]]]

    def mistakes(self) -> Iterator[Mistake]:
        """Only datasets of a year have a lag."""
        for name in self.lag:
            if name not in YEARLY_DATASETS:
                known = ", ".join(YEARLY_DATASETS)
                yield Mistake(("lag", name), f"unknown dataset {name}; known are {known}", f"one of {known}")


class Points(Strict):
    """Points for a value worse than each limit, and what worse means (A3)."""

    national: Choice[Annotated[Whole, Field(ge=0, le=9)]]
    absolute: Choice[Annotated[Whole, Field(ge=1, le=9)]]
    comparison: Choice[Literal["strictly_worse", "worse_or_equal"]]
    no_participants: Choice[Literal["not_applicable", "hidden"]]

    def mistakes(self) -> Iterator[Mistake]:
        """The absolute limit costs at least as much as the national one."""
        if self.national.value > self.absolute.value:
            message = "worse than the national limit cannot cost more than worse than the absolute limit"
            yield Mistake(("national", "value"), message, f"at most {self.absolute.value}")


class Coverage(Strict):
    """How much of a unit must be visible for it to be rated (A13)."""

    min_coverage: Choice[Share]
    min_areas: Choice[Annotated[Whole, Field(ge=0, le=3)]]


class Scope(Strict):
    """Whose figures count (A6, A8, A11)."""

    municipality_ownership: Choice[Literal["public", "all"]]
    national_ownership: Choice[Literal["public", "all"]]
    school_ownership: Choice[Literal["public", "all"]]
    special_schools: Choice[Literal["include", "exclude"]]
    closed_schools: Choice[Literal["leave_out", "keep"]]
    municipality_share_from: Choice[Literal["municipality_values", "school_points"]]
    in_scheme: Choice[Literal["exclude", "mark"]]


class Restructured(Strict):
    """What is done with municipalities that were split or merged."""

    treatment: Choice[Literal["recompute_from_schools", "mark"]]
    min_observed_school_percent: Choice[Annotated[Exact, Field(ge=0, le=100)]]


class WorstSchools(Strict):
    """Which schools are the nation's worst (A9)."""

    percent: Choice[Percent]
    ties: Choice[Literal["strict_order", "include_ties"]]


class AverageGroup(Strict):
    """Gjennomsnittsuttrekket."""

    quota: Choice[Quota]
    reserve: Choice[Quota]
    ties: Choice[Literal["strict_order", "include_ties"]]


class SpreadGroup(Strict):
    """Spredningsuttrekket (A7, A10, A12, A15, A16)."""

    quota: Choice[Quota]
    reserve: Choice[Quota]
    measure: Choice[Literal["standard_deviation", "max_minus_rest_mean", "range", "iqr"]]
    level: Choice[Share]
    min_schools: Choice[Annotated[Whole, Field(ge=2, le=100)]]
    excludes_average: Choice[bool]
    priority: Choice[Literal["required", "advisory"]]
    candidates: Choice[Literal["all_identified", "quota_and_reserve", "worst_quarter"]]
    order: Choice[Literal["priority_then_spread", "spread"]]


class Groups(Strict):
    average: AverageGroup
    spread: SpreadGroup


class Report(Strict):
    """A report of the follow-up: after which year of it, and who owes it."""

    report: Annotated[Whole, Field(ge=1, le=99)]
    after_year: Annotated[Whole, Field(ge=1)]
    senders: Listed[Literal["municipality", "guides", "county_governor"]]


class Followup(Strict):
    """The years after: phases (forfase, gjennomføringsfase) and the reports on them."""

    preparatory_years: Choice[Years]
    implementation_years: Choice[Years]
    starts_in_month: Choice[Annotated[Whole, Field(ge=1, le=12)]]
    reports_due_after_months: Choice[Annotated[Whole, Field(ge=0, le=12)]]
    reports: Choice[Filled[Report]]

    @property
    def years(self) -> int:
        """How long it lasts."""
        return self.preparatory_years.value + self.implementation_years.value

    def mistakes(self) -> Iterator[Mistake]:
        """The follow-up lasts, and each report has its own number and falls within its years."""
        years = self.years
        if years == 0:
            yield Mistake(("implementation_years", "value"), "the follow-up lasts no year", "at least one year")
        numbers: set[int] = set()
        for position, entry in enumerate(self.reports.value):
            at = ("reports", "value", position)
            if entry.report in numbers:
                yield Mistake((*at, "report"), f"report {entry.report} is given twice", "a number of its own")
            if entry.after_year > years > 0:
                message = f"the follow-up has no year {entry.after_year}"
                yield Mistake((*at, "after_year"), message, f"a year from 1 to {years}")
            numbers.add(entry.report)


TieBreak = Literal["absolute_hit_share", "pupils", "none"]


class RuleSet(Strict):
    """A whole rule set, as one YAML file holds it."""

    rule_set: Name
    title: Text
    scheme_version: Text
    sources: Sources
    window: Window
    points: Points
    indicators: Filled[Indicator]
    coverage: Coverage
    scope: Scope
    restructured: Restructured
    worst_schools: WorstSchools
    tie_breaks: Choice[tuple[TieBreak, TieBreak]]
    groups: Groups
    followup: Followup

    def mistakes(self) -> Iterator[Mistake]:
        """Every indicator once, with the lag of its dataset; grades, tie-breaks and sources fit together."""
        names: set[str] = set()
        for position, indicator in enumerate(self.indicators):
            at = ("indicators", position)
            if indicator.name in names:
                yield Mistake((*at, "name"), f"indicator {indicator.name} is given twice", "each indicator once")
            names.add(indicator.name)
            if indicator.dataset not in self.window.lag:
                message = f"window.lag says nothing of {indicator.dataset}, which {indicator.name} needs"
                yield Mistake(("window", "lag"), message, f"an entry for {indicator.dataset}")
            for side, limit in (("national", indicator.national), ("absolute", indicator.absolute)):
                if self.window.grades.value == "pooled" and limit.values is not None:
                    message = f"{indicator.name} has limits by grade, but grades are pooled"
                    yield Mistake((*at, side, "values"), message, "one value for all grades")
        first, second = self.tie_breaks.value
        if first == second != "none":
            yield Mistake(("tie_breaks", "value", 1), f"{second} is given twice", "another tie-break, or none")
        yield from unknown_sources(self, self.sources)

    def sourced(self) -> Iterator[tuple[str, Sourced]]:
        """Every choice of the rule set with its path, indicators by name, in the order of the file."""
        for at, entry in sourced(self):
            yield ".".join(self.indicators[part].name if isinstance(part, int) else part for part in at), entry

    @property
    def placeholders(self) -> tuple[str, ...]:
        """Paths of the choices nobody has published."""
        return tuple(path for path, entry in self.sourced() if entry.basis == "placeholder")


class Round(Strict):
    """One selection round (uttrekk)."""

    id: Name
    title: Text
    origin: Literal["fictional", "official"]
    rule_set: Text
    last_school_year: SchoolYear
    selection_date: Day
    status: Literal["draft"]
    source: Text
    cohort: Annotated[str, like("uttrekk_[0-9]{4}[a-z0-9_]*", "a name such as uttrekk_2026")] | None = None
    priorities_due: Day | None = None
    queries_due: Day | None = None

    @property
    def cohort_id(self) -> str:
        """Name of the municipalities selected in this round, by the year of the selection unless the entry names it."""
        return self.cohort or f"uttrekk_{self.selection_date.year}"

    def mistakes(self) -> Iterator[Mistake]:
        """The selection follows its last school year, and the deadlines follow the selection."""
        began = dt.date(start_year(self.last_school_year), 8, 1)
        until = began.replace(year=began.year + LONGEST_DELAY)
        if not began <= self.selection_date < until:
            message = f"the selection does not fit the last school year {self.last_school_year}"
            yield Mistake(("selection_date",), message, f"a date from {began} and before {until}")
            return
        latest = self.selection_date + dt.timedelta(days=366)
        for name in ("priorities_due", "queries_due"):
            day = getattr(self, name)
            if day is not None and not self.selection_date <= day <= latest:
                side = "before the selection date" if day < self.selection_date else "over a year after the selection"
                yield Mistake((name,), f"{name} lies {side}", f"a date from {self.selection_date} to {latest}")


class Rounds(Strict):
    """The file of rounds."""

    rounds: Filled[Round]


class PublicEdition(Strict):
    """What everybody may be shown: on how few pupils no figure may rest, and what must stay open about a hidden one.

    ``min_hidden`` parts of a sum hide together; of a hidden share at least ``min_counts`` numbers of pupils are
    possible, and of a hidden mean at least ``min_interval`` of its scale. What is promised to everybody
    (docs/public-edition.md) is the least; a register may ask for more.
    """

    min_pupils: Choice[Annotated[Whole, Field(ge=10, le=MOST_UNITS)]]
    min_hidden: Choice[Annotated[Whole, Field(ge=2, le=100)]]
    min_counts: Choice[Annotated[Whole, Field(ge=3, le=100)]]
    min_interval: Choice[Annotated[Exact, Field(ge=Decimal("0.1"), le=1)]]


class Publication(Strict):
    """The register of what may be shown, and of whom those may ask who get a form."""

    publication: PublicEdition
    questions_to: Text = "den som sendte skjemaet"
    sources: Sources

    def mistakes(self) -> Iterator[Mistake]:
        """Sources are known."""
        return unknown_sources(self, self.sources)


UNIT_CODES = {
    "municipality": ("[0-9]{4}", "a municipality code of four digits, in quotes"),
    "county": ("[0-9]{2}", "a county code of two digits, in quotes"),
    "school": ("[0-9]{9}|U[0-9]{8}", "an organisation number of nine digits, or U and eight digits"),
}
# the levels at which a kind is looked for
UNIT_LEVELS = {
    "pseudo_unit": ("municipality", "county", "school"),
    "excluded": ("municipality", "school"),
    "in_scheme": ("municipality",),
    "special_school": ("school",),
}


def _period(valid_from: dt.date | None, valid_to: dt.date | None) -> Iterator[Mistake]:
    if valid_from is not None and valid_to is not None and valid_to < valid_from:
        yield Mistake(("valid_to",), "valid_to lies before valid_from", f"a date from {valid_from} on")


class ExceptionRow(Strict):
    """A unit kept out or marked, with its ground."""

    unit_level: Literal["municipality", "school", "county"]
    unit_code: Text
    kind: Literal["pseudo_unit", "excluded", "in_scheme", "special_school"]
    rounds: Annotated[
        Annotated[Literal["all"], Tag("all")] | Annotated[Listed[Text], Tag("list")],
        Discriminator(lambda value: "all" if value == "all" else "list"),
    ]
    ground: Text
    source: Text
    valid_from: Day | None = None
    valid_to: Day | None = None

    def mistakes(self) -> Iterator[Mistake]:
        """The code is one of the level, and the kind one that is looked for at the level."""
        pattern, meaning = UNIT_CODES[self.unit_level]
        if re.fullmatch(pattern, self.unit_code) is None:
            yield Mistake(("unit_code",), f"{self.unit_code} is no code of a {self.unit_level}", meaning)
        elif len(self.unit_code) == 9 and self.unit_code.isdigit() and not valid_organisation_number(self.unit_code):
            message = f"the check digit of {self.unit_code} is wrong"
            yield Mistake(("unit_code",), message, "an organisation number as the register has it")
        if self.unit_level not in (levels := UNIT_LEVELS[self.kind]):
            expected = f"{self.kind} of a {' or a '.join(levels)}"
            yield Mistake(("kind",), f"a {self.unit_level} cannot be {self.kind}", expected)
        yield from _period(self.valid_from, self.valid_to)


class Exceptions(Strict):
    """The register of exceptions."""

    exceptions: tuple[ExceptionRow, ...]

    def mistakes(self) -> Iterator[Mistake]:
        """No exception is given twice."""
        seen: set[ExceptionRow] = set()
        for position, row in enumerate(self.exceptions):
            bare = row.model_copy(update={"ground": "", "source": ""})
            if bare in seen:
                message = f"the exception of {row.unit_level} {row.unit_code} is given twice"
                yield Mistake(("exceptions", position), message, "each exception once")
            seen.add(bare)


class Governor(Strict):
    """A county governor's office and the counties it covers in a time."""

    name: Text
    code: Annotated[str, like("[0-9A-Z]{2,9}", "two to nine digits or capital letters")] | None = None
    counties: Listed[CountyCode]
    valid_from: Day
    valid_to: Day | None = None
    fictional: bool = False

    def mistakes(self) -> Iterator[Mistake]:
        """A real office has an organisation number, if any; an invented one may have a code of its own."""
        if self.code is not None and not self.fictional and not valid_organisation_number(self.code):
            message = f"{self.code} is no organisation number"
            yield Mistake(("code",), message, "nine digits with their check digit, in quotes")
        yield from _period(self.valid_from, self.valid_to)


class Governors(Strict):
    """The register of county governors."""

    governors: Filled[Governor]

    def mistakes(self) -> Iterator[Mistake]:
        """A county has one governor at a time."""
        covered: dict[str, list[tuple[dt.date, dt.date, At]]] = {}
        for position, office in enumerate(self.governors):
            for place, county in enumerate(office.counties):
                at: At = ("governors", position, "counties", place)
                covered.setdefault(county, []).append((office.valid_from, office.valid_to or dt.date.max, at))
        for county, periods in covered.items():
            periods.sort()
            for (_, until, _), (begins, _, at) in pairwise(periods):
                if begins <= until:
                    message = f"county {county} has two governors from {begins}"
                    yield Mistake(at, message, "one governor for a county at a time")
