"""What dbt parsed when the project was prepared, read from dbt's own binary file.

``dbtRunner`` takes a manifest, but nothing public reads one: the JSON manifest leaves out the arguments of generic
tests, and ``dbt parse`` over the same file takes 0.8 seconds where this takes 0.25, and 2.9 where the home is another
than the one it was prepared with (measured on 26 November 2026). ``tests/unit/test_built.py`` fails when dbt changes
it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any


def parsed_manifest(target: Path) -> Any:
    """The manifest for ``dbtRunner``, from the folder dbt compiled into. A new one each time: dbt changes it."""
    from dbt.contracts.graph.manifest import Manifest
    from dbt.parser.manifest import extended_mashumuro_decoder

    return Manifest.from_msgpack((target / "partial_parse.msgpack").read_bytes(), decoder=extended_mashumuro_decoder)
