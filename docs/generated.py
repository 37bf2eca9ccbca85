"""Pages of the site that are made from other sources when it is built, as a hook of mkdocs.

The data dictionary comes from dbt's manifest, the checks of the files from the suites in ``expectations/``, the
glossary and the codes from the catalogue of words, the commands from click, and the list of decisions from their files.
Nothing is written down a second time. dbt's own page is linked when it has been built (``make docs``).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from dagster_project import schema
from dagster_project.cli import HEADINGS, main
from dagster_project.forms.spec import FORMS
from dagster_project.pages.words import CODES, texts
from dagster_project.publication.site.glossary import TERMS
from dagster_project.settings import load_settings
from dagster_project.transform import dbt_step
from dagster_project.validation.suites import SEVERITY, Expectation, load_suite

DBT_PAGE = "dbt/index.html"
ROOT = Path(__file__).resolve().parent.parent
BUILT_BY_DBT = ROOT / "dbt" / "target" / "static_index.html"
WITHOUT_DBT = "<!doctype html><title>dbt</title><p>Run <code>make docs</code>: it builds dbt's page first."
LAYERS = {
    "marts": "Published tables",
    "intermediate": "Intermediate models",
    "staging": "Staging models",
}
ROOM_OF_FILES = {
    schema.NATIONAL_TESTS: schema.extract_schema,
    schema.PUPIL_SURVEY: schema.extract_schema,
    schema.GRADE_POINTS: schema.extract_schema,
    schema.SCHOOL_REGISTER: schema.register_schema,
    schema.MUNICIPALITY_CHANGES: schema.changes_schema,
    schema.MUNICIPALITY_VERSIONS: schema.versions_schema,
}


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put every decision into the navigation, below their list."""
    names = [f"decisions/{path.name}" for path in decision_files()]
    for section in config.nav or ():
        for pages in section.values():
            for entry in pages:
                if isinstance(entry, dict) and "Decisions" in entry:
                    entry["Decisions"] = ["decisions/index.md", *names]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages before mkdocs looks for those that the navigation names, and dbt's own page beside them."""
    pages = {
        "reference/data-dictionary.md": data_dictionary(),
        "reference/files.md": files_and_checks(),
        "reference/glossary.md": glossary(),
        "reference/commands.md": commands(),
        "decisions/index.md": decisions(),
        DBT_PAGE: BUILT_BY_DBT.read_text(encoding="utf-8") if BUILT_BY_DBT.exists() else WITHOUT_DBT,
    }
    for path, text in pages.items():
        files.append(File.generated(config, path, content=text))
    return files


def cell(text: object) -> str:
    """A text as a cell of a Markdown table."""
    return " ".join(str(text).split()).replace("|", "\\|").replace("<", "&lt;")


def table(header: Iterable[str], rows: Iterable[Iterable[object]]) -> Iterator[str]:
    """A Markdown table, and an empty line."""
    names = list(header)
    yield "| " + " | ".join(names) + " |"
    yield "|" + "---|" * len(names)
    for row in rows:
        yield "| " + " | ".join(cell(value) for value in row) + " |"
    yield ""


def data_dictionary() -> str:
    """Every model of dbt with its columns, from the manifest."""
    manifest = dbt_step.load_manifest(load_settings())
    models = [n for n in manifest["nodes"].values() if n["resource_type"] == "model"]
    models += [s for s in manifest["sources"].values() if s["columns"]]
    checks = tests_by_column(manifest)
    lines = [
        "# Data dictionary", "",
        "Made from dbt's manifest when the site is built, published tables first. dbt's own page shows the same with "
        "the SQL and the graph of the models: [dbt's documentation](../dbt/index.html).", "",
        "A table of `internal/` has all figures. A `public_` model is what `public/` holds under the name without "
        "`public_` ([the public edition](../public-edition.md)). The files that the figures come from have "
        "[a page of their own](files.md).", "",
    ]  # fmt: skip
    for layer, title in LAYERS.items():
        lines += [f"## {title}", ""]
        chosen = [m for m in models if layer_of(m) == layer]
        for model in sorted(chosen, key=lambda m: (m["name"].startswith("public_"), m["name"])):
            lines += model_lines(model, checks.get(model["unique_id"], {}))
    return "\n".join(lines)


def layer_of(model: dict[str, Any]) -> str:
    """The folder of a model; what is made outside of dbt is documented among the marts."""
    return "marts" if model["resource_type"] == "source" else model["fqn"][1]


def model_lines(model: dict[str, Any], checks: dict[str | None, list[str]]) -> Iterator[str]:
    """A model: what it is, its keys and checks, and its columns."""
    yield f"### {model['name']}"
    yield ""
    yield " ".join(model["description"].split())
    yield ""
    if checks.get(None):
        yield f"Checked: {'; '.join(checks[None])}."
        yield ""
    rows = [
        (f"`{c['name']}`", c["data_type"], c["description"], ", ".join(checks.get(c["name"], ())))
        for c in model["columns"].values()
    ]
    if any(row[3] for row in rows):
        yield from table(("column", "type", "meaning", "checked"), rows)
    else:
        yield from table(("column", "type", "meaning"), (row[:3] for row in rows))


def tests_by_column(manifest: dict[str, Any]) -> dict[str, dict[str | None, list[str]]]:
    """Model -> column -> what dbt tests of it; None for tests of the whole model."""
    found: dict[str, dict[str | None, list[str]]] = defaultdict(lambda: defaultdict(list))
    for test in manifest["nodes"].values():
        if test["resource_type"] == "test" and test.get("attached_node"):
            found[test["attached_node"]][test.get("column_name")].append(what_is_tested(test))
    return found


def what_is_tested(test: dict[str, Any]) -> str:
    """A test in a few words; a test of its own is named by its description or name."""
    metadata = test.get("test_metadata") or {}
    arguments = metadata.get("kwargs", {})
    match metadata.get("name"):
        case "unique_combination":
            return "unique by " + ", ".join(f"`{c}`" for c in arguments.get("columns", ()))
        case "accepted_values":
            return "one of " + ", ".join(f"`{v}`" for v in arguments["values"])
        case "relationships":
            return f"in `{arguments['field']}` of {arguments['to']}"
        case str(name):
            return name.replace("_", " ")
        case _:
            return test.get("description") or test["name"]


def files_and_checks() -> str:
    """Every dataset that files bring: columns of its extract, and what each suite expects."""
    settings = load_settings()
    lines = [
        "# Files and their checks", "",
        "What each kind of file is validated against before it comes into force, from the suites in `expectations/`. "
        "A *critical* check rejects the file. A *warning* holds it until it is accepted "
        "by name and reason: `oppfolging accept FILE --code CODE --by NAME --reason WHY`. The checks of forms are "
        "in Norwegian, since case officers read them. The tables made from the files are in the "
        "[data dictionary](data-dictionary.md).", "",
    ]  # fmt: skip
    for path in sorted(settings.expectations.glob("*.json")):
        dataset = path.stem
        lines += [f"## {dataset}", ""]
        lines += columns_of(dataset)
        lines += table(
            ("check", "weight", "expects", "why", "what to do"),
            (
                (
                    f"`{e.code}`",
                    next(name for name, own in SEVERITY.items() if own is e.severity),
                    expected(e),
                    e.why,
                    e.fix,
                )
                for e in load_suite(settings.expectations, dataset)
            ),
        )  # fmt: skip
    return "\n".join(lines)


def expected(entry: Expectation) -> str:
    """The columns an entry looks at, and what should stand in them."""
    columns = ", ".join(f"`{column}`" for column in entry.columns)
    return " ".join(filter(None, (f"{columns}:", entry.expects, bounds(entry.kwargs))))


def bounds(kwargs: Mapping[str, Any]) -> str:
    """The limits that an entry names itself."""
    least, most = kwargs.get("min_value"), kwargs.get("max_value")
    if isinstance(least, dict) or isinstance(most, dict):
        return ""
    if least is not None and most is not None:
        return f"({least} to {most})"
    if most is not None:
        return f"(at most {most})"
    return f"(at least {least})" if least is not None else ""


def columns_of(dataset: str) -> Iterator[str]:
    """The columns of an extract, from the schema or the form."""
    if dataset in ROOM_OF_FILES:
        kinds = ROOM_OF_FILES[dataset]()
        yield "Columns of the extract: " + ", ".join(f"`{f.name}` ({f.type})" for f in kinds) + "."
        yield ""
    elif dataset in FORMS:
        form = FORMS[dataset]
        yield from table(
            ("column", "header in the form", "kind", "may be blank", "choices"),
            (
                (f"`{c.name}`", c.norsk, c.kind, "" if c.required else "yes", ", ".join(c.choices))
                for c in (*form.fields, *form.columns)
            ),
        )


def glossary() -> str:
    """The words of the field and of the tables, in both languages, from the one catalogue."""
    english, norsk = texts("en"), texts("no")
    lines = [
        "# Glossary", "",
        "Made from the catalogue of words that pages, workbooks and terminal use.", "",
        "## Words of the scheme", "",
        *table(
            ("English", "bokmål", "meaning", "betydning"),
            ((english._(t), norsk._(t), english._(m), norsk._(m)) for t, m in TERMS.items()),
        ),
        "## Codes of the tables", "",
        "What stands in a column of a table, and the words for it on pages and in workbooks.", "",
        *table(("code", "English", "bokmål"), ((f"`{c}`", english.code(c), norsk.code(c)) for c in CODES)),
    ]  # fmt: skip
    return "\n".join(lines)


def commands() -> str:
    """The help of every command, as the terminal shows it."""
    lines = [
        "# Commands", "",
        "The help of `oppfolging`, as the terminal shows it. Every command takes `--home FOLDER` before its name.", "",
        "```text", help_of(main, "oppfolging"), "```", "",
    ]  # fmt: skip
    for title, modules in HEADINGS.items():
        lines += [f"## {title}", ""]
        for module in modules:
            for command in module.COMMANDS:
                lines += command_lines(command, f"oppfolging {command.name}", None)
    return "\n".join(lines)


def command_lines(command: click.Command, name: str, above: click.Context | None) -> Iterator[str]:
    """A command and those below it."""
    yield from (f"### {name}", "", "```text", help_of(command, name), "```", "")
    if isinstance(command, click.Group):
        for word, below in sorted(command.commands.items()):
            yield from command_lines(below, f"{name} {word}", above)


def help_of(command: click.Command, name: str) -> str:
    """What ``--help`` prints."""
    context = click.Context(command, info_name=name, terminal_width=100, max_content_width=100,
                            help_option_names=["-h", "--help"])  # fmt: skip
    return command.get_help(context)


def decision_files() -> list[Path]:
    """The decisions in their order."""
    return sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))


def decisions() -> str:
    """The list of decisions, from the headings of their files."""
    lines = [
        "# Decisions", "",
        "Why the workflow is built as it is: one page for each decision, with its context and its consequences. "
        "A decision that no longer holds stays, and names the one that replaced it.", "",
    ]  # fmt: skip
    rows = []
    for path in decision_files():
        text = path.read_text(encoding="utf-8")
        number, title = re.match(r"# (\d+)\. (.+)", text).groups()  # type: ignore[union-attr]
        status = re.search(r"^Status: (.+)$", text, re.MULTILINE).group(1)  # type: ignore[union-attr]
        rows.append((number, f"[{title}]({path.name})", status))
    return "\n".join([*lines, *table(("", "decision", "status"), rows)])
