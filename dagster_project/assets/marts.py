"""What the UI shows of a mart that is made outside of dbt: its columns, and which columns they are made of."""

from typing import Any

import dagster as dg

from dagster_project.publication.notes import column_notes
from dagster_project.settings import load_settings


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
