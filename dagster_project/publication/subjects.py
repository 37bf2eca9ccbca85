"""What is published together: a selection round, or a cohort that is followed. Each has a folder of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dagster_project.rules import RuleBook
from dagster_project.rules.model import Round


@dataclass(frozen=True)
class Subject:
    """``name`` is the folder under ``published/`` and the value of ``column`` in the marts that belong to it.

    ``decisive`` is the mart without whose rows there is nothing to publish.
    """

    name: str
    round: Round
    column: str
    decisive: str

    @property
    def is_cohort(self) -> bool:
        return self.column == "cohort"

    def owns(self, columns: Sequence[str]) -> bool:
        """Whether a mart with these columns belongs to subjects of this kind; a cohort's marts name their round too."""
        return self.column in columns and (self.is_cohort or "cohort" not in columns)


def round_subject(rulebook: RuleBook, round_id: str) -> Subject:
    """A selection round. Raises RuleProblem when there is none of this id."""
    return Subject(round_id, rulebook.round(round_id), "round", "municipality_ranking")


def cohort_subject(rulebook: RuleBook, round_id: str) -> Subject:
    """The cohort of a round."""
    round_ = rulebook.round(round_id)
    return Subject(round_.cohort_id, round_, "cohort", "followup_report_status")


def subject_of(rulebook: RuleBook, manifest: Mapping[str, Any]) -> Subject:
    """What a manifest is of."""
    of = round_subject if manifest["subject"] == manifest["round"] else cohort_subject
    return of(rulebook, manifest["round"])
