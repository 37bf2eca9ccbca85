"""The evidence pack: all that a third party needs to check a municipality, or a round, without this software."""

from __future__ import annotations

import hashlib
import json
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dagster_project.archive import Archive
from dagster_project.archive.commits import MANIFEST
from dagster_project.atomic import replacing
from dagster_project.audit.counterfactual import judge_of_revision
from dagster_project.audit.document import document_of
from dagster_project.audit.excerpts import Excerpt, Place, PlaceReader, place_of
from dagster_project.audit.explain import explain_in, find_unit
from dagster_project.audit.page import page_of
from dagster_project.audit.revisions import Published, Row, open_revision
from dagster_project.diagnostics import NotFound
from dagster_project.pages.pdf import as_pdf
from dagster_project.pages.words import LANGUAGES
from dagster_project.publication.edition import RULEBOOK
from dagster_project.publication.tables import write_csv
from dagster_project.settings import Settings

if TYPE_CHECKING:
    import pyarrow as pa

    from dagster_project.simulation.judge import Judge

TEMPLATES = Path(__file__).parent / "templates"
STAMP = (1980, 1, 1, 0, 0, 0)
SUMS = "SHA256SUMS"
SIDES = ("national", "absolute")


def write_pack(
    settings: Settings, round_id: str, out: Path, municipalities: Sequence[str], *, revision: str | None = None
) -> int:
    """Write the pack of the municipalities named, or of the whole round when none is; return how many it holds.

    A pack of one municipality has its page in both languages and as PDF; a larger one has pages in Norwegian.

    The bytes depend on the revision and the archive alone: entries are sorted and carry no time.

    Raises:
        NotFound: no such round, revision or municipality, or the archive lacks a file the revision rests on.
    """
    published = open_revision(settings, round_id, revision)
    reader = PlaceReader(Archive(settings))
    ranking = published.ranking("municipality")
    units = [find_unit(ranking, "municipality", name, round_id) for name in municipalities] or ranking
    codes = sorted({u["municipality_code"] for u in units})
    out.parent.mkdir(parents=True, exist_ok=True)
    sums: list[str] = []
    with (
        replacing(out) as temporary,
        judge_of_revision(settings, published) as judge,
        zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as package,
    ):
        for name, content in _entries(published, reader, judge, codes, whole=not municipalities):
            entry = zipfile.ZipInfo(name, STAMP)
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            package.writestr(entry, content)
            sums.append(f"{hashlib.sha256(content).hexdigest()}  {name}\n")
        entry = zipfile.ZipInfo(SUMS, STAMP)
        entry.external_attr = 0o644 << 16
        package.writestr(entry, "".join(sums))
    return len(codes)


def _entries(
    published: Published, reader: PlaceReader, judge: Judge | None, codes: list[str], *, whole: bool
) -> Iterator[tuple[str, bytes]]:
    """Names and contents of the pack but the sums, sorted by name."""
    tables = _tables(published, None if whole else codes)
    files = dict(_excerpts(published, reader, tables))
    yield "README.md", (TEMPLATES / "evidence.md").read_bytes()
    yield "check.py", (TEMPLATES / "check.py").read_bytes()
    yield from sorted(files.items())
    yield "manifest.json", (published.folder / MANIFEST).read_bytes()
    yield "pack.json", _json(_about(published, codes))
    for code in codes:
        explanation = explain_in(published, reader, judge, code, whole_round=whole)
        if len(codes) == 1:
            for lang in LANGUAGES:
                yield f"pages/{code}.{lang}.html", page_of(explanation, lang).encode("utf-8")
                yield f"pages/{code}.{lang}.pdf", as_pdf(document_of(explanation, lang))
        else:
            yield f"pages/{code}.html", page_of(explanation, LANGUAGES[0]).encode("utf-8")
    root = published.folder / RULEBOOK
    for path in sorted(p for p in root.rglob("*") if p.is_file()):
        yield f"{RULEBOOK}/{path.relative_to(root).as_posix()}", path.read_bytes()
    yield "rules.json", _json(published.rules.model_dump(mode="json"))
    for name, table in sorted(tables.items()):
        yield f"tables/{name}.csv", _csv(table)


def _json(content: Any) -> bytes:
    return (json.dumps(content, ensure_ascii=False, indent=2, sort_keys=True) + "\n").encode("utf-8")


def _about(published: Published, codes: list[str]) -> Row:
    m = published.manifest
    keys = ("round", "title", "revision", "status", "data_origin", "illustrative", "placeholders", "rule_set",
            "code_version", "packages", "python", "created_at")  # fmt: skip
    return {**{k: m[k] for k in keys}, "municipalities": codes, "tool": {"oppfolging": version("oppfolging")}}


def _tables(published: Published, codes: list[str] | None) -> dict[str, pa.Table]:
    """The published tables, or those of their rows that concern the municipalities and their schools."""
    # a revision of earlier days has none
    doubted = [name for name in ("selection_uncertainty",) if published.has(name)]
    if codes is None:
        names = ["municipality_ranking", "selection", "school_ranking", "limits", "indicator_points", "point_sources"]
        return {name: published.table(name) for name in [*names, *doubted]}
    schools = published.table("school_ranking", municipality_code=codes)
    units = [*codes, *schools["school_code"].to_pylist()]
    return {
        "municipality_ranking": published.table("municipality_ranking", municipality_code=codes),
        "selection": published.table("selection", municipality_code=codes),
        "school_ranking": schools,
        "limits": published.table("limits"),
        "indicator_points": published.table("indicator_points", unit_code=units),
        "point_sources": published.table("point_sources", unit_code=units),
        **{name: published.table(name, unit_code=units) for name in doubted},
    }


def _csv(table: pa.Table) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.csv"
        write_csv(path, table)
        return path.read_bytes()


def _excerpts(published: Published, reader: PlaceReader, tables: dict[str, pa.Table]) -> Iterator[tuple[str, bytes]]:
    """One file a source: who it is, then each wanted line or object as it stands."""
    columns = ("source_sha256", "source_row", "source_column")
    wanted = {tuple(r.values()) for r in tables["point_sources"].select(columns).to_pylist()}
    for side in SIDES:
        names = [f"{side}_{c}" for c in columns]
        if set(names) <= set(tables["limits"].column_names):
            wanted |= {tuple(r.values()) for r in tables["limits"].select(names).to_pylist()}
    places = {place_of(*place)[0] for place in wanted if place[0] is not None}
    read = reader.read(places)
    by_file: dict[tuple[str, str], list[Place]] = {}
    for place in places:
        if place not in read:
            raise NotFound(f"The archive does not hold {published.file_names.get(place.sha256, place.sha256)}.")
        by_file.setdefault((place.sha256, place.member), []).append(place)
    for (sha256, member), of_file in by_file.items():
        lines = [read[p] for p in sorted(of_file, key=lambda p: p.line)]
        yield _excerpt_name(sha256, member), _excerpt_file(published, reader.archive, lines)


def _excerpt_name(sha256: str, member: str) -> str:
    return f"excerpts/{sha256}{'!' + member if member else ''}.jsonl"


def _excerpt_file(published: Published, archive: Archive, lines: list[Excerpt]) -> bytes:
    first = lines[0]
    about = {
        "sha256": first.place.sha256,
        "file": published.file_names.get(first.place.sha256),
        "bytes": archive.path(first.place.sha256).stat().st_size,
        "member": first.place.member,
        "kind": first.kind,
        "delimiter": first.delimiter,
        "header": first.header,
    }
    rows = [about, *({"line": e.place.line, "text": e.text} for e in lines)]
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode("utf-8")
