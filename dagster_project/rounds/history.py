"""Show a round to people: its state, what it waits for, and its history."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from dagster_project import schema
from dagster_project.archive import Archive
from dagster_project.archive.commits import read_manifest
from dagster_project.intake.partitions import read_partition
from dagster_project.pages.words import FICTIONAL, both
from dagster_project.rounds import state as states
from dagster_project.rounds.official import as_lines, official_list
from dagster_project.rounds.overview import next_acts
from dagster_project.rounds.publishing import missing_inputs_of, waits_for
from dagster_project.rounds.release import Item, Standing, queries_of
from dagster_project.rules import load_rules
from dagster_project.settings import Settings

WORDS = {
    "accepted": "file in force",
    "held": "file held back",
    "rejected": "file refused",
    "warning_accepted": "warning accepted",
    "missing_input_accepted": "missing input accepted",
    "file_dismissed": "file dismissed",
    "file_withdrawn": "file withdrawn",
    states.MOVED: "state",
    states.RELEASED: "released",
    states.REOPENED: "reopened",
    states.WITHDRAWN: "withdrawn",
    states.KEPT: "kept as released",
}


def waiting(settings: Settings, round_id: str) -> dict[str, Any]:
    """Plain values of a round that has not been published.

    Raises:
        RuleProblem: no such round.
    """
    round_ = load_rules(settings).round(round_id)
    return {
        "round": round_.id, "state": states.State.DRAFT.value, "revision": None,
        "waits_for": waits_for(settings, round_),
    }  # fmt: skip


def waiting_as_text(content: Mapping[str, Any]) -> str:
    """The same for a terminal."""
    lines = [f"{content['round']}: {content['state']}, not published", "waits for:"]
    return "\n".join([*lines, *(f"  {line}" for line in content["waits_for"])])


def summary(settings: Settings, stand: Standing, items: Sequence[Item], today: dt.date) -> dict[str, Any]:
    """Plain values of where a round stands; ``today`` tells what is overdue."""
    waits = missing_inputs_of(settings, stand.subject.name)
    selection = stand.tables["selection"].to_pylist()
    counts = Counter((r["selection_group"], r["status"]) for r in selection)
    return {
        "round": stand.subject.name,
        "state": stand.state.value,
        "revision": stand.folder.name,
        "release": stand.lock.release if stand.lock else None,
        "withdrawn": (read_manifest(stand.folder).get("withdrawn") or {}).get("reason"),
        "next": [] if stand.lock else list(next_acts(stand.subject.round, selection, today)),
        "locked": stand.lock.as_text() if stand.lock else None,
        "illustrative": stand.illustrative,
        "missing_inputs": read_manifest(stand.folder).get("accepted_gaps", []),
        "waits_for": waits,
        "selection": [{"group": g, "status": s, "municipalities": n} for (g, s), n in sorted(counts.items())],
        # the marts hold the round as it would be: while figures are missing that is another one than was published
        "official_list": None if waits else official_list(settings, stand.subject.name),
        "overrides": [
            f"{r['municipality_code']} {r['municipality_name']}"
            for r in selection
            if r["is_override"]
        ],
        "checklist": [{"item": i.name, "ok": i.ok, "detail": i.detail} for i in items],
        "queries": Counter(
            q["outcome"] + (" (after the time for queries)" if q["late"] else "")
            for q in queries_of(settings, stand.subject.name)
        ),
    }  # fmt: skip


def as_text(stand: Standing, content: Mapping[str, Any]) -> str:
    """What ``summary`` gives, for a terminal."""
    lines = [f"{content['round']}: {content['state']}, revision {content['revision']}"]
    if content["withdrawn"]:
        lines.insert(0, f"WITHDRAWN: {content['withdrawn']}")
    lines += [f"{'then' if i else 'next'}: {act}" for i, act in enumerate(content["next"])]
    if stand.subject.round.origin == "fictional":
        lines.append(both(FICTIONAL))
    if content["locked"]:
        lines.append(f"locked: {content['locked']}")
    lines += [f"INCOMPLETE, computed without: {gap}" for gap in content["missing_inputs"]]
    lines += [f"a new revision waits for: {line}" for line in content["waits_for"]]
    if content["illustrative"]:
        lines.append("ILLUSTRATIVE: some limits are assumed, not Udir's")
    word = {} if stand.lock else {"selected": "proposed"}
    lines += [
        f"  {s['group']:8} {word.get(s['status'], s['status']):10} {s['municipalities']:4}"
        for s in content["selection"]
    ]
    if content["official_list"]:
        lines += as_lines(content["official_list"])
    if content["overrides"]:
        lines.append(f"decided against the proposal: {', '.join(content['overrides'])}")
    if stand.lock is None:
        lines.append("before it can be final:")
        lines += [
            f"  [{'x' if i['ok'] else ' '}] {i['item']}{': ' + i['detail'] if i['detail'] and not i['ok'] else ''}"
            for i in content["checklist"]
        ]
    if content["queries"]:
        lines.append("queries: " + ", ".join(f"{n} {outcome}" for outcome, n in content["queries"].items()))
    lines.append("moves: " + "; ".join(f"{e['from'] or 'new'} -> {e['to']} {e['time'][:16]}" for e in stand.events
                                       if e["event"] == states.MOVED))  # fmt: skip
    return "\n".join(lines)


def _concerns(event: dict[str, Any], datasets: set[str], years: set[str], fictional: bool) -> bool:
    if event["event"] in ("held", "rejected", "warning_accepted", "file_dismissed", "file_withdrawn"):
        return bool(set(event.get("school_years", ())) & years)
    return (
        event["event"] == "accepted"
        and event.get("fictional") == fictional
        and bool(set(event["datasets"]) & datasets)
        and (not event["school_years"] or bool(set(event["school_years"]) & years))
    )


def whole(settings: Settings, round_id: str) -> list[dict[str, Any]]:
    """Every event that concerns a round, in order of the ledger, then what people entered, each with name and reason.

    Raises:
        RuleProblem: no such round.
    """
    rulebook = load_rules(settings)
    round_ = rulebook.round(round_id)
    rules = rulebook.rule_sets[round_.rule_set]
    last, window = schema.start_year(round_.last_school_year), rules.window.years.value
    years = {
        schema.school_year_label(start)
        for lag in (c.value for c in rules.window.lag.values())
        for start in range(last - lag - window + 1, last - lag + 1)
    }
    datasets = {i.dataset for i in rules.indicators} | {schema.SCHOOL_REGISTER, schema.MUNICIPALITY_CHANGES}
    found = []
    for event in Archive(settings).events():
        mine = event["event"] in states.ROUND_EVENTS and event["round"] == round_id
        if mine or _concerns(event, datasets, years, round_.origin == "fictional"):
            found.append({"what": WORDS[event["event"]], **{k: v for k, v in event.items() if k != "previous"}})
    entered = (
        (schema.GOVERNOR_PRIORITIES, "priority", "replied_on", "replied_by"),
        (schema.DECISIONS, "decision", "decided_on", "decided_by"),
        (schema.ROUND_QUERIES, "query", "received_on", "handled_by"),
    )
    for dataset, what, when, who in entered:
        table = read_partition(settings, dataset, None)
        rows = [r for r in (table.to_pylist() if table is not None else []) if r["round"] == round_id]
        for row in sorted(rows, key=lambda r: (r[when], r["municipality_code"], r.get("priority") or 0)):
            found.append({"what": what, "time": row[when].isoformat(), "by": row[who], **row})
    return found


def whole_as_text(events: Sequence[dict[str, Any]]) -> str:
    """The history, one event a line, reasons included."""
    return "\n".join(_line(e) for e in events) or "Nothing has happened to this round yet."


def _line(e: dict[str, Any]) -> str:
    what = e["what"]
    if what == "state":
        detail = f"{e['from'] or 'new'} -> {e['to']}, revision {e['revision']}, {len(e['files'])} files since the last"
    elif what in ("released", "withdrawn", "reopened", "kept as released"):
        changes = e.get("changes")
        detail = f"release {e['release']}: {e['reason']}"
        if changes:
            names = {k: ", ".join(changes[k]) or "none" for k in ("in", "out", "causes")}
            detail += f"; in {names['in']}, out {names['out']}, {len(changes['moved'])} moved in rank"
            detail += f", because of {names['causes']}"
        if e.get("override_placeholders"):
            detail += f"; placeholders overridden: {e['override_placeholders']}"
    elif what == "missing input accepted":
        detail = f"{e['indicator']}, grade {e['grade']}, {e['school_year']}: {e['reason']}"
    elif what == "priority":
        said = "no priority" if e["priority"] is None else f"priority {e['priority']}"
        detail = f"{e['municipality_code']} {e['municipality_name']} gets {said}: {e['reason']}"
    elif what == "decision":
        detail = f"{e['municipality_code']} {e['municipality_name']}: {e['decision']}" + (
            f", {e['reason']}" if e["reason"] else ""
        )
    elif what == "query":
        effect = f", {e['effect']}" if e["effect"] else ""
        detail = f"{e['query_id']} of {e['municipality_code']}: {e['ground']} ({e['outcome']}{effect})"
    else:
        detail = f"{e['file']} {e['sha256'][:12]}"
        detail += f": {e['reason']}" if e.get("reason") else ""
    by = e.get("by")
    return f"{e['time'][:16]:16}  {what:16}  {detail}{f'  [{by}]' if by else ''}"
