"""Rule files of earlier versions, in today's keys. Only for what was published then: rules in force are read strictly.

A revision is explained for as long as somebody may ask, so a key that is added or replaced gets an entry here that says
what the earlier version did.
"""

from __future__ import annotations

from typing import Any

BEFORE = {"basis": "inferred", "source": "method"}


def in_todays_keys(content: dict[str, Any]) -> dict[str, Any]:
    """A rule set as it was published, with every key that today's model asks for."""
    scope, spread = content.get("scope", {}), content.get("groups", {}).get("spread", {})
    if (known := scope.get("require_last_year")) is not None:
        closed = {**BEFORE, "value": "leave_out" if known["value"] else "keep", "note": known.get("note")}
        scope = {k: v for k, v in scope.items() if k != "require_last_year"} | {"closed_schools": closed}
    if spread and "candidates" not in spread:
        spread = {**spread, "candidates": {**BEFORE, "value": "quota_and_reserve", "note": "As it was then."}}
    return {**content, "scope": scope, "groups": {**content.get("groups", {}), "spread": spread}}
