"""The list of what a release is made of (CycloneDX 1.6), and the licences of it: `make sbom`.

Names, versions and hashes are those of ``requirements.lock``, licences those that the installed packages state, and
``licences.toml`` says which are accepted. What only the checks need has the scope ``excluded``.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentScope, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from license_expression import ExpressionError, get_spdx_licensing
from packageurl import PackageURL

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "build" / "release"
NAMED = re.compile(r"^([\w.-]+)(?:\[[^]]*\])?==([^\s\\]+)", re.MULTILINE)
HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
REASON = re.compile(r"^    #(?: via)? +(\S+)", re.MULTILINE)
SPDX = get_spdx_licensing()


class Unclear(Exception):
    """A licence that is unknown or not accepted."""


@dataclass(frozen=True)
class Package:
    """An entry of the lock file. ``needed_by`` are other entries, or the project."""

    name: str
    version: str
    hashes: tuple[str, ...]
    needed_by: tuple[str, ...]


def locked(lock: Path) -> dict[str, Package]:
    """The packages of a lock file by name."""
    text = lock.read_text(encoding="utf-8")
    starts = [*NAMED.finditer(text)]
    ends = [*(m.start() for m in starts[1:]), len(text)]
    entries = [(m[1], m[2], text[m.end() : end]) for m, end in zip(starts, ends, strict=True)]
    return {n: Package(n, v, tuple(HASH.findall(e)), tuple(REASON.findall(e))) for n, v, e in entries}


def register() -> dict[str, dict[str, str]]:
    """What ``licences.toml`` says."""
    return tomllib.loads((ROOT / "release" / "licences.toml").read_text(encoding="utf-8"))


def licence_of(name: str, known: dict[str, dict[str, str]]) -> str:
    """The licence of an installed package, as an SPDX expression.

    Raises:
        Unclear: neither the metadata of the package nor the register says which it is.
    """
    about: dict[str, Any] = metadata.metadata(name).json
    stated = [known["packages"].get(name), about.get("license_expression"), about.get("license", "").split("\n")[0]]
    families = [c.split(" :: ")[-1] for c in about.get("classifier", []) if c.startswith("License :: ")]
    for said in [s.strip() for s in stated if s] + (families if len(families) == 1 else []):
        expression: str = known["words"].get(said.split(" :: ")[-1], said)
        with suppress(ExpressionError):
            SPDX.parse(expression, validate=True)
            return expression
    raise Unclear(f"{name}: its metadata says {[*filter(None, stated), *families] or 'nothing'}; read its licence and "
                  "write it into [packages] of release/licences.toml")  # fmt: skip


def is_accepted(expression: Any, accepted: set[str]) -> bool:
    """Whether a parsed expression leaves a choice that is accepted."""
    parts = [is_accepted(part, accepted) for part in expression.args]
    if not parts:
        return str(expression) in accepted
    return any(parts) if isinstance(expression, SPDX.OR) else all(parts)


def licences(packages: dict[str, Package]) -> dict[str, str]:
    """The licence of each package.

    Raises:
        Unclear: with every package whose licence is unknown or not accepted.
    """
    known, found, wrong = register(), {}, []
    for name in packages:
        try:
            found[name] = licence_of(name, known)
        except Unclear as unclear:
            wrong.append(str(unclear))
            continue
        if not is_accepted(SPDX.parse(found[name]), set(known["accepted"])):
            why = known["refused"].get(found[name], "is not in [accepted] of release/licences.toml")
            wrong.append(f"{name}: {found[name]} {why}")
    if wrong:
        raise Unclear("\n".join(wrong))
    return found


def run_with(packages: dict[str, Package], first: set[str]) -> set[str]:
    """What the project needs to run: ``first``, and what these need."""
    found, grew = set(first), True
    while grew:
        more = {p.name for p in packages.values() if found & set(p.needed_by)} - found
        found |= more
        grew = bool(more)
    return found


def bill(packages: dict[str, Package], of: dict[str, str]) -> Bom:
    """The bill of materials."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    first = {re.split(r"[\[<>=~! ]", d)[0].lower().replace("_", "-") for d in project["dependencies"]}
    running, bom, licence = run_with(packages, first), Bom(), LicenseFactory()
    root = Component(name=project["name"], version=project["version"], type=ComponentType.APPLICATION, bom_ref="root")
    bom.metadata.component = root
    made = {
        p.name: Component(
            name=p.name, version=p.version, type=ComponentType.LIBRARY, bom_ref=f"{p.name}=={p.version}",
            purl=PackageURL("pypi", None, p.name, p.version), licenses=[licence.make_from_string(of[p.name])],
            hashes=[HashType(alg=HashAlgorithm.SHA_256, content=h) for h in p.hashes],
            scope=ComponentScope.REQUIRED if p.name in running else ComponentScope.EXCLUDED,
        )
        for p in packages.values()
    }  # fmt: skip
    for component in made.values():
        bom.components.add(component)
    bom.register_dependency(root, [c for n, c in made.items() if project["name"] in packages[n].needed_by])
    for name, component in made.items():
        bom.register_dependency(component, [c for n, c in made.items() if name in packages[n].needed_by])
    return bom


def table(packages: dict[str, Package], of: dict[str, str]) -> Iterator[str]:
    """The licences as a table in Markdown."""
    yield from ("| package | version | licence |", "|---|---|---|")
    yield from (f"| {p.name} | {p.version} | {of[p.name]} |" for p in packages.values())


def main() -> int:
    """Write both; 1 when a licence is unknown or not accepted."""
    packages = locked(ROOT / "requirements.lock")
    try:
        of = licences(packages)
    except (Unclear, metadata.PackageNotFoundError) as problem:
        print(f"{problem}", file=sys.stderr)
        return 1
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "sbom.cdx.json").write_text(JsonV1Dot6(bill(packages, of)).output_as_string(indent=2), encoding="utf-8")
    (OUT / "licences.md").write_text("\n".join([*table(packages, of), ""]), encoding="utf-8")
    print(f"{len(packages)} packages: {(OUT / 'sbom.cdx.json').relative_to(ROOT)}, licences.md beside it")
    return 0


if __name__ == "__main__":
    sys.exit(main())
