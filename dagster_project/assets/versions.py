"""Code versions of assets: what Dagster compares to tell that an asset was made by other code."""

import hashlib
from collections.abc import Mapping
from functools import cache
from typing import Any

from dagster_project.fingerprint import code_in, fingerprint

LENGTH = 12


@cache
def code_of(*rooms: str) -> str:
    """One hash over the Python of rooms of the package."""
    return fingerprint(code_in(*rooms))[:LENGTH]


def code_of_model(manifest: Mapping[str, Any], node: Mapping[str, Any]) -> str:
    """One hash over a dbt model and the macros of the project that it uses, and those that they use."""
    macros, found = manifest["macros"], set()
    wanted = list(node.get("depends_on", {}).get("macros", ()))
    while wanted:
        name = wanted.pop()
        macro = macros.get(name)
        if macro is None or name in found or macro["package_name"] != node["package_name"]:
            continue
        found.add(name)
        wanted += macro["depends_on"]["macros"]
        # a dispatched macro is reached by its name alone
        wanted += [other for other in macros if other.endswith(f"__{macro['name']}")]
    text = [node["checksum"]["checksum"], *(macros[name]["macro_sql"] for name in sorted(found))]
    return hashlib.sha256("\0".join(text).encode()).hexdigest()[:LENGTH]
