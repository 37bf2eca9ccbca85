"""Plain content as JSON for other programs."""

from __future__ import annotations

import json
from typing import Any


def as_json(content: Any) -> str:
    """Indented JSON; a date as text, a decimal as a number."""
    return json.dumps(content, ensure_ascii=False, indent=2, default=_plain)


def _plain(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else float(value)
