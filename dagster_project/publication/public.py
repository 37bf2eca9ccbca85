"""The public edition of a revision: which tables it holds, and what it says about the figures it hides.

What may be shown is decided by the dbt models ``public_<mart>``; here they only get the plain name of their mart. A
mart without such a model is left out, unless the file that documents it says that it is public as it is.
"""

from __future__ import annotations

from pathlib import Path

from dagster_project.pages.words import N_, both
from dagster_project.publication.notes import marts, model_note
from dagster_project.settings import Settings

PUBLIC = "public"
PREFIX = f"{PUBLIC}_"
AS_IT_IS = "as_it_is"
# what a status column says of a figure that is hidden here and not at its source
HIDDEN_HERE = ("hidden_small", "hidden_complementary")
STATUS_COLUMNS = {
    "publication": N_("Hidden figures or sums: {hidden} of {all}"),
    "rank_publication": N_("Hidden ranks: {hidden} of {all}"),
    "spread_publication": N_("Hidden spreads: {hidden} of {all}"),
    "national_limit_publication": N_("Hidden national limits: {hidden} of {all}"),
    "absolute_limit_publication": N_("Hidden absolute limits: {hidden} of {all}"),
}


def is_public_model(name: str) -> bool:
    """Whether the mart is the public edition of another."""
    return name.startswith(PREFIX)


def public_tables(settings: Settings) -> dict[str, Path]:
    """The marts of the public edition, by the name they are published under."""
    found = {}
    for name, path in marts(settings).items():
        if is_public_model(name):
            found[name.removeprefix(PREFIX)] = path
        elif model_note(settings, name).get("config", {}).get("meta", {}).get(PUBLIC) == AS_IT_IS:
            found[name] = path
    return dict(sorted(found.items()))


def model_of(settings: Settings, name: str) -> str:
    """The model that documents a table of the public edition."""
    return f"{PREFIX}{name}" if model_note(settings, f"{PREFIX}{name}") else name


def is_comparison(settings: Settings, name: str) -> bool:
    """Whether a published table compares a round with what came from elsewhere; ``public/<name>`` for everybody.

    Such a table is published where it has rows, and what it says later is no reason to change a release.
    """
    plain = name.removeprefix(f"{PUBLIC}/")
    note = model_note(settings, name if name == plain else model_of(settings, plain))
    return bool(note.get("config", {}).get("meta", {}).get("comparison"))


def notes_of_table(path: Path) -> list[str]:
    """Lines on top of the notes of a public workbook: that it is the public edition, and how much it hides."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    lines = [
        both(N_(
            "PUBLIC EDITION: figures on few pupils are hidden, and so are figures from which one of them could be "
            "worked out. An empty cell is not zero; the status columns say why it is empty."
        ))
    ]  # fmt: skip
    names = [n for n in STATUS_COLUMNS if n in pq.read_schema(path).names]
    for name, column in zip(names, pq.read_table(path, columns=names).columns, strict=True):
        counts = {c["values"]: c["counts"] for c in pc.value_counts(column).to_pylist()}
        hidden = {status: counts[status] for status in HIDDEN_HERE if status in counts}
        detail = ", ".join(f"{status} {number}" for status, number in hidden.items())
        counted = both(STATUS_COLUMNS[name], hidden=sum(hidden.values()), all=len(column))
        lines.append(counted + (f" ({detail})" * bool(detail)))
    return lines
