"""`make sbom`: everything that the lock file pins is listed, with its version, hashes and an accepted licence."""

from __future__ import annotations

import json
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packaging.utils import canonicalize_name

from release import sbom


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("release")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sbom, "OUT", folder)
        patch.setattr(Path, "relative_to", lambda self, *_: self)
        assert sbom.main() == 0
    return folder


@pytest.fixture(scope="module")
def bill(written: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((written / "sbom.cdx.json").read_text(encoding="utf-8"))
    return found


def test_it_is_cyclonedx_1_6(written: Path) -> None:
    text = (written / "sbom.cdx.json").read_text(encoding="utf-8")
    validator = JsonStrictValidator(SchemaVersion.V1_6)
    assert validator.validate_str(text) is None
    assert validator.validate_str(text.replace('"SHA-256"', '"SHA-257"', 1)) is not None


def test_every_package_of_the_lock_is_listed_with_version_hashes_and_licence(bill: dict[str, Any]) -> None:
    lock = (sbom.ROOT / "requirements.lock").read_text(encoding="utf-8")
    pinned = [line.split(" ")[0] for line in lock.splitlines() if line[:1].isalnum()]
    assert sorted(f"{c['name']}=={c['version']}" for c in bill["components"]) == sorted(pinned) and len(pinned) > 150
    assert sum(len(c["hashes"]) for c in bill["components"]) == lock.count("--hash=sha256:")
    for component in bill["components"]:
        assert component["purl"] == f"pkg:pypi/{component['name']}@{component['version']}"
        assert metadata.version(component["name"]) == component["version"]
        assert component["hashes"] and component["licenses"]


def test_what_runs_is_told_from_what_checks_and_who_needs_whom_is_listed(bill: dict[str, Any]) -> None:
    scope = {c["name"]: c["scope"] for c in bill["components"]}
    assert {scope[n] for n in ("dagster", "sqlglot", "et-xmlfile", "pyyaml")} == {"required"}
    assert {scope[n] for n in ("pytest", "mkdocs", "ruff", "iniconfig")} == {"excluded"}
    needs = {d["ref"].split("==")[0]: [n.split("==")[0] for n in d.get("dependsOn", ())] for d in bill["dependencies"]}
    assert needs["openpyxl"] == ["et-xmlfile"] and {"dagster", "pytest"} <= set(needs["root"])


def test_a_licence_is_accepted_when_a_choice_of_it_is() -> None:
    accepted = {"MIT", "Apache-2.0", "MPL-2.0"}
    for text, ok in {
        "MIT": True, "GPL-3.0-only": False, "GPL-3.0-only OR MIT": True, "GPL-3.0-only AND MIT": False,
        "MPL-2.0 AND (GPL-2.0-only OR MIT)": True, "(MIT OR Apache-2.0) AND AGPL-3.0-only": False,
    }.items():  # fmt: skip
        assert sbom.is_accepted(sbom.SPDX.parse(text), accepted) is ok, text


def test_an_unknown_or_refused_licence_stops_it_and_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    known = sbom.register()
    known["packages"]["click"] = "AGPL-3.0-only"
    known["packages"]["rich"] = "Curious-1.0"
    del known["packages"]["scipy"]
    monkeypatch.setattr(sbom, "register", lambda: known)
    assert sbom.main() == 1
    said = capsys.readouterr().err
    assert "click: AGPL-3.0-only whoever uses the UI" in said and "scipy: its metadata says" in said
    assert "rich: " not in said  # what the register says wrongly is looked for in the metadata


def test_no_entry_of_the_register_outlives_its_package() -> None:
    known, packages = sbom.register(), sbom.locked(sbom.ROOT / "requirements.lock")
    assert set(known["packages"]) <= set(packages)
    assert all(canonicalize_name(name) == name for name in known["packages"])
    said = {
        text.split(" :: ")[-1].strip()
        for name in packages
        for key in ("License", "Classifier")
        for text in metadata.metadata(name).get_all(key, [])
    }
    assert set(known["words"]) <= said
    used = {str(symbol) for text in sbom.licences(packages).values() for symbol in sbom.SPDX.license_symbols(text)}
    assert set(known["accepted"]) <= used and not set(known["accepted"]) & set(known["refused"])
