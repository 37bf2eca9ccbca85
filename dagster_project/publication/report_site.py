"""The sites of a revision that is about to be: that of everything in ``internal/``, and the public one in ``public/``.

The public site is made from the public folder and from facts that are no figures; nothing else is handed to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from dagster_project.archive import journal
from dagster_project.archive.commits import current_revision, read_manifest
from dagster_project.archive.published import INTERNAL
from dagster_project.publication.changes import causes
from dagster_project.publication.public import PUBLIC
from dagster_project.publication.site import cohort_pages
from dagster_project.publication.site.build import SITE, write_site
from dagster_project.publication.site.cohort import Cohort
from dagster_project.publication.site.content import Before, Control, Round
from dagster_project.publication.site.facts import Facts, facts_of
from dagster_project.publication.site.geography import GEOJSON, Geography, invented, of_geojson
from dagster_project.publication.site.round_pages import MENU, RoundSite
from dagster_project.publication.site.tables import Tables
from dagster_project.publication.subjects import Subject
from dagster_project.rules import RuleBook
from dagster_project.settings import Settings

RANKING = "municipality_ranking"


def is_site(name: str) -> bool:
    """Whether a file of a revision is a page: a view of the tables, like a workbook."""
    return name.startswith((f"{INTERNAL}/{SITE}/", f"{PUBLIC}/{SITE}/", "report/"))


def fill_sites(
    settings: Settings, rulebook: RuleBook, subject: Subject, building: Path, manifest: dict[str, Any]
) -> None:
    """Write the sites into a folder that is about to become a revision.

    ``manifest`` is that of the revision, without the files written here. Everything follows from it, from the folder
    and from what was published before.
    """
    facts = facts_of(manifest, rulebook.rule_sets[manifest["rule_set"]["name"]])
    if subject.is_cohort:
        write_cohort(building / INTERNAL, facts)
        return
    earlier = _round_before(settings, rulebook, manifest)
    folder, before = earlier if earlier else (None, None)
    geography = _geography(settings, building, facts)
    control = _control(settings, building, manifest)
    write_round(building / INTERNAL, facts, _before(folder, INTERNAL, before), geography, control)
    if (building / PUBLIC / f"{RANKING}.parquet").exists():
        write_public(building / PUBLIC, facts, _before(folder, PUBLIC, before), geography)


def write_round(
    folder: Path, facts: Facts, before: Before | None, geography: Geography | None, control: Control
) -> None:
    """The site of a round with everything: tables are read from ``folder``, the internal edition."""
    site = RoundSite(Round(facts, Tables(folder), False, before, control), geography)
    write_site(folder, facts, MENU, site.pages, public=False)


def write_public(folder: Path, facts: Facts, before: Before | None, geography: Geography | None) -> None:
    """The public site of a round. Its tables are those of ``folder``, the public edition, and of the one before."""
    site = RoundSite(Round(facts, Tables(folder), True, before), geography)
    write_site(folder, facts, MENU, site.pages, public=True)


def write_cohort(folder: Path, facts: Facts) -> None:
    """The site of a cohort. Its tables have no public edition, and so has its site."""
    cohort = Cohort(facts, Tables(folder))
    write_site(folder, facts, cohort_pages.MENU, partial(cohort_pages.pages, cohort), public=False)


def _before(folder: Path | None, edition: str, facts: Facts | None) -> Before | None:
    if folder is None or facts is None or not (folder / edition / f"{RANKING}.parquet").exists():
        return None
    return Before(Tables(folder / edition), facts)


def _round_before(settings: Settings, rulebook: RuleBook, manifest: Mapping[str, Any]) -> tuple[Path, Facts] | None:
    """The revision in force of the last round before this one of its kind."""
    this = rulebook.round(manifest["round"])
    earlier = [
        (other.last_school_year, other.selection_date, folder)
        for other in rulebook.rounds
        if (other.origin, other.rule_set) == (this.origin, this.rule_set)
        and (other.last_school_year, other.selection_date) < (this.last_school_year, this.selection_date)
        and (folder := current_revision(settings, other.id)) is not None
    ]
    if not earlier:
        return None
    folder = max(earlier)[2]
    stated = read_manifest(folder)
    return folder, facts_of(stated, rulebook.rule_sets[stated["rule_set"]["name"]])


def _geography(settings: Settings, building: Path, facts: Facts) -> Geography | None:
    """Invented outlines for the fictional country, those of the file in the registers for a real one."""
    if facts.fictional:
        codes = Tables(building / INTERNAL).arrow(RANKING, ["municipality_code"])
        return invented(codes["municipality_code"].to_pylist())
    path = settings.registers / GEOJSON
    return of_geojson(path) if path.exists() else None


def _control(settings: Settings, building: Path, manifest: Mapping[str, Any]) -> Control:
    newest = {line["sha256"]: line for line in journal.screenings(settings)}
    accepted = {(a["sha256"], a["code"]): a for a in journal.acceptances(settings)}
    checks = []
    for entry in manifest["inputs"]:
        for check in newest.get(entry["sha256"], {}).get("checks", ()):
            acceptance = accepted.get((entry["sha256"], check["code"]), {})
            checks.append({**entry, **check, "accepted_by": acceptance.get("by"), "reason": acceptance.get("reason")})
    forms = tuple(sorted(p.name for p in (building / "forms").glob("*.xlsx")))
    replaced = building.parent / str(manifest["replaces"])
    changed = causes(read_manifest(replaced), manifest) if manifest["replaces"] and replaced.exists() else ()
    return Control(tuple(manifest["inputs"]), tuple(checks), forms, changed)
