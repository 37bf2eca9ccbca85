"""The run report of a revision: one page for people who answer for it, and its description for other programs.

``report/index.html`` needs no network and no script. Every number on it is what the query beside it returns over the
files of the revision; the queries stand in ``page/figures.yaml``. What is no published table (inputs, checks,
exceptions, choices of the rule) is laid down as small Parquet files beside the page so that it can be queried too.

``ro-crate-metadata.json`` describes the whole revision as an RO-Crate 1.1: files with hashes, inputs, software, and the
run that made them. It lies in the revision's folder, because the folder that holds it is what a crate describes.
"""

from __future__ import annotations

import json
import mimetypes
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dagster_project.archive import journal as history
from dagster_project.archive.commits import MANIFEST, current_revision
from dagster_project.arrow import write_parquet
from dagster_project.pages.words import CODES, N_, both, both_of_code, texts
from dagster_project.publication.manifest import describe_files
from dagster_project.publication.subjects import Subject
from dagster_project.rules import RuleBook
from dagster_project.rules.describe import value_in_words
from dagster_project.rules.model import Limit
from dagster_project.settings import Settings

if TYPE_CHECKING:
    import pyarrow as pa

REPORT = "report"
RANKING = "municipality_ranking"
CRATE = "ro-crate-metadata.json"
PAGE = Path(__file__).with_name("page")
DASH = "–"
INSIDE = "inside"
UNCERTAINTY = "internal/selection_uncertainty.parquet"
NOBODY_KNOWS = (
    "(select null as unit_level, null as unit_code, null as rank_low, null as rank_high, null as probability_selected)"
)
ROW_HEIGHT, LEFT, WIDTH, RIGHT = 24, 190, 930, 280
MEDIA_TYPES = {".parquet": "application/vnd.apache.parquet", ".yaml": "application/yaml", ".csv": "text/csv"}
LICENCES = {
    "fictional": "Fictional data: nothing here is a statistic",
    "official": "NLOD 2.0, Kilde: Utdanningsdirektoratet; CC BY 4.0, source: Statistics Norway",
}


def fill_report(
    settings: Settings, rulebook: RuleBook, subject: Subject, building: Path, manifest: dict[str, Any]
) -> None:
    """Write page and crate into a folder that is about to become a revision; the page is of rounds, not of cohorts.

    ``manifest`` is that of the revision, without the files written here. Everything follows from it, from the folder
    and from what was published before.
    """
    if subject.decisive == RANKING:
        folder = building / REPORT
        folder.mkdir()
        for name, table in _facts(settings, rulebook, manifest).items():
            write_parquet(folder / f"{name}.parquet", table)
        previous = previous_revision(settings, rulebook, manifest)
        (folder / "index.html").write_text(_page(building, manifest, previous), encoding="utf-8")
    text = json.dumps(describe_crate(building, manifest), ensure_ascii=False, indent=2) + "\n"
    (building / CRATE).write_text(text, encoding="utf-8")


def is_report(name: str) -> bool:
    """Whether a file of a revision is made here: a view of the tables, like a workbook."""
    return name.startswith(f"{REPORT}/") or name == CRATE


def previous_revision(settings: Settings, rulebook: RuleBook, manifest: dict[str, Any]) -> str | None:
    """What to compare with, relative to a revision: the one it replaces, else the last round before it of its kind."""
    if manifest["replaces"]:
        return f"../{manifest['replaces']}"
    this = rulebook.round(manifest["round"])
    earlier = [
        (other.last_school_year, other.selection_date, folder)
        for other in rulebook.rounds
        if (other.origin, other.rule_set) == (this.origin, this.rule_set)
        and (other.last_school_year, other.selection_date) < (this.last_school_year, this.selection_date)
        and (folder := current_revision(settings, other.id)) is not None
    ]
    if not earlier:
        return None
    folder = max(earlier)[2]
    return f"../../{folder.parent.name}/{folder.name}"


def _facts(settings: Settings, rulebook: RuleBook, manifest: dict[str, Any]) -> dict[str, pa.Table]:
    """What the report tells beside the published tables, as tables."""
    import pyarrow as pa

    # validation itself reads published candidate lists, so it is not imported before it is needed
    text, flag, day = pa.string(), pa.bool_(), pa.date32()

    def table(rows: list[dict[str, Any]], **shape: pa.DataType) -> pa.Table:
        return pa.Table.from_pylist(rows, schema=pa.schema(list(shape.items())))

    inputs = [
        {**i, "datasets": ", ".join(i["datasets"]), "school_years": ", ".join(i["school_years"])}
        for i in manifest["inputs"]
    ]
    newest = {line["sha256"]: line for line in history.screenings(settings)}
    accepted = {(a["sha256"], a["code"]): a for a in history.acceptances(settings)}
    checks = []
    for entry in manifest["inputs"]:
        for check in newest.get(entry["sha256"], {}).get("checks", ()):
            acceptance = accepted.get((entry["sha256"], check["code"]), {})
            checks.append({**entry, **check, "accepted_by": acceptance.get("by"), "reason": acceptance.get("reason")})
    exceptions = [
        row.model_dump()
        for row in rulebook.exceptions.exceptions
        if row.rounds == "all" or manifest["round"] in row.rounds
    ]
    rules = rulebook.rule_sets[manifest["rule_set"]["name"]]
    choices = [
        {"path": path, "value": value_in_words(entry), "basis": entry.basis, "is_limit": isinstance(entry, Limit),
         "source": rules.sources[entry.source].text, "note": entry.note}
        for path, entry in rules.sourced()
    ]  # fmt: skip
    return {
        "inputs": table(inputs, file=text, sha256=text, datasets=text, school_years=text),
        "checks": table(
            checks, file=text, sha256=text, code=text, severity=text, passed=flag, count=pa.int64(),
            accepted_by=text, reason=text,
        ),
        "exceptions": table(
            exceptions, unit_level=text, unit_code=text, kind=text, ground=text, source=text, valid_from=day,
            valid_to=day,
        ),
        "choices": table(choices, path=text, value=text, basis=text, is_limit=flag, source=text, note=text),
    }  # fmt: skip


@cache
def _layout() -> dict[str, Any]:
    import yaml

    layout: dict[str, Any] = yaml.safe_load((PAGE / "figures.yaml").read_text(encoding="utf-8"))
    return layout


def _page(building: Path, manifest: dict[str, Any], previous: str | None) -> str:
    import duckdb
    import jinja2

    environment = jinja2.Environment(autoescape=True, trim_blocks=True)
    # a release that is published once more keeps the tables it had, and older ones had no such table
    known = (building / UNCERTAINTY).exists()
    places = {f"{{{name}}}": sql.strip() for name, sql in _layout()["shared"].items()}
    places |= {"{previous}": previous or "", "{uncertainty}": f"'{UNCERTAINTY}'" if known else NOBODY_KNOWS}
    sections = []
    with duckdb.connect(config={"file_search_path": str(building), "threads": 1}) as connection:
        for section in _layout()["sections"]:
            if section.get("previous") and previous is None:
                continue
            figures = [_answer(connection, figure, places) for figure in section["figures"]]
            shown = {**section, "figures": figures}
            sections.append(shown)
    template = environment.from_string((PAGE / "index.html.j2").read_text(encoding="utf-8"))
    return template.render(
        manifest=manifest, sections=sections, previous=previous, nb=texts("no"), codes=CODES, both=both,
        both_of_code=both_of_code, N_=N_,
    )  # fmt: skip


def _answer(connection: Any, figure: dict[str, Any], places: dict[str, str]) -> dict[str, Any]:
    """A figure with what its query returns, as the page shows it."""
    import markupsafe

    sql = figure["sql"].strip()
    for name, place in places.items():
        sql = sql.replace(name, place)
    answer = connection.execute(sql)
    columns = [d[0] for d in answer.description]
    rows = answer.fetchall()
    numeric = [any(isinstance(r[i], int | float) for r in rows) for i in range(len(columns))]
    shown = {**figure, "sql": sql, "columns": columns, "numeric": numeric}
    shown["rows"] = [[DASH if cell is None else str(cell) for cell in row] for row in rows]
    if figure.get("chart") and rows:
        shown["svg"] = markupsafe.Markup(_dots(rows))
    return shown


def _dots(rows: list[tuple[Any, ...]]) -> str:
    """A dot per municipality on its share, coloured by what became of it, a bar from least to most, a line at the cut.

    ``rows`` are those of the figure, by rank: rank, code, name, side of the cut, outcome, share, least, most, rank in
    the country, its interval (two columns), and how often it is taken.
    """
    from markupsafe import escape

    low = min(float(row[6]) for row in rows)
    high = max(float(row[7]) for row in rows)
    spread = (high - low) or 1.0

    def x(value: Any) -> float:
        return round(LEFT + (float(value) - low) / spread * (WIDTH - LEFT - RIGHT), 1)

    height = ROW_HEIGHT * (len(rows) + 2)
    columns = [WIDTH - RIGHT + offset for offset in (86, 176, RIGHT)]
    label = both(N_("shares close to the quota"))
    parts = [f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{label}">']
    names = (both(N_("share")), both(N_("rank")), both(N_("selected")))
    parts += [f'<text x="{at}" y="15" text-anchor="end">{name}</text>' for at, name in zip(columns, names, strict=True)]
    for at, (_, code, name, _, status, share, least, most, _, first, last, taken) in enumerate(rows, start=1):
        y = ROW_HEIGHT * at + ROW_HEIGHT // 2
        kind = escape(status)
        interval = DASH if first is None else f"{first}{DASH}{last}"
        parts.append(
            f'<text x="{LEFT - 12}" y="{y + 4}" text-anchor="end">{escape(code)} {escape(name)}</text>'
            f'<line x1="{x(least)}" x2="{x(most)}" y1="{y}" y2="{y}" class="bar {kind}"/>'
            f'<circle cx="{x(share)}" cy="{y}" r="5" class="{kind}"/>'
        )
        shown = (f"{share} %", interval, DASH if taken is None else f"{taken} %")
        parts += [
            f'<text x="{right}" y="{y + 4}" text-anchor="end">{escape(text)}</text>'
            for right, text in zip(columns, shown, strict=True)
        ]
    y = ROW_HEIGHT * (1 + sum(row[3] == INSIDE for row in rows))
    parts.append(f'<line class="cut" x1="0" x2="{WIDTH}" y1="{y}" y2="{y}"/>')
    parts.append(f'<text x="{LEFT}" y="{height - 6}">{low:.1f} %</text>')
    parts.append(f'<text x="{WIDTH - RIGHT}" y="{height - 6}" text-anchor="end">{high:.1f} %</text></svg>')
    return "".join(parts)


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
