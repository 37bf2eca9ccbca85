"""Alerts: every new problem is written to a file once, and sent on where somebody has asked for that.

``alerts/alerts.jsonl`` of the home has a line for each problem when it appears and one when it is solved. With
``OPPFOLGING_ALERT_WEBHOOK`` the new ones are posted there as JSON; with ``OPPFOLGING_ALERT_SMTP`` and
``OPPFOLGING_ALERT_EMAIL`` they are mailed. Without these nothing leaves the machine. What could not be sent is sent
with the next look.
"""

from __future__ import annotations

import datetime as dt
import fcntl
import logging
import smtplib
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from email.message import EmailMessage
from typing import Any
from urllib.parse import unquote, urlsplit

from dagster_project import log
from dagster_project.archive.journal import append_line, read_lines
from dagster_project.atomic import replacing
from dagster_project.diagnostics import Finding, Severity
from dagster_project.settings import Settings

FILE = "alerts/alerts.jsonl"
TIMEOUT, LONGEST = 10.0, 30.0
"""Seconds for each answer of a server, and for all of an attempt to send."""
NEEDED = {
    "problem": {"time", "key", "what", "where", "todo", "standing"},
    "solved": {"key"},
    "sent": {"to", "keys"},
}
LONGEST_SUBJECT = 120


@dataclass(frozen=True)
class Problem:
    """Something that somebody has to do something about.

    ``key`` says which problem it is: it stays the same while the problem lasts, also when ``what`` counts more of it.
    ``where`` is a file or folder of the home, or a name in the Dagster UI; ``todo`` says what solves it.
    """

    key: str
    what: str
    where: str
    todo: str

    def as_text(self) -> str:
        """The problem as a person reads it."""
        return f"{self.what}\n  where: {self.where}\n  to do: {self.todo}"


def tell(
    settings: Settings,
    now: dt.datetime,
    *,
    standing: Sequence[Problem] | None = None,
    occurred: Sequence[Problem] = (),
) -> tuple[list[Problem], list[Finding]]:
    """Write and send the problems that were not told yet. Returns these, and what could not be sent.

    ``standing`` are all problems that are open now, None when that is not known: one that is no longer among them is
    solved, and is told again when it comes back. ``occurred`` are events (a run that failed), told once for ever.
    """
    path = settings.home / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    with log.following(settings.home), path.with_name(".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lines = _whole(read_lines(path))
        known = _open(lines)
        time = now.isoformat()
        channels = _channels(settings)

        def write(line: dict[str, Any]) -> None:
            append_line(path, line)
            lines.append(line)

        if standing is not None:
            current = {p.key for p in standing}
            for key in [k for k, line in known.items() if line["standing"] and k not in current]:
                write({"event": "solved", "time": time, "key": key})
        told = [(p, True) for p in standing or () if p.key not in known]
        told += [(p, False) for p in occurred if p.key not in known]
        for problem, stands in told:
            write({"event": "problem", "time": time, "standing": stands, "to": sorted(channels), **asdict(problem)})
            log.event("alert", logging.WARNING, key=problem.key)
        failed = []
        for name, send in channels.items():
            if waiting := _unsent(lines, name):
                try:
                    _in_time(send, waiting)
                except (OSError, smtplib.SMTPException, ValueError) as error:  # requests' own errors are OSError
                    failed.append(_not_sent(name, error))
                    log.event("alert not sent", logging.ERROR, to=name, alerts=len(waiting), error=type(error).__name__)
                else:
                    write({"event": "sent", "time": time, "to": name, "keys": [w["key"] for w in waiting]})
                    log.event("alert sent", to=name, alerts=len(waiting))
    return [p for p, _ in told], failed


def forget(settings: Settings, before: dt.datetime, *, remove: bool) -> int:
    """How many lines are older, and neither of a problem that is open nor unsent; with ``remove`` they are gone."""
    path = settings.home / FILE
    if not path.exists():
        return 0
    with path.with_name(".lock").open("a") if remove else nullcontext() as lock:
        if lock is not None:
            fcntl.flock(lock, fcntl.LOCK_EX)
        every = read_lines(path)
        lines = _whole(every)
        needed = {key for key, line in _open(lines).items() if line["standing"]}
        for channel in {name for line in lines for name in line.get("to", ()) if line["event"] == "problem"}:
            needed |= {waiting["key"] for waiting in _unsent(lines, channel)}
        kept = [
            line for line in every
            if str(line.get("time")) >= before.isoformat() or needed & {line.get("key"), *line.get("keys", ())}
        ]  # fmt: skip
        if remove and len(kept) < len(every):
            with replacing(path) as temporary:
                temporary.touch()
                for line in kept:
                    append_line(temporary, line)
    return len(every) - len(kept)


def _in_time(send: Callable[[list[dict[str, str]]], None], alerts: list[dict[str, str]]) -> None:
    """Send, and give up after a while: a server that answers a byte at a time must not hold a run.

    Raises:
        TimeoutError: it took too long. Other errors are those of sending.
    """
    failed: list[Exception] = []

    def attempt() -> None:
        try:
            send(alerts)
        except Exception as error:  # raised where it is waited for
            failed.append(error)

    sender = threading.Thread(target=attempt, daemon=True)
    sender.start()
    sender.join(LONGEST)
    if sender.is_alive():
        raise TimeoutError(f"not done in {LONGEST:.0f} s")
    if failed:
        raise failed[0]


def _whole(lines: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The lines that have all that their event needs; others were not written here, and are passed over."""
    return [line for line in lines if NEEDED.get(str(line.get("event")), {""}) <= set(line)]


def _open(lines: Iterable[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """The problems that were told and not solved since, by key."""
    found: dict[str, Mapping[str, Any]] = {}
    for line in lines:
        if line.get("event") == "problem":
            found[line["key"]] = line
        elif line.get("event") == "solved":
            found.pop(line["key"], None)
    return found


def _unsent(lines: Iterable[Mapping[str, Any]], channel: str) -> list[dict[str, str]]:
    """What a channel was to be told and was not, oldest first."""
    found: dict[str, dict[str, str]] = {}
    for line in lines:
        if line.get("event") == "problem" and channel in line.get("to", ()):
            found[line["key"]] = {name: str(line[name]) for name in ("time", "key", "what", "where", "todo")}
        elif line.get("event") == "sent" and line.get("to") == channel:
            for key in line["keys"]:
                found.pop(key, None)
    return list(found.values())


def _channels(settings: Settings) -> dict[str, Callable[[list[dict[str, str]]], None]]:
    """The ways out that are configured; usually none."""
    found: dict[str, Callable[[list[dict[str, str]]], None]] = {}
    if url := settings.alert_webhook:
        found["webhook"] = lambda alerts: _post(url, alerts)
    if (server := settings.alert_smtp) and settings.alert_email:
        found["e-mail"] = lambda alerts: _mail(server, settings.alert_email, alerts)
    return found


def _text(alerts: Sequence[Mapping[str, str]]) -> str:
    return "\n\n".join(Problem(a["key"], a["what"], a["where"], a["todo"]).as_text() for a in alerts)


def _subject(alerts: Sequence[Mapping[str, str]]) -> str:
    more = f" and {len(alerts) - 1} more" if len(alerts) > 1 else ""
    first = alerts[0]["what"].splitlines()[0][: LONGEST_SUBJECT - len(more)]
    return f"Oppfølging: {first}{more}"


def _post(url: str, alerts: list[dict[str, str]]) -> None:
    """``text`` is what chat services show; ``alerts`` is for programs."""
    import requests

    body = {"text": f"{_subject(alerts)}\n\n{_text(alerts)}", "alerts": alerts}
    with requests.post(url, json=body, timeout=TIMEOUT, allow_redirects=False, stream=True) as answer:
        if not answer.status_code // 100 == 2:  # a redirection is no delivery either
            raise OSError(f"status {answer.status_code}")


def _mail(server: str, recipients: Sequence[str], alerts: list[dict[str, str]]) -> None:
    """Through ``smtp://[user:password@]host[:port]``, with TLS when the server offers it, or ``smtps://`` with TLS."""
    parts = urlsplit(server)
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
        raise ValueError("OPPFOLGING_ALERT_SMTP is not of the form smtp://host:port or smtps://host:port")
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = _subject(alerts), recipients[0], ", ".join(recipients)
    message.set_content(_text(alerts) + "\n")
    secure = parts.scheme == "smtps"
    kind = smtplib.SMTP_SSL if secure else smtplib.SMTP
    with kind(parts.hostname, parts.port or 0, timeout=TIMEOUT) as connection:
        connection.ehlo()
        if not secure and connection.has_extn("starttls"):
            connection.starttls()
        if parts.username:
            connection.login(unquote(parts.username), unquote(parts.password or ""))
        connection.send_message(message)


def _not_sent(channel: str, error: Exception) -> Finding:
    # the text of an error may hold the whole address, and an address may be a secret
    return Finding(
        "alert-not-sent", Severity.WARN, f"alerts could not be sent by {channel}", stage="alerts", file=FILE,
        found=type(error).__name__, expected="a server that answers where OPPFOLGING_ALERT_... says",
        fix="Check the address. They are sent with the next look; the file has them in any case.",
    )  # fmt: skip
