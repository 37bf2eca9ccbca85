"""The workbooks of a round: one for each county governor with its candidates, and one for decisions."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dagster_project.forms import spec
from dagster_project.forms.candidates import CandidateList, decided
from dagster_project.forms.spec import DECISIONS, PRIORITIES
from dagster_project.forms.write import Evidence, write_form
from dagster_project.pages.names import slug
from dagster_project.pages.words import texts
from dagster_project.rules.model import Round

if TYPE_CHECKING:
    import pyarrow as pa

Row = Mapping[str, Any]
AREAS = {
    "learning_environment": "Læringsmiljø",
    "national_tests": "Nasjonale prøver",
    "grade_points": "Grunnskolepoeng",
}


ADVICE = {stored: norsk for norsk, stored in spec.ADVICE.items()}
GROUPS = {stored: norsk for norsk, stored in spec.GROUPS.items()}
PROPOSALS = {"selected": "foreslått", "candidate": "kandidat", "reserve": "reserve"}


def _rows(table: pa.Table, codes: set[str]) -> list[dict[str, Any]]:
    return [r for r in table.to_pylist() if r["municipality_code"] in codes]


def evidence_of(candidates: Sequence[Row], tables: Mapping[str, pa.Table]) -> list[Evidence]:
    """What the candidates rest on: their ranking, their shares by area and year, and all their schools."""
    codes = {c["municipality_code"] for c in candidates}
    ranking = {r["municipality_code"]: r for r in _rows(tables["municipality_ranking"], codes)}
    names = {code: r["municipality_name"] for code, r in ranking.items()}
    lines = []
    for c in candidates:
        m = ranking[c["municipality_code"]]
        lines.append(
            (GROUPS[c["selection_group"]], c["rank_in_group"], c["municipality_code"], c["municipality_name"],
             m["school_spread"], m["rated_schools"], m["schools_in_worst_quartile"], m["risk_share"],
             m["rank"], m["coverage"], m["share_if_hidden_best"], m["share_if_hidden_worst"])
        )  # fmt: skip
    areas = [
        (r["municipality_code"], names[r["municipality_code"]], AREAS.get(r["area"], r["area"]),
         r["school_year"] or "alle", r["points"], r["possible_points"], r["risk_share"], r["coverage"])
        for r in _rows(tables["area_shares"], codes)
    ]  # fmt: skip
    schools = [
        (r["municipality_code"], names[r["municipality_code"]], r["school_code"], r["school_name"], r["risk_share"],
         r["rank"], "ja" if r["worst_quartile"] else "nei" if r["rated"] else "ikke vurdert", r["coverage"])
        for r in sorted(_rows(tables["school_ranking"], codes),
                        key=lambda r: (r["municipality_code"], r["rank"] is None, r["rank"], r["school_code"]))
    ]  # fmt: skip
    return [
        Evidence("Kandidater",
                 ("Gruppe", "Plass i gruppen", "Kommunenr", "Kommune", "Spredning mellom skolene", "Vurderte skoler",
                  "Skoler blant landets svakeste", "Andel risikopoeng", "Plass i landet", "Dekning",
                  "Andel hvis skjulte tall er best", "Andel hvis skjulte tall er dårligst"),
                 lines, frozenset({4, 7, 9, 10, 11})),
        Evidence("Områder",
                 ("Kommunenr", "Kommune", "Område", "Skoleår", "Risikopoeng", "Mulige poeng", "Andel", "Dekning"),
                 areas, frozenset({6, 7})),
        Evidence("Skoler",
                 ("Kommunenr", "Kommune", "Organisasjonsnr", "Skole", "Andel risikopoeng", "Plass i landet",
                  "Blant landets svakeste", "Dekning"),
                 schools, frozenset({4, 7})),
    ]  # fmt: skip


def instructions(title: str, due: dt.date | None, questions_to: str, form: spec.Form) -> list[str]:
    """What stands under the title of a form: the round, the deadline, whom to ask, and what to do."""
    deadline = f"Svarfrist: {texts('no').date(due)}. " if due else ""
    return [title, f"{deadline}Spørsmål: {questions_to}.", " ".join(form.help)]


def write_governor_forms(
    folder: Path, candidates: CandidateList, tables: Mapping[str, pa.Table], round_: Round, questions_to: str
) -> list[Path]:
    """One workbook per county governor: its candidates to prioritise, and its municipalities of the average group."""
    told = instructions(round_.title, round_.priorities_due, questions_to, PRIORITIES)
    return [
        write_form(
            folder / f"prioritering-{slug(governor)}.xlsx", PRIORITIES, fictional=round_.origin == "fictional",
            instructions=told,
            fields={"round": candidates.round, "county_governor": governor, "candidate_list_hash": candidates.code},
            rows=[{"municipality_code": c["municipality_code"], "municipality_name": c["municipality_name"],
                   "selection_group": GROUPS[c["selection_group"]],
                   "locked": ("priority", "advice") if c["selection_group"] == "average" else ()} for c in own],
            evidence=evidence_of(own, tables),
        )
        for governor, own in candidates.workbooks.items()
    ]  # fmt: skip


def write_decision_form(folder: Path, selection: Sequence[Row], round_: Round, questions_to: str) -> Path:
    """One workbook with a line for every municipality somebody may decide on, in the order they are proposed."""
    order = {"selected": 0, "candidate": 1, "reserve": 2}
    closed = decided(selection)
    open_rows = sorted(
        (r for r in selection if r["proposed_status"] in order and r["municipality_code"] not in closed),
        key=lambda r: (r["selection_group"], order[r["proposed_status"]], r["proposed_place"]),
    )
    once = {r["municipality_code"]: r for r in reversed(open_rows)}
    rows = [
        {"round": round_.id, "municipality_code": r["municipality_code"], "municipality_name": r["municipality_name"]}
        for r in open_rows
        if once[r["municipality_code"]] is r
    ]
    listed = [
        (GROUPS[r["selection_group"]], PROPOSALS[r["proposed_status"]], r["proposed_place"], r["municipality_code"],
         r["municipality_name"], r["county_governor"], r["governor_priority"],
         ADVICE.get(r["governor_advice"]), r["governor_reason"])
        for r in open_rows
    ]  # fmt: skip
    listing = Evidence("Liste", ("Gruppe", "Forslag", "Plass", "Kommunenr", "Kommune", "Statsforvalter",
                                 "Prioritet", "Tilrådning", "Statsforvalterens begrunnelse"), listed)  # fmt: skip
    return write_form(
        folder / f"beslutninger-{round_.id}.xlsx", DECISIONS, fields={}, rows=rows, evidence=[listing], spare=True,
        fictional=round_.origin == "fictional", instructions=instructions(round_.title, None, questions_to, DECISIONS),
    )  # fmt: skip
