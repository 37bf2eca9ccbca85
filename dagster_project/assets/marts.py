"""What the files under ``dbt/`` say of marts: what is made of them, and the columns of those made outside of dbt."""

from typing import Any

import dagster as dg

from dagster_project.publication.notes import column_notes
from dagster_project.settings import load_settings
from dagster_project.transform import dbt_step


def exposed(exposure: str) -> list[str]:
    """The marts that a dbt exposure rests on, by name."""
    manifest = dbt_step.load_manifest(load_settings())
    (found,) = (e for e in manifest["exposures"].values() if e["name"] == exposure)
    return sorted((manifest["nodes"].get(n) or manifest["sources"][n])["name"] for n in found["depends_on"]["nodes"])


def documented(mart: str) -> dict[str, Any]:
    """Column schema and column lineage from the file under ``dbt/`` that documents the mart."""
    notes = column_notes(load_settings(), mart)
    columns = [
        dg.TableColumn(name, type=note.data_type, description=note.description or None) for name, note in notes.items()
    ]
    made_of = {
        name: [
            dg.TableColumnDep(asset_key=dg.AssetKey(table), column_name=column)
            for table, column in (origin.split(".") for origin in note.made_of)
        ]
        for name, note in notes.items()
        if note.made_of
    }
    return {
        "dagster/column_schema": dg.TableSchema(columns=columns),
        "dagster/column_lineage": dg.TableColumnLineage(deps_by_column=made_of),
    }
