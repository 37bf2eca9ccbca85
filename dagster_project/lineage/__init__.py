"""Where data come from, for people and for other tools: column by column, and run by run."""

from dagster_project.lineage.columns import Lineage, columns_of_node, from_manifest, path, read, write

__all__ = ["Lineage", "columns_of_node", "from_manifest", "path", "read", "write"]
