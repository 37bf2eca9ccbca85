"""The description of a revision for other programs: an RO-Crate 1.1.

``ro-crate-metadata.json`` names every file with its hash, the inputs, the software, and the run that made them. It lies
in the revision's folder, because the folder that holds it is what a crate describes.
"""

from __future__ import annotations

import json
import mimetypes
from pathlib import Path
from typing import Any

from dagster_project.archive.commits import MANIFEST
from dagster_project.publication.manifest import describe_files

CRATE = "ro-crate-metadata.json"
MEDIA_TYPES = {".parquet": "application/vnd.apache.parquet", ".yaml": "application/yaml", ".csv": "text/csv"}
LICENCES = {
    "fictional": "Fictional data: nothing here is a statistic",
    "official": "NLOD 2.0, Kilde: Utdanningsdirektoratet; CC BY 4.0, source: Statistics Norway",
}


def write_crate(building: Path, manifest: dict[str, Any]) -> None:
    """Describe a folder that is about to become a revision, with everything that lies in it by now."""
    text = json.dumps(describe_crate(building, manifest), ensure_ascii=False, indent=2) + "\n"
    (building / CRATE).write_text(text, encoding="utf-8")


def describe_crate(building: Path, manifest: dict[str, Any]) -> dict[str, Any]:
    """The revision as RO-Crate 1.1: what is in it, what it was made from, by what, and when."""
    files = describe_files(building)
    rules = [name for name in files if name.startswith("rulebook/")]
    made = [name for name in files if name not in rules]
    packages = {"python": manifest["python"], **manifest["packages"]}
    inputs = {f"#input-{i['sha256'][:16]}": i for i in manifest["inputs"]}

    def refer(names: Any) -> list[dict[str, str]]:
        return [{"@id": name} for name in names]

    graph: list[dict[str, Any]] = [
        {"@id": CRATE, "@type": "CreativeWork", "about": {"@id": "./"},
         "conformsTo": {"@id": "https://w3id.org/ro/crate/1.1"}},
        {"@id": "./", "@type": "Dataset", "name": f"{manifest['title']}, {manifest['revision']}",
         "description": f"{manifest['subject']} of the follow-up scheme, revision {manifest['revision']}, "
                        f"status {manifest['status']}, from {manifest['data_origin']} data"
                        f"{', illustrative' if manifest['illustrative'] else ''}.",
         "identifier": f"{manifest['subject']}/{manifest['revision']}", "datePublished": manifest["created_at"],
         "license": {"@id": "#licence"}, "hasPart": refer([*files, MANIFEST]), "mentions": refer(["#run"])},
        {"@id": "#licence", "@type": "CreativeWork", "name": LICENCES[manifest["data_origin"]]},
        {"@id": MANIFEST, "@type": "File", "name": "Hashes of every file, this description among them",
         "encodingFormat": "application/json"},
    ]  # fmt: skip
    graph += [
        {"@id": name, "@type": "File", "name": name.rsplit("/", 1)[-1], "sha256": entry["sha256"],
         "contentSize": str(entry["bytes"]),
         "encodingFormat": MEDIA_TYPES.get(Path(name).suffix) or mimetypes.guess_type(name)[0] or "text/plain"}
        for name, entry in files.items()
    ]  # fmt: skip
    graph += [
        {"@id": key, "@type": "CreativeWork", "name": i["file"], "sha256": i["sha256"],
         "description": f"{', '.join(i['datasets'])} {', '.join(i['school_years'])}".strip()}
        for key, i in inputs.items()
    ]  # fmt: skip
    graph += [
        {"@id": "#oppfolging", "@type": "SoftwareApplication", "name": "oppfolging",
         "version": manifest["code_version"],
         "softwareRequirements": refer(f"#{name}" for name in packages)},
        *({"@id": f"#{name}", "@type": "SoftwareApplication", "name": name, "version": number}
          for name, number in packages.items()),
        {"@id": "#run", "@type": "CreateAction", "name": f"Publication of {manifest['subject']} {manifest['revision']}",
         "endTime": manifest["created_at"], "instrument": {"@id": "#oppfolging"},
         "object": refer([*inputs, *rules]), "result": refer(made),
         "actionStatus": {"@id": "http://schema.org/CompletedActionStatus"}},
    ]  # fmt: skip
    context = ["https://w3id.org/ro/crate/1.1/context", {"sha256": "https://schema.org/sha256"}]
    return {"@context": context, "@graph": graph}
