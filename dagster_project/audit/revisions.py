"""Read a published revision: its manifest, its tables and its rule files."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dagster_project.archive import Archive
from dagster_project.archive.commits import MANIFEST, current_revision, read_manifest, why_gone
from dagster_project.archive.published import INTERNAL, read_published
from dagster_project.audit.earlier_rules import in_todays_keys
from dagster_project.diagnostics import NotFound
from dagster_project.publication.edition import RULEBOOK, round_revision
from dagster_project.publication.rulebook import with_cohorts
from dagster_project.rules import RuleBook
from dagster_project.rules.model import Exceptions, Governors, Publication, Round, RuleSet
from dagster_project.rules.reader import yaml_of
from dagster_project.settings import Settings

if TYPE_CHECKING:
    import pyarrow as pa

    from dagster_project.rules import RuleBook, RuleSet

Row = dict[str, Any]


@dataclass(frozen=True)
class Published:
    """One revision folder. Nothing outside the folder is read."""

    folder: Path

    @cached_property
    def manifest(self) -> Row:
        """The manifest as it stands."""
        return read_manifest(self.folder)

    @property
    def round(self) -> str:
        return str(self.manifest["round"])

    @property
    def subject(self) -> str:
        """The round or cohort it is of: the folder it lies in."""
        return self.folder.parent.name

    @property
    def revision(self) -> str:
        return str(self.manifest["revision"])

    @cached_property
    def file_names(self) -> dict[str, str]:
        """SHA-256 of every input -> the name it arrived under."""
        return {entry["sha256"]: entry["file"] for entry in self.manifest["inputs"]}

    def has(self, table: str) -> bool:
        """Whether it holds a table: a round has other ones than a cohort."""
        return f"{INTERNAL}/{table}.parquet" in self.manifest["files"]

    def path(self, table: str, suffix: str = ".parquet") -> Path:
        """Where a table of the internal edition lies."""
        return self.folder / INTERNAL / f"{table}{suffix}"

    def table(self, name: str, columns: list[str] | None = None, **equal: Any) -> pa.Table:
        """A table, or those of its rows whose columns equal the values given (a list: any of them)."""
        import pyarrow.compute as pc

        condition = None
        for column, value in equal.items():
            field = pc.field(column)
            part = field.isin(value) if isinstance(value, list) else field == value
            condition = part if condition is None else condition & part
        return read_published(self.folder, name, columns=columns, filters=condition, manifest=self.manifest)

    def rows(self, name: str, columns: list[str] | None = None, **equal: Any) -> list[Row]:
        """The same as plain rows."""
        rows: list[Row] = self.table(name, columns, **equal).to_pylist()
        return rows

    @cached_property
    def successors(self) -> dict[str, set[str]]:
        """Of a cohort: the code each member had at the selection -> the codes it has today."""
        found: dict[str, set[str]] = {}
        for row in self.rows("cohort_progress", ["selected_code", "municipality_code"], in_cohort=True):
            found.setdefault(row["selected_code"], set()).add(row["municipality_code"])
        return found

    def ranking(self, level: str) -> list[Row]:
        """The ranking of municipalities or schools, read once: each unit that is explained looks for its neighbours."""
        if level not in self._rankings:
            self._rankings[level] = self.rows(f"{level}_ranking")
        return self._rankings[level]

    @cached_property
    def _rankings(self) -> dict[str, list[Row]]:
        return {}

    @cached_property
    def rulebook(self) -> RuleBook:
        """The rules this revision was made from: only its own round and rule set."""

        def read(*parts: str) -> Any:
            return in_todays_keys(yaml_of((self.folder / RULEBOOK).joinpath(*parts)))

        round_ = Round.model_validate(self.manifest["round_entry"])
        name = self.manifest["rule_set"]["name"]
        register = Publication.model_validate(read("registers", "publication.yaml"))
        own = RuleBook(
            {name: RuleSet.model_validate(read("rules", f"{name}.yaml"))},
            {name: self.manifest["rule_set"]["sha256"]},
            (round_,),
            Exceptions.model_validate(read("registers", "exceptions.yaml")),
            Governors.model_validate(read("registers", "county_governors.yaml")),
            register.publication,
            register.questions_to,
        )
        return with_cohorts(own, round_.id, self.folder / INTERNAL)

    @property
    def rules(self) -> RuleSet:
        return self.rulebook.rule_sets[self.manifest["rule_set"]["name"]]


def open_folder(folder: Path) -> Published:
    """The revision in a folder.

    Raises:
        NotFound: the folder holds no manifest.
    """
    if not (folder / MANIFEST).exists():
        raise NotFound(f"{folder} is not a published revision: it has no {MANIFEST}.")
    return Published(folder)


def open_revision(settings: Settings, round_id: str, revision: str | None = None) -> Published:
    """The revision in force of a round, or the one named.

    Raises:
        NotFound: the round was never published here, or has no such revision.
    """
    current = round_revision(settings, round_id)
    if current is None:
        known = sorted(p.parent.name for p in settings.published.glob("*/current.json"))
        raise NotFound(f"Round {round_id} is not published here. Published: {', '.join(known) or 'none'}.")
    folder = current.parent / revision if revision else current
    if not (folder / MANIFEST).exists():
        gone = why_gone(Archive(settings).events(), round_id, revision)
        names = ", ".join(_names(current.parent))
        raise NotFound(f"Round {round_id} has no revision {revision}.{gone} Known: {names}.")
    return Published(folder)


def all_revisions(settings: Settings) -> list[tuple[Published, bool]]:
    """Every revision of every round and cohort in order, and whether it is the one in force."""
    found = []
    for pointer in sorted(settings.published.glob("*/current.json")):
        current = current_revision(settings, pointer.parent.name)
        for name in _names(pointer.parent):
            folder = pointer.parent / name
            found.append((Published(folder), folder == current))
    return found


def _names(folder: Path) -> list[str]:
    return sorted(p.parent.name for p in folder.glob(f"r*/{MANIFEST}"))


def accepted_files(settings: Settings) -> dict[str, Row]:
    """SHA-256 of every accepted file -> what the ledger says of it."""
    return {event["sha256"]: event for event in Archive(settings).events("accepted")}
