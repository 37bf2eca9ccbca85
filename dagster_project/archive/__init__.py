"""What is kept for good: the originals, the ledger of everything that happened, seals, the journal of checks."""

from dagster_project.archive.store import Archive, Head, Stored

__all__ = ["Archive", "Head", "Stored"]
