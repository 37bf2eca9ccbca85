"""The people of Fabelland: they fill in the workbooks sent to them and put them into the inbox."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from dagster_project.archive.commits import current_revision
from dagster_project.archive.published import published_rows
from dagster_project.forms.candidates import candidate_list
from dagster_project.forms.spec import ADVICE, DECISION_CHOICES, MEASURES, QUERIES, REPORTS, SENDERS
from dagster_project.forms.write import FORM_SHEET, write_form
from dagster_project.publication.edition import FORMS
from dagster_project.rules import load_rules
from dagster_project.settings import Settings

Row = dict[str, Any]
REASONS = ("Vedvarende svake resultater på ungdomstrinnet.",
           "Stor forskjell mellom skolene, og vilje til å ta tak i det.",
           "Nytt skoleeierteam som ønsker støtte.", "Har hatt støtte før; mindre behov nå.")  # fmt: skip
ENVIRONMENTS = ("Høgskolen i Fabelland (oppdiktet)", "Tåkeli kompetansesenter (oppdiktet)",
                "Universitetet i Ytterfabel (oppdiktet)")  # fmt: skip
WORK = ("Veiledning av skoleledere", "Arbeid med begynneropplæring", "Læringsmiljø og mobbing")
NAME = "Kari Oppdiktet"
(AGAINST,) = ADVICE
SAYS = {stored: label for label, stored in DECISION_CHOICES.items()}


def reply(settings: Settings, round_id: str, on: dt.date, *, silent: int = 0) -> dict[str, int]:
    """Fill the county governors' workbooks of a round; the last ``silent`` governors do not reply.

    Returns the priorities given, by municipality.
    """
    from openpyxl import load_workbook

    folder = current_revision(settings, round_id)
    assert folder is not None, "a workbook is filled after it was sent out"
    paths = sorted((folder / FORMS).glob("prioritering-*.xlsx"))
    given: dict[str, int] = {}
    settings.inbox.mkdir(parents=True, exist_ok=True)
    for path in paths[: len(paths) - silent]:
        book = load_workbook(path)
        sheet = book[FORM_SHEET]
        header = next(row[0].row for row in sheet.iter_rows() if row[0].value == "Kommunenr")
        labels = {sheet.cell(r, 1).value: r for r in range(1, header)}
        sheet.cell(labels["Utfylt av"], 2).value = NAME
        sheet.cell(labels["Dato"], 2).value = on
        at = {cell.value: cell.column for cell in sheet[header]}
        below = range(header + 1, sheet.max_row + 1)
        lines = below[: next((i for i, r in enumerate(below) if not sheet.cell(r, 1).value), None)]
        average = [r for r in lines if sheet.cell(r, at["Gruppe"]).value == "gjennomsnitt"]
        spread = [r for r in lines if r not in average]
        if len(spread) > 5:
            # one of many gets help already, in the county governor's view
            sheet.cell(spread[-1], at["Tilrådning"]).value = AGAINST
            sheet.cell(spread[-1], at["Begrunnelse"]).value = "Er i gang med en egen plan som bør få virke først."
            sheet.cell(spread[-1], at["Samtale holdt"]).value = on - dt.timedelta(days=8)
            spread = spread[:-1]
        # the county governor turns the first two around: priorities are not the spread all over again
        order = [spread[1], spread[0], *spread[2:]] if len(spread) > 1 else spread
        for priority, line in enumerate(order, start=1):
            sheet.cell(line, at["Prioritet"]).value = priority
            sheet.cell(line, at["Begrunnelse"]).value = REASONS[(priority - 1) % len(REASONS)]
            sheet.cell(line, at["Samtale holdt"]).value = on - dt.timedelta(days=7 + priority % 21)
            given[str(sheet.cell(line, 1).value)] = priority
        for line in average[:1]:
            sheet.cell(line, at["Begrunnelse"]).value = "Kjent for oss: svake resultater over tid, og lite kapasitet."
        book.save(settings.inbox / f"{round_id}_{path.name}")
    return given


def decide(settings: Settings, round_id: str, priorities: Mapping[str, int], on: dt.date) -> set[str]:
    """Fill the workbook of decisions: all proposed are taken, but one declines and the next in reserve is called up.

    Returns the municipalities that are taken.
    """
    from openpyxl import load_workbook

    rulebook = load_rules(settings)
    quota = rulebook.rule_sets[rulebook.round(round_id).rule_set].groups.spread.quota.value
    selection = published_rows(settings, round_id, "selection")
    average = [r for r in selection if r["selection_group"] == "average" and r["proposed_status"] == "selected"]
    reserve = sorted((r for r in selection if r["selection_group"] == "average" and r["proposed_status"] == "reserve"),
                     key=lambda r: r["proposed_place"])  # fmt: skip
    candidates = candidate_list(settings, round_id).rows
    order = sorted(candidates, key=lambda r: (priorities.get(r["municipality_code"], 99), r["rank_in_group"]))
    declines, called = average[-1], reserve[0]
    lines: list[tuple[Row, str, dt.date, str | None]] = [
        (r, "accept", on, None) for r in (*average[:-1], *order[:quota])
    ]  # fmt: skip
    lines.append((declines, "decline", on, "Kommunen vil bruke egne krefter."))
    lines.append((called, "called_up", on + dt.timedelta(days=14), "Første reserve, etter at en kommune takket nei."))
    lines.append((called, "accept", on + dt.timedelta(days=21), None))
    folder = current_revision(settings, round_id)
    assert folder is not None, "decisions are made after the lists were sent out"
    book = load_workbook(next((folder / FORMS).glob("beslutninger-*.xlsx")))
    sheet = book[FORM_SHEET]
    header = next(row[0].row for row in sheet.iter_rows() if row[0].value == "Uttrekk")
    at = {str(sheet.cell(r, 2).value): r for r in range(header + 1, sheet.max_row + 1) if sheet.cell(r, 2).value}
    spare = max(at.values()) + 1
    filled: set[str] = set()
    for row, decision, day, why in lines:
        code = row["municipality_code"]
        line = at[code] if code in at and code not in filled else spare
        if line == spare:
            spare += 1
            for column, value in enumerate((round_id, code, row["municipality_name"]), start=1):
                sheet.cell(line, column).value = value
        filled.add(code)
        for column, value in enumerate((SAYS[decision], day, "Udir (oppdiktet)", why), start=4):
            sheet.cell(line, column).value = value
    book.save(settings.inbox / f"beslutninger_{round_id}.xlsx")
    return {row["municipality_code"] for row, decision, _, _ in lines if decision == "accept"}


def _members(settings: Settings, round_id: str) -> list[Row]:
    rows = published_rows(settings, round_id, "selection")
    return sorted((r for r in rows if r["decision"] == "accept"), key=lambda r: r["municipality_code"])


def report(settings: Settings, round_id: str, number: int, on: dt.date, *, missing: int = 0) -> None:
    """Send in one report of a cohort; the last ``missing`` municipalities are late with theirs."""
    rulebook = load_rules(settings)
    round_ = rulebook.round(round_id)
    duty = next(d for d in rulebook.rule_sets[round_.rule_set].followup.reports.value if d.report == number)
    says = {stored: label for label, stored in SENDERS.items()}
    members = _members(settings, round_id)
    rows = [
        {"cohort": round_.cohort_id, "municipality_code": m["municipality_code"],
         "municipality_name": m["municipality_name"], "report": number, "sender": says[sender], "received_on": on,
         "reference": f"FAB-{on.year}/{number}{i:02d}"}
        for sender in duty.senders
        for i, m in enumerate(members)
        if sender != "municipality" or i < len(members) - missing
    ]  # fmt: skip
    write_form(
        settings.inbox / f"rapport_{number}_{round_.cohort_id}.xlsx", REPORTS, fields={}, rows=rows, fictional=True
    )


def support(settings: Settings, round_id: str, years: Sequence[int]) -> None:
    """Send in the support measures of a cohort for some years."""
    cohort = load_rules(settings).round(round_id).cohort_id
    rows: list[Row] = []
    for year in years:
        for i, m in enumerate(_members(settings, round_id)):
            applied = 150_000 + 25_000 * (i % 7)
            rows.append(
                {"cohort": cohort, "municipality_code": m["municipality_code"],
                 "municipality_name": m["municipality_name"], "year": year, "measure": WORK[(i + year) % len(WORK)],
                 "competence_environment": ENVIRONMENTS[i % len(ENVIRONMENTS)], "applied": applied,
                 "granted": applied - 10_000 * (i % 3), "spent": applied - 10_000 * (i % 3) - 5_000 * (i % 2)}
            )  # fmt: skip
    write_form(settings.inbox / f"tiltak_{cohort}.xlsx", MEASURES, fields={}, rows=rows, fictional=True)


def ask(settings: Settings, round_id: str, on: dt.date) -> None:
    """Two queries in the preview window: one is answered, one came too late and is only recorded."""
    rows = published_rows(settings, round_id, "selection")[:2]
    window = load_rules(settings).round(round_id).queries_due
    assert window is not None, "the demo's rounds have a query window"
    lines = [
        {"round": round_id, "query_id": "S1", "municipality_code": rows[0]["municipality_code"],
         "municipality_name": rows[0]["municipality_name"], "received_on": on, "outcome": "avvist",
         "ground": "Mener at tallene for 8. trinn er for gamle.", "outcome_on": on + dt.timedelta(days=10),
         "effect": None, "handled_by": "Udir (oppdiktet)"},
        {"round": round_id, "query_id": "S2", "municipality_code": rows[1]["municipality_code"],
         "municipality_name": rows[1]["municipality_name"], "received_on": window + dt.timedelta(days=6),
         "ground": "Vil ha med en skole som ble lagt ned.", "outcome": "ubehandlet", "outcome_on": None,
         "effect": None, "handled_by": None},
    ]  # fmt: skip
    write_form(settings.inbox / f"sporsmal_{round_id}.xlsx", QUERIES, fields={}, rows=lines, fictional=True)
