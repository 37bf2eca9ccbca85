"""The outcome of a municipality in sentences: the rule's result, the county governor's advice, Udir's decision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dagster_project.pages.words import Texts, plain_name


def outcome_sentences(row: Mapping[str, Any], exceptions: Sequence[Mapping[str, Any]], t: Texts) -> list[str]:
    """The outcome of a municipality in one group.

    ``row`` is of ``selection``, ``exceptions`` are the municipality's rows of ``exceptions_in_force``.
    """
    undecided = row["status"] == "selected" and row["decision"] is None
    lines = [f"{t.code(row['selection_group'])}: {t.code('proposed' if undecided else row['status'])}."]
    if row["rank_in_group"] is not None:
        by_rule = row["arithmetic_status"]
        values = {"status": t.code("proposed" if by_rule == "selected" else by_rule), "place": row["rank_in_group"]}
        lines.append(
            t._("By the rule alone: {status}, number {place} in the group, within the quota.", **values)
            if row["within_quota"]
            else t._("By the rule alone: {status}, number {place} in the group, outside the quota.", **values)
        )
    for ground in exceptions if row["arithmetic_status"] == "excluded" else ():
        if ground["basis"] == "cohort":
            lines.append(t._("Already in the scheme: {cohort}.", cohort=plain_name(ground["ground"])))
        else:
            lines.append(t._("Excluded by the register of exceptions: {ground}", ground=ground["ground"]))
    if row["reply_source_sha256"] is not None:
        lines.append(_reply(row, t))
    if row["decision"] is not None:
        lines.append(_decision(row, t))
    elif row["status"] != row["proposed_status"]:
        lines.append(t._("The decision on the municipality is recorded in the other group."))
    if row["is_override"]:
        lines.append(t._("The decision departs from the proposal."))
    return lines


def outcome_sources(row: Mapping[str, Any], file_names: Mapping[str, str], t: Texts) -> list[str]:
    """Where reply and decision stand; ``file_names`` maps SHA-256 to the name a file arrived under."""
    found = []
    if (sha256 := row["reply_source_sha256"]) is not None:
        file = file_names.get(sha256, sha256)
        found.append(t._("The reply is in {file}, row {row}.", file=file, row=row["reply_source_row"]))
    if (sha256 := row["decision_source_sha256"]) is not None and row["decision"] is not None:
        file = file_names.get(sha256, sha256)
        found.append(t._("The decision is in {file}, row {row}.", file=file, row=row["decision_source_row"]))
    return found


def _reply(row: Mapping[str, Any], t: Texts) -> str:
    if row.get("governor_advice") is not None:
        said = t._("The county governor advises against selecting the municipality")
    elif row["governor_priority"] is not None:
        said = t._("The county governor gives it priority {priority}", priority=row["governor_priority"])
    else:
        said = t._("The county governor's assessment")
    parts = [_quoting(said, row["governor_reason"])]
    if row["conversation_on"] is not None:
        parts.append(t._("Conversation held: {day}.", day=row["conversation_on"]))
    if row["replied_by"] is not None:
        parts.append(t._("Answered by: {name}.", name=row["replied_by"]))
    return " ".join(parts)


def _decision(row: Mapping[str, Any], t: Texts) -> str:
    said = t._("Decision: the municipality {decision}", decision=t.code(row["decision"]))
    parts = [_quoting(said, row["decision_reason"])]
    if row["decided_on"] is not None:
        parts.append(t._("Decided on: {day}.", day=row["decided_on"]))
    if row["decided_by"] is not None:
        parts.append(t._("Decided by: {name}.", name=row["decided_by"]))
    return " ".join(parts)


def _quoting(statement: str, quoted: str | None) -> str:
    """A statement, and what somebody wrote about it."""
    text = statement + (f": «{quoted}»" if quoted else "")
    return text if text.endswith((".", ".»")) else f"{text}."
