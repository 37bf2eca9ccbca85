"""What a site tells beside the tables of its edition. Everything here may be read by everybody."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from dagster_project.pages.words import LANGUAGES
from dagster_project.rules.model import Indicator, RuleSet
from dagster_project.schema import FORM_DATASETS

GAP = re.compile(r"(?P<indicator>\w+), trinn/grade (?P<grade>\w+), (?P<year>[^:]+): (?P<reason>.*)", re.DOTALL)
IN_BOTH = re.compile(r"\(([^()/]+) / ([^()/]+)\)")
RELEASED = ("final", "closed")


@dataclass(frozen=True)
class Source:
    """A file that figures were read from, as people named it."""

    file: str
    sha256: str
    datasets: tuple[str, ...]
    school_years: tuple[str, ...]


@dataclass(frozen=True)
class Gap:
    """An input that a round does without, and why somebody accepted that."""

    indicator: str
    grade: int | None
    school_year: str
    reason: str


@dataclass(frozen=True)
class Facts:
    """The part of a manifest that is no figure and no person, with the rule set of the round.

    ``day`` is the day the revision records: pages know no other. ``assumed`` counts the choices nobody has published.
    """

    subject: str
    round: str
    name: str
    revision: str
    replaces: str | None
    status: str
    release: str | None
    day: dt.date
    as_of: dt.date | None
    fictional: bool
    assumed: int
    restricted: int
    last_school_year: str
    selection_date: dt.date
    priorities_due: dt.date | None
    queries_due: dt.date | None
    gaps: tuple[Gap, ...]
    withdrawn: str | None
    sources: tuple[Source, ...]
    hashes: tuple[tuple[str, str], ...]
    software: tuple[tuple[str, str], ...]
    rules: RuleSet

    @property
    def decided(self) -> bool:
        """Whether the outcome is released: before that, municipalities are proposed and not selected."""
        return self.status in RELEASED

    @property
    def is_overdue(self) -> bool:
        """Whether the day for the county governors' replies had passed when this was published."""
        return self.priorities_due is not None and self.priorities_due < self.day

    @property
    def year(self) -> int:
        """The year of the selection."""
        return self.selection_date.year

    def title(self, lang: str) -> str:
        """The title in a language."""
        return title_in(self.name, lang)

    @cached_property
    def indicators(self) -> Mapping[str, Indicator]:
        """The indicators of the rule by name."""
        return {indicator.name: indicator for indicator in self.rules.indicators}


def title_in(name: str, lang: str) -> str:
    """The title of a round in a language: of what stands in brackets in both, separated by a slash, the right part."""
    return IN_BOTH.sub(lambda found: f"({found[1 + LANGUAGES.index(lang)].strip()})", name)


def facts_of(manifest: Mapping[str, Any], rules: RuleSet) -> Facts:
    """The facts of a revision. Forms that people filled in are no source of figures, and are left out."""

    def day(text: str | None) -> dt.date | None:
        return dt.date.fromisoformat(text) if text else None

    entry = manifest["round_entry"]
    sources = tuple(
        Source(i["file"], i["sha256"], tuple(i["datasets"]), tuple(i["school_years"]))
        for i in manifest["inputs"]
        if not set(FORM_DATASETS).intersection(i["datasets"])
    )
    rule_set = manifest["rule_set"]
    hashes = ((f"{rule_set['name']}.yaml", rule_set["sha256"]), *sorted(manifest["registers"].items()))
    software = (("oppfolging", manifest["code_version"]), ("python", manifest["python"]),
                *sorted(manifest["packages"].items()))  # fmt: skip
    return Facts(
        subject=manifest["subject"], round=manifest["round"], name=manifest["title"], revision=manifest["revision"],
        replaces=manifest["replaces"], status=manifest["status"], release=manifest.get("release"),
        day=dt.datetime.fromisoformat(manifest["created_at"]).date(), as_of=day(manifest.get("as_of")),
        fictional=manifest["data_origin"] == "fictional",
        assumed=len(manifest["placeholders"]) if manifest["illustrative"] else 0,
        restricted=manifest.get("restricted_cells") or 0,
        last_school_year=entry["last_school_year"], selection_date=dt.date.fromisoformat(entry["selection_date"]),
        priorities_due=day(entry.get("priorities_due")), queries_due=day(entry.get("queries_due")),
        gaps=tuple(_gap(text) for text in manifest.get("accepted_gaps", ())),
        withdrawn=(manifest.get("withdrawn") or {}).get("reason"),
        sources=sources, hashes=hashes, software=software, rules=rules,
    )  # fmt: skip


def _gap(text: str) -> Gap:
    """An accepted gap, from the words in which the manifest and the tables have it."""
    found = GAP.fullmatch(text)
    if found is None:
        return Gap("", None, "", text)
    grade = found["grade"]
    return Gap(found["indicator"], int(grade) if grade.isdigit() else None, found["year"], found["reason"])
