"""Which column comes from which column, found in compiled SQL without a database.

``from_manifest`` parses each model's compiled SQL with sqlglot and follows every output column to the columns of the
models and sources it is made of. It is slow compared with a run and depends on nothing but the dbt files, so it is
done when the manifest is prepared and kept beside it as ``column_lineage.json``.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dagster_project import schema
from dagster_project.forms.spec import form_schema
from dagster_project.rules.compile import parameter_schemas
from dagster_project.settings import Settings

DIALECT = "duckdb"
FILE = "column_lineage.json"
Lineage = dict[str, dict[str, list[tuple[str, str]]]]
"""unique_id of a model -> its column -> (unique_id of the upstream node, column) in order."""


def path(settings: Settings) -> Path:
    return settings.dbt_manifest.with_name(FILE)


def write(settings: Settings, lineage: Lineage) -> None:
    """Keep the lineage beside the manifest it was made from."""
    path(settings).write_text(json.dumps(lineage, sort_keys=True) + "\n", encoding="utf-8")


def read(settings: Settings) -> Lineage:
    """The kept lineage, or nothing when there is none (lineage is a help, never a condition)."""
    try:
        raw = json.loads(path(settings).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {m: {c: [(n, d) for n, d in deps] for c, deps in columns.items()} for m, columns in raw.items()}


def columns_of_node(node: Mapping[str, Any]) -> dict[str, str]:
    """Column name -> data type of a manifest node, as the contract of a table written by Python, else its yml says."""
    if node["resource_type"] == "source" and node["source_name"] in ("extracts", "parameters"):
        return _source_columns(node["source_name"], node["name"])
    return {name: str(c.get("data_type") or "") for name, c in node.get("columns", {}).items()}


def descriptions_of_extract(manifest: Mapping[str, Any], dataset: str) -> dict[str, str]:
    """What each column of an extract means: as the models say that read it and pass it on, else as the source says."""
    (source,) = (n for n in manifest["sources"].values() if (n["source_name"], n["name"]) == ("extracts", dataset))
    readers = [
        node
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model" and source["unique_id"] in node["depends_on"]["nodes"]
    ]
    return {name: c["description"] for node in (*readers, source) for name, c in node["columns"].items()}


def from_manifest(manifest: Mapping[str, Any]) -> Lineage:
    """Column lineage of every model of a compiled manifest. A model sqlglot cannot read is left out with a warning."""
    import sqlglot
    from sqlglot import exp
    from sqlglot.lineage import lineage
    from sqlglot.optimizer.qualify import qualify

    models = {
        uid: node
        for uid, node in manifest["nodes"].items()
        if node["resource_type"] == "model" and node.get("compiled_code")
    }
    upstream_columns: dict[str, list[str]] = {
        uid: list(columns_of_node(node)) for uid, node in manifest["sources"].items()
    }
    # A relation is written "db"."schema"."name" for a model and read_parquet('...') for a source. Both become a plain
    # name that carries the node, so that one table stands for one node.
    table_of = {uid: "n" + str(i) for i, uid in enumerate([*manifest["sources"], *models])}
    node_of = {table: uid for uid, table in table_of.items()}
    found: Lineage = {}
    log = logging.getLogger(__name__)
    for uid in _upstream_first(models):
        node = models[uid]
        sql = node["compiled_code"]
        for parent in node["depends_on"]["nodes"]:
            relation = (manifest["sources"].get(parent) or manifest["nodes"].get(parent) or {}).get("relation_name")
            if relation and parent in table_of:
                sql = sql.replace(relation, table_of[parent])
        tables: dict[str, object] = {
            table_of[p]: dict.fromkeys(upstream_columns[p], "text")
            for p in node["depends_on"]["nodes"]
            if upstream_columns.get(p)
        }
        try:
            tree = sqlglot.parse_one(sql, dialect=DIALECT)
            qualified = qualify(tree, schema=tables, dialect=DIALECT, validate_qualify_columns=False, identify=False)
            names = [n for n in qualified.named_selects if n != "*"]  # type: ignore[attr-defined]
            text = qualified.sql(dialect=DIALECT)
            upstream_columns[uid] = names or list(columns_of_node(node))
            found[uid] = {}
            for name in names:
                deps: set[tuple[str, str]] = set()
                for leaf in lineage(name, text, schema=tables, dialect=DIALECT).walk():
                    table = None if leaf.downstream else leaf.expression.find(exp.Table)
                    if table is not None and table.name in node_of:
                        deps.add((node_of[table.name], exp.to_column(leaf.name).name))
                found[uid][name] = sorted(deps)
        except (sqlglot.errors.SqlglotError, ValueError, KeyError) as problem:
            log.warning("no column lineage for %s: %s", uid, str(problem).splitlines()[0])
            found.pop(uid, None)
            upstream_columns[uid] = list(columns_of_node(node))
    return found


def _upstream_first(models: Mapping[str, Mapping[str, Any]]) -> list[str]:
    ordered: list[str] = []
    seen: set[str] = set()

    def visit(uid: str) -> None:
        if uid in seen or uid not in models:
            return
        seen.add(uid)
        for parent in models[uid]["depends_on"]["nodes"]:
            visit(parent)
        ordered.append(uid)

    for uid in sorted(models):
        visit(uid)
    return ordered


def _source_columns(source: str, table: str) -> dict[str, str]:
    """Column name -> type of a table that is written by Python, as its contract says."""
    if source == "parameters":
        contract = parameter_schemas()[table]
    elif table in schema.YEARLY_DATASETS:
        contract = schema.extract_schema()
    elif table in schema.FORM_DATASETS:
        contract = form_schema(table)
    else:
        contract = {
            schema.SCHOOL_REGISTER: schema.register_schema,
            schema.MUNICIPALITY_CHANGES: schema.changes_schema,
            schema.MUNICIPALITY_VERSIONS: schema.versions_schema,
        }[table]()
    return {f.name: str(f.type) for f in contract}
