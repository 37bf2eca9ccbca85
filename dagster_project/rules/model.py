"""The types of a rule set, a round and the registers. Unknown keys, wrong types and missing sources do not pass.

Source of the rule: docs/method.md, which says what is stated by Udir and what is not.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, Generic, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from dagster_project.schema import INDICATORS, YEARLY_DATASETS

SCHOOL_YEAR = re.compile(r"^(\d{4})-(\d{2})$")
SAME_YEAR = "same_year"
Basis = Literal["stated", "inferred", "placeholder"]
Value = TypeVar("Value")


def _exact(value: object) -> object:
    """YAML gives floats; a decimal of what was written keeps 0.15 at 0.15."""
    return Decimal(str(value)) if isinstance(value, float) else value


def _school_year(value: object) -> object:
    match = SCHOOL_YEAR.match(value) if isinstance(value, str) else None
    if match is None or (int(match[1]) + 1) % 100 != int(match[2]):
        raise ValueError("expected a school year such as 2024-25")
    return value


Exact = Annotated[Decimal, BeforeValidator(_exact)]
SchoolYear = Annotated[str, BeforeValidator(_school_year)]
BaseYear = Annotated[str, BeforeValidator(lambda v: v if v == SAME_YEAR else _school_year(v))]
Code = Annotated[str, Field(pattern=r"^[0-9A-Z]{2,9}$")]


class Strict(BaseModel):
    """Frozen, and no key passes that is not named here."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Sourced(Strict):
    """Anything that carries where it comes from."""

    basis: Basis
    source: str
    note: str | None = None


class Choice(Sourced, Generic[Value]):
    """One choice of the rule: its value with basis and source."""

    value: Value


class SourceEntry(Strict):
    """What the key of a source stands for."""

    text: str
    url: str | None = None
    retrieved: dt.date | None = None


class Limit(Sourced):
    """How a limit is found.

    published: the national value in the same files. fixed: ``value``, or ``values`` by grade. percentile: the value
    of the school that closes the worst ``percentile`` percent. mean_sd: mean of the schools and ``k`` standard
    deviations to the worse side. The last two are taken from ``base_year``, or from the year itself.
    """

    method: Literal["published", "fixed", "percentile", "mean_sd"]
    value: Exact | None = None
    values: dict[int, Exact] | None = None
    percentile: Annotated[Exact, Field(gt=0, lt=100)] | None = None
    k: Annotated[Exact, Field(ge=0)] | None = None
    base_year: BaseYear | None = None
    decimals: Annotated[int, Field(ge=0, le=4)] = 2

    @model_validator(mode="after")
    def _fits_method(self) -> Limit:
        wanted = {
            "published": set[str](),
            "fixed": {"value"} if self.values is None else {"values"},
            "percentile": {"percentile", "base_year"},
            "mean_sd": {"k", "base_year"},
        }[self.method]
        given = {
            name for name in ("value", "values", "percentile", "k", "base_year") if getattr(self, name) is not None
        }
        if missing := wanted - given:
            raise ValueError(f"method {self.method} needs {' and '.join(sorted(missing))}")
        if extra := given - wanted:
            raise ValueError(f"method {self.method} has no use for {' and '.join(sorted(extra))}")
        return self

    def fixed_for(self, grade: int) -> Decimal | None:
        """The fixed value for a grade, None for other methods."""
        return self.values[grade] if self.values is not None else self.value


class Indicator(Strict):
    """One indicator of the rule, with its grades, weight, direction and both limits."""

    name: str
    area: Literal["learning_environment", "national_tests", "grade_points"]
    dataset: str
    grades: Choice[tuple[int, ...]]
    weight: Choice[Annotated[Exact, Field(gt=0)]]
    direction: Choice[Literal["higher_is_worse", "lower_is_worse"]]
    decimals: Choice[Annotated[int, Field(ge=0, le=4)]]
    national: Limit
    absolute: Limit

    @model_validator(mode="after")
    def _known(self) -> Indicator:
        from difflib import get_close_matches

        known = INDICATORS.get(self.name)
        if known is None:
            close = get_close_matches(self.name, INDICATORS, n=1)
            hint = f"; did you mean {close[0]}?" if close else ""
            raise ValueError(f"unknown indicator {self.name}{hint}")
        if self.dataset != known.dataset:
            raise ValueError(f"{self.name} stands in {known.dataset}, not in {self.dataset}")
        if wrong := [g for g in self.grades.value if g not in known.grades]:
            raise ValueError(f"{self.name} has no grade {wrong[0]}; its grades are {list(known.grades)}")
        for side in (self.national, self.absolute):
            if side.values is not None and set(side.values) != set(self.grades.value):
                raise ValueError(f"values by grade must name exactly the grades {list(self.grades.value)}")
        return self


class Window(Strict):
    """Which years count, and how grades and years are put together (A1, A2)."""

    years: Choice[Annotated[int, Field(ge=1, le=10)]]
    aggregation: Choice[Literal["per_year", "window_mean"]]
    grades: Choice[Literal["separate", "pooled"]]
    lag: dict[str, Choice[Annotated[int, Field(ge=0, le=5)]]]

    @model_validator(mode="after")
    def _datasets(self) -> Window:
        if unknown := sorted(set(self.lag) - set(YEARLY_DATASETS)):
            raise ValueError(f"unknown dataset {unknown[0]}; known are {', '.join(YEARLY_DATASETS)}")
        return self


class Points(Strict):
    """Points for a value worse than each limit, and what worse means (A3)."""

    national: Choice[Annotated[int, Field(ge=0, le=9)]]
    absolute: Choice[Annotated[int, Field(ge=1, le=9)]]
    comparison: Choice[Literal["strictly_worse", "worse_or_equal"]]
    no_participants: Choice[Literal["not_applicable", "hidden"]]

    @model_validator(mode="after")
    def _order(self) -> Points:
        if self.national.value > self.absolute.value:
            raise ValueError("worse than the national limit cannot cost more than worse than the absolute limit")
        return self


class Coverage(Strict):
    """How much of a unit must be visible for it to be rated (A13)."""

    min_coverage: Choice[Annotated[Exact, Field(ge=0, le=1)]]
    min_areas: Choice[Annotated[int, Field(ge=0, le=3)]]


class Scope(Strict):
    """Whose figures count (A6, A8, A11)."""

    municipality_ownership: Choice[Literal["public", "all"]]
    national_ownership: Choice[Literal["public", "all"]]
    school_ownership: Choice[Literal["public", "all"]]
    special_schools: Choice[Literal["include", "exclude"]]
    require_last_year: Choice[bool]
    municipality_share_from: Choice[Literal["municipality_values", "school_points"]]
    in_scheme: Choice[Literal["exclude", "mark"]]


class Restructured(Strict):
    """What is done with municipalities that were split or merged."""

    treatment: Choice[Literal["recompute_from_schools", "mark"]]
    min_observed_school_percent: Choice[Annotated[Exact, Field(ge=0, le=100)]]


class WorstSchools(Strict):
    """Which schools are the nation's worst (A9)."""

    percent: Choice[Annotated[Exact, Field(gt=0, lt=100)]]
    ties: Choice[Literal["strict_order", "include_ties"]]


class AverageGroup(Strict):
    """Gjennomsnittsuttrekket."""

    quota: Choice[Annotated[int, Field(ge=0)]]
    reserve: Choice[Annotated[int, Field(ge=0)]]
    ties: Choice[Literal["strict_order", "include_ties"]]


class SpreadGroup(Strict):
    """Spredningsuttrekket (A7, A10, A12, A15)."""

    quota: Choice[Annotated[int, Field(ge=0)]]
    reserve: Choice[Annotated[int, Field(ge=0)]]
    measure: Choice[Literal["standard_deviation", "max_minus_rest_mean", "range", "iqr"]]
    level: Choice[Annotated[Exact, Field(ge=0, le=1)]]
    min_schools: Choice[Annotated[int, Field(ge=2)]]
    excludes_average: Choice[bool]
    priority: Choice[Literal["required", "advisory"]]
    order: Choice[Literal["priority_then_spread", "spread"]]


class Groups(Strict):
    average: AverageGroup
    spread: SpreadGroup


class Report(Strict):
    """A report of the follow-up: after which year of it, and who owes it."""

    report: Annotated[int, Field(ge=1)]
    after_year: Annotated[int, Field(ge=1)]
    senders: tuple[Literal["municipality", "guides", "county_governor"], ...]


class Followup(Strict):
    """The years after: phases (forfase, gjennomføringsfase) and the reports on them."""

    preparatory_years: Choice[Annotated[int, Field(ge=0)]]
    implementation_years: Choice[Annotated[int, Field(ge=0)]]
    starts_in_month: Choice[Annotated[int, Field(ge=1, le=12)]]
    reports_due_after_months: Choice[Annotated[int, Field(ge=0, le=12)]]
    reports: Choice[tuple[Report, ...]]


TieBreak = Literal["absolute_hit_share", "pupils", "none"]


class RuleSet(Strict):
    """A whole rule set, as one YAML file holds it."""

    rule_set: str
    title: str
    scheme_version: str
    sources: dict[str, SourceEntry]
    window: Window
    points: Points
    indicators: tuple[Indicator, ...] = Field(min_length=1)
    coverage: Coverage
    scope: Scope
    restructured: Restructured
    worst_schools: WorstSchools
    tie_breaks: Choice[tuple[TieBreak, TieBreak]]
    groups: Groups
    followup: Followup

    @model_validator(mode="after")
    def _consistent(self) -> RuleSet:
        names = [i.name for i in self.indicators]
        if repeated := sorted({n for n in names if names.count(n) > 1}):
            raise ValueError(f"indicator {repeated[0]} stands twice")
        for indicator in self.indicators:
            if indicator.dataset not in self.window.lag:
                raise ValueError(f"window.lag says nothing of {indicator.dataset}, which {indicator.name} needs")
            by_grade = indicator.national.values or indicator.absolute.values
            if self.window.grades.value == "pooled" and by_grade is not None:
                raise ValueError(f"{indicator.name} has limits by grade, but grades are pooled")
        for path, entry in self.sourced():
            if entry.source not in self.sources:
                raise ValueError(f"{path}: source {entry.source} is not among the sources of the file")
        return self

    def sourced(self) -> Iterator[tuple[str, Sourced]]:
        """Every choice of the rule set with its path, in the order of the file."""

        def walk(path: str, node: object) -> Iterator[tuple[str, Sourced]]:
            if isinstance(node, Sourced):
                yield path, node
            elif isinstance(node, BaseModel):
                for name in type(node).model_fields:
                    yield from walk(f"{path}.{name}".lstrip("."), getattr(node, name))
            elif isinstance(node, dict):
                for name, child in node.items():
                    yield from walk(f"{path}.{name}", child)
            elif isinstance(node, tuple):
                for child in node:
                    yield from walk(f"{path}.{getattr(child, 'name', '')}", child)

        yield from walk("", self)

    @property
    def placeholders(self) -> tuple[str, ...]:
        """Paths of the choices nobody has published."""
        return tuple(path for path, entry in self.sourced() if entry.basis == "placeholder")


class Round(Strict):
    """One selection round (uttrekk)."""

    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    title: str
    origin: Literal["fictional", "official"]
    rule_set: str
    last_school_year: SchoolYear
    selection_date: dt.date
    status: Literal["draft"]
    source: str
    cohort: Annotated[str, Field(pattern=r"^uttrekk_[0-9]{4}[a-z0-9_]*$")] | None = None
    priorities_due: dt.date | None = None
    queries_due: dt.date | None = None

    @property
    def cohort_id(self) -> str:
        """Name of the municipalities selected in this round, by the year of the selection unless the entry names it."""
        return self.cohort or f"uttrekk_{self.selection_date.year}"

    @model_validator(mode="after")
    def _deadlines(self) -> Round:
        for name in ("priorities_due", "queries_due"):
            day = getattr(self, name)
            if day is not None and day < self.selection_date:
                raise ValueError(f"{name} lies before the selection date")
        return self


class Rounds(Strict):
    rounds: tuple[Round, ...]


class ExceptionRow(Strict):
    """A unit kept out or marked, with its ground."""

    unit_level: Literal["municipality", "school", "county"]
    unit_code: Code
    kind: Literal["pseudo_unit", "excluded", "in_scheme", "special_school"]
    rounds: Literal["all"] | tuple[str, ...]
    ground: str
    source: str
    valid_from: dt.date | None = None
    valid_to: dt.date | None = None


class Exceptions(Strict):
    exceptions: tuple[ExceptionRow, ...]


class Governor(Strict):
    """A county governor's office and the counties it covers in a time."""

    name: str
    code: Code | None = None
    counties: tuple[Code, ...]
    valid_from: dt.date
    valid_to: dt.date | None = None
    fictional: bool = False

    @model_validator(mode="after")
    def _order(self) -> Governor:
        if self.valid_to is not None and self.valid_to < self.valid_from:
            raise ValueError("valid_to lies before valid_from")
        return self


class Governors(Strict):
    governors: tuple[Governor, ...]
