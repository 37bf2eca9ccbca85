"""The archive: original files, the ledger of all events, seals, the journal of validations and acceptances."""

from dagster_project.archive.store import Archive, Head, Stored

__all__ = ["Archive", "Head", "Stored"]
