"""The lines of a completed form, and which of them a revision uses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dagster_project.archive import Archive
from dagster_project.audit.revisions import Published, Row
from dagster_project.forms.spec import FORMS
from dagster_project.intake.read import read_file
from dagster_project.intake.recognise import recognise
from dagster_project.settings import Settings

if TYPE_CHECKING:
    from dagster_project.forms.spec import Form


class FormLines:
    """Lines of one file by dataset. Files are read when first asked for; one that is no form has none.

    ``accepted`` is what the ledger says of every accepted file, in the order in which they were accepted.
    """

    def __init__(self, settings: Settings, sha256: str, accepted: dict[str, Row], line: int | None) -> None:
        self._archive, self._sha256, self._accepted, self._line = Archive(settings), sha256, accepted, line
        self._read: dict[str, dict[str, list[Row]]] = {}

    def in_force(self, published: Published, dataset: str) -> list[Row]:
        """The lines that no later form among the inputs of the revision has taken over."""
        if dataset not in self._accepted[self._sha256]["datasets"] or self._sha256 not in published.file_names:
            return []
        form, order = FORMS[dataset], list(self._accepted)
        later = order[order.index(self._sha256) + 1 :]
        taken = {
            _slice(row, form)
            for sha256 in later
            if sha256 in published.file_names and dataset in self._accepted[sha256]["datasets"]
            for row in self._lines(sha256).get(dataset, ())
        }
        return [
            row
            for row in self._lines(self._sha256).get(dataset, ())
            if self._line in (None, row["source_row"]) and _slice(row, form) not in taken
        ]

    def _lines(self, sha256: str) -> dict[str, list[Row]]:
        if sha256 not in self._read:
            path, name = self._archive.path(sha256), self._accepted[sha256]["file"]
            extracts = read_file(path, sha256, name, recognise(path, name))
            self._read[sha256] = {extract.dataset: extract.table.to_pylist() for extract in extracts}
        return self._read[sha256]


def _slice(row: Row, form: Form) -> Sequence[object]:
    return tuple(row[name] for name in form.replaces or form.key)
