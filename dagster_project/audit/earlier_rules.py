"""Rule files of earlier versions, in today's keys. Only for what was published then: rules in force are read strictly.

A revision is explained for as long as somebody may ask, so a key that is added or replaced gets an entry here that says
what the earlier version did.
"""

from __future__ import annotations

from typing import Any

BEFORE = {"basis": "inferred", "source": "method"}
NOT_ASKED = {
    "min_counts": {**BEFORE, "value": 3, "note": "Version 0.2 did not ask."},
    "min_interval": {**BEFORE, "value": 0.1, "note": "Version 0.2 did not ask."},
}
"""The least that may be written: the public tables of then cannot come out of today's models in any case."""


def in_todays_keys(content: dict[str, Any]) -> dict[str, Any]:
    """A rule set or a register as it was published, with every key that today's model asks for."""
    if (shown := content.get("publication")) is not None:
        return {**content, "publication": {**NOT_ASKED, **shown}}
    if "rule_set" not in content:
        return content
    scope, spread = content.get("scope", {}), content.get("groups", {}).get("spread", {})
    if (known := scope.get("require_last_year")) is not None:
        closed = {**BEFORE, "value": "leave_out" if known["value"] else "keep", "note": known.get("note")}
        scope = {k: v for k, v in scope.items() if k != "require_last_year"} | {"closed_schools": closed}
    if spread and "candidates" not in spread:
        spread = {**spread, "candidates": {**BEFORE, "value": "quota_and_reserve", "note": "As it was then."}}
    return {**content, "scope": scope, "groups": {**content.get("groups", {}), "spread": spread}}
