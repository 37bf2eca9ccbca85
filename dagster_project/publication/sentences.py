"""What became of a municipality, in sentences for those who read it, Norwegian or English."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dagster_project.words import word


def outcome_sentences(
    row: Mapping[str, Any], exceptions: Sequence[Mapping[str, Any]], file_names: Mapping[str, str], lang: str
) -> list[str]:
    """What became of a municipality in one group: the rule's word, the county governor's, and Udir's.

    ``row`` is of ``selection``, ``exceptions`` are the municipality's rows of ``exceptions_in_force``, ``file_names``
    maps SHA-256 to the name a file arrived under. ``lang`` is ``no`` or ``en``.
    """
    no = lang == "no"
    proposed = row["status"] == "selected" and row["decision"] is None
    status = ("foreslått" if no else "proposed") if proposed else word(row["status"], lang)
    lines = [f"{word(row['selection_group'], lang)}: {status}."]
    if row["rank_in_group"] is not None:
        quota = ("innenfor kvoten" if no else "within the quota") if row["within_quota"] else (
            "utenfor kvoten" if no else "outside the quota")  # fmt: skip
        alone = "Etter regelen alene" if no else "By the rule alone"
        taken = row["arithmetic_status"] == "selected"
        says = ("tas ut" if no else "taken") if taken else word(row["arithmetic_status"], lang)
        place = "plass i gruppen" if no else "place in the group"
        lines.append(f"{alone}: {says}, {place} {row['rank_in_group']}, {quota}.")
    for ground in exceptions if row["arithmetic_status"] == "excluded" else ():
        if ground["basis"] == "cohort":
            lines.append(f"{'Er allerede i ordningen' if no else 'Is in the scheme already'}: {ground['ground']}.")
        else:
            lines.append(
                f"{'Holdt utenfor etter registeret' if no else 'Kept out by the register'}: {ground['ground']}"
            )
    if row["reply_source_sha256"] is not None:
        if row.get("governor_advice") is not None:
            said = "Statsforvalteren tilrår at kommunen ikke tas ut" if no else "The county governor advises against it"
        elif row["governor_priority"] is not None:
            priority = "Statsforvalterens prioritet" if no else "The county governor's priority"
            said = f"{priority} {row['governor_priority']}"
        else:
            said = "Statsforvalterens vurdering" if no else "The county governor's assessment"
        lines.append(_sentence(
            said, row["governor_reason"],
            "Samtale holdt" if no else "Conversation held", row["conversation_on"],
            "Besvart av" if no else "Answered by", row["replied_by"],
        ))  # fmt: skip
        lines.append(_from(file_names, row, "reply", "Svaret står i" if no else "The reply is in", lang))
    if row["decision"] is not None:
        lines.append(_sentence(
            f"{'Beslutning' if no else 'Decision'}: {word(row['decision'], lang)}", row["decision_reason"],
            "Besluttet" if no else "Decided on", row["decided_on"], "Besluttet av" if no else "Decided by",
            row["decided_by"],
        ))  # fmt: skip
        lines.append(_from(file_names, row, "decision", "Beslutningen står i" if no else "The decision is in", lang))
    elif row["status"] != row["proposed_status"]:
        lines.append(
            "Beslutningen om kommunen står i den andre gruppen." if no
            else "The decision on the municipality stands in the other group."
        )  # fmt: skip
    if row["is_override"]:
        lines.append("Beslutningen avviker fra forslaget." if no else "The decision departs from the proposal.")
    return lines


def _sentence(first: str, quoted: str | None, *labelled: Any) -> str:
    """A statement, what somebody wrote about it, and labels with their values; a date is written as one."""
    parts = [first + (f": «{quoted}»" if quoted else "")]
    for label, value in zip(labelled[::2], labelled[1::2], strict=True):
        if value is not None:
            parts.append(f"{label}: {value.isoformat() if hasattr(value, 'isoformat') else value}")
    return " ".join(part if part.endswith((".", ".»")) else f"{part}." for part in parts)


def _from(file_names: Mapping[str, str], row: Mapping[str, Any], what: str, label: str, lang: str) -> str:
    sha256 = row[f"{what}_source_sha256"]
    line = "rad" if lang == "no" else "row"
    return f"{label} {file_names.get(sha256, sha256)}, {line} {row[f'{what}_source_row']}."
