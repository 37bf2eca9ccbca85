"""What one run publishes of a round: tables in three formats, a manifest, and the switch to the new revision."""

from dagster_project.publication.edition import Revision, current_revision, publish
from dagster_project.publication.manifest import verify_revision

__all__ = ["Revision", "current_revision", "publish", "verify_revision"]
