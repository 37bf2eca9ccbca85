"""What one run publishes: tables in three formats, a manifest, and the switch to the new revision."""

from dagster_project.archive.commits import current_revision
from dagster_project.publication.edition import Revision
from dagster_project.publication.manifest import verify_revision

__all__ = ["Revision", "current_revision", "verify_revision"]
