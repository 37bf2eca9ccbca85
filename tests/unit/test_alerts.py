"""Alerts: written once for each problem, sent only where that is configured, and what becomes a problem when."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from dagster_project import alerts
from dagster_project.alerts import Problem, tell
from dagster_project.archive.files import File, Key
from dagster_project.archive.journal import read_lines
from dagster_project.intake.flow import take_in_all
from dagster_project.orchestration.alerting import tell_all
from dagster_project.rounds import problems
from dagster_project.rounds.figures_due import FIGURES, GRACE, overdue_figures
from dagster_project.settings import Settings, load_settings
from tests import samples
from tests.conftest import NOW

LATE = Problem("overdue reply: a", "Østfjell has not replied", "published/a", "Remind them.")
HELD = Problem("file: b", "b.csv is held", "quarantine/b", "Accept it.")


class Received:
    """What a local server was sent, and how it is to answer."""

    def __init__(self) -> None:
        self.bodies: list[str] = []
        self.works = True
        self.refusal = 503


@pytest.fixture
def web() -> Iterator[tuple[str, Received]]:
    """A web server on this machine."""
    received = Received()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode("utf-8")
            if received.works:
                received.bodies.append(body)
            self.send_response(200 if received.works else received.refusal)
            self.send_header("Location", "/elsewhere")
            self.end_headers()

        def log_message(self, *args: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/hook?token=secret", received
    server.shutdown()
    server.server_close()


@pytest.fixture
def post() -> Iterator[tuple[str, Received]]:
    """A mail server on this machine that speaks as much SMTP as is needed."""
    received = Received()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"220 here\r\n")
            while line := self.rfile.readline():
                command = line.strip().upper()
                if command.startswith(b"DATA"):
                    self.wfile.write(b"354 go on\r\n")
                    lines = []
                    while (text := self.rfile.readline()) not in (b".\r\n", b""):
                        lines.append(text.decode("utf-8"))
                    received.bodies.append("".join(lines))
                self.wfile.write(b"221 bye\r\n" if command == b"QUIT" else b"250 good\r\n")
                if command == b"QUIT":
                    return

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"smtp://127.0.0.1:{server.server_address[1]}", received
    server.shutdown()
    server.server_close()


def told(settings: Settings) -> list[str]:
    return [line["key"] for line in read_lines(settings.home / alerts.FILE) if line["event"] == "problem"]


def test_a_problem_is_written_once_with_time_what_where_and_what_to_do(settings: Settings) -> None:
    for minute in range(3):
        new, failed = tell(settings, NOW + dt.timedelta(minutes=minute), standing=[LATE])
        assert ([p.key for p in new], failed) == ([LATE.key] if minute == 0 else [], [])
    (line,) = read_lines(settings.home / alerts.FILE)
    assert (line["time"], line["what"], line["where"], line["todo"], line["to"]) == (
        NOW.isoformat(), LATE.what, LATE.where, LATE.todo, [],
    )  # fmt: skip


def test_a_problem_that_comes_back_is_told_again_and_an_event_never(settings: Settings) -> None:
    failed = problems.run_failed("0123456789", "everything", "The disk is full.\nfix: Make room.")
    tell(settings, NOW, standing=[LATE, HELD], occurred=[failed])
    tell(settings, NOW, standing=[HELD], occurred=[failed])
    tell(settings, NOW, standing=None)  # the rules could not be read: nothing is known to be solved
    tell(settings, NOW, standing=[LATE, HELD], occurred=[failed])
    assert told(settings) == [LATE.key, HELD.key, failed.key, LATE.key]
    assert failed.what == "Run 01234567 of the job everything failed: The disk is full.\n  fix: Make room."


def test_alerts_are_posted_once_as_text_and_as_records(settings: Settings, web: tuple[str, Received]) -> None:
    url, received = web
    there = settings.model_copy(update={"alert_webhook": url})
    for _ in range(2):
        tell(there, NOW, standing=[LATE, HELD])
    (body,) = [json.loads(b) for b in received.bodies]
    assert body["text"].startswith("Oppfølging: Østfjell has not replied and 1 more\n")
    assert body["alerts"][0] == {"time": NOW.isoformat(), **LATE.__dict__}


def test_alerts_are_mailed_once(settings: Settings, post: tuple[str, Received]) -> None:
    server, received = post
    there = settings.model_copy(update={"alert_smtp": server, "alert_email": ("a@example.org", "b@example.org")})
    for _ in range(2):
        tell(there, NOW, standing=[LATE])
    (mail,) = received.bodies
    assert "To: a@example.org, b@example.org" in mail and "Subject: =?utf-8?" in mail


def test_what_a_server_does_not_take_is_sent_with_the_next_look(settings: Settings, web: tuple[str, Received]) -> None:
    url, received = web
    nowhere = {"alert_smtp": "smtp://127.0.0.1:1", "alert_email": ("a@example.org",)}
    there = settings.model_copy(update={"alert_webhook": url, **nowhere})
    received.works = False
    _, failed = tell(there, NOW, standing=[LATE])
    assert [f.code for f in failed] == ["alert-not-sent"] * 2 and told(there) == [LATE.key]
    assert "secret" not in "".join(f.as_text() for f in failed)
    received.works = True
    _, failed = tell(there, NOW, standing=[LATE, HELD])
    assert len(failed) == 1 and "e-mail" in failed[0].message
    (body,) = received.bodies
    assert [a["key"] for a in json.loads(body)["alerts"]] == [LATE.key, HELD.key]
    tell(there, NOW, standing=[LATE, HELD])
    assert len(received.bodies) == 1
    assert "secret" not in (there.home / alerts.FILE).read_text("utf-8") and "secret" not in repr(there)


@pytest.mark.parametrize("status", [301, 302, 307, 404, 500])
def test_only_a_status_of_success_is_a_delivery(settings: Settings, web: tuple[str, Received], status: int) -> None:
    """A redirection was taken for one, and the alert was lost."""
    url, received = web
    there = settings.model_copy(update={"alert_webhook": url})
    received.works, received.refusal = False, status
    assert [f.code for f in tell(there, NOW, standing=[LATE])[1]] == ["alert-not-sent"]
    received.works = True
    assert tell(there, NOW, standing=[LATE]) == ([], []) and len(received.bodies) == 1


def test_a_server_that_answers_a_byte_at_a_time_is_given_up(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alerts, "LONGEST", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip() -> None:
            connection, _ = server.accept()
            with connection, contextlib.suppress(OSError):
                for byte in b"HTTP/1.1 200 OK\r\n" * 100:
                    connection.sendall(bytes([byte]))
                    time.sleep(0.2)

        threading.Thread(target=drip, daemon=True).start()
        there = settings.model_copy(update={"alert_webhook": f"http://127.0.0.1:{server.getsockname()[1]}/"})
        _, failed = tell(there, NOW, standing=[LATE])
    assert [(f.code, f.found) for f in failed] == [("alert-not-sent", "TimeoutError")]


@pytest.mark.parametrize(
    "line", ['{"event": "problem"}', '{"event": "sent", "to": "webhook"}', '{"event": "solved"}', "[1]", "half a li"]
)
def test_a_line_that_was_not_written_here_is_passed_over(settings: Settings, line: str) -> None:
    tell(settings, NOW, standing=[LATE])
    with (settings.home / alerts.FILE).open("a", encoding="utf-8") as file:
        file.write(line + "\n")
    new, failed = tell(settings, NOW, standing=[LATE, HELD])
    assert ([p.key for p in new], failed) == ([HELD.key], [])


def test_nothing_is_sent_unless_it_is_configured(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (settings.alert_webhook, settings.alert_smtp, settings.alert_email) == (None, None, ())
    monkeypatch.setenv("OPPFOLGING_ALERT_WEBHOOK", "https://example.org/hook")
    monkeypatch.setenv("OPPFOLGING_ALERT_SMTP", "smtp://localhost:2525")
    monkeypatch.setenv("OPPFOLGING_ALERT_EMAIL", "a@example.org, b@example.org")
    named = load_settings(settings.home)
    assert named.alert_email == ("a@example.org", "b@example.org")
    assert (named.alert_webhook, named.alert_smtp) == ("https://example.org/hook", "smtp://localhost:2525")


def test_a_rejected_file_is_a_problem_until_it_is_dismissed_or_replaced(settings: Settings, tmp_path: Path) -> None:
    wrong = samples.national_tests(tmp_path / "wrong.csv", samples.rows("480"))
    take_in_all([wrong], settings, now=NOW)
    (found,) = problems.open_problems(settings, NOW.date())
    assert found.what.startswith("wrong.csv is rejected (") and "value-off-scale" in found.what
    assert (settings.home / found.where / "rows.csv").exists() and not Path(found.where).is_absolute()
    assert "oppfolging dismiss" in found.todo
    assert tell_all(settings, NOW) == [] and told(settings) == [found.key]


def test_what_cannot_be_known_does_not_hide_what_happened(rules_home: Settings) -> None:
    rules_home.rounds.write_text("rounds: nonsense", encoding="utf-8")
    assert tell_all(rules_home, NOW, [problems.not_started(NOW, "The rules cannot be used.")]) == []
    assert len(told(rules_home)) == 1


def test_overdue_replies_and_reports_are_problems_when_their_day_has_passed(country_home: Path) -> None:
    found = problems.open_problems(load_settings(country_home), dt.date(2026, 4, 1))
    counts = problems.count_by_kind(found)
    assert sum(counts.values()) == len(found) and counts["overdue_replies"] == 1 and counts["overdue_reports"] > 0
    (reply,) = (p for p in found if p.key.startswith("overdue reply"))
    assert "due 2026-03-31" in reply.what and "round candidates fictional-2026" in reply.todo
    before = problems.open_problems(load_settings(country_home), dt.date(2026, 3, 31))
    assert problems.count_by_kind(before)["overdue_replies"] == 0


def official(*keys: Key, fictional: bool = False) -> list[tuple[Key, tuple[File, ...]]]:
    file = File(1, "0" * 64, "f.csv", "", "", None, (), "accepted", {"fictional": fictional})
    return [(key, (file,)) for key in keys]


@pytest.mark.parametrize(
    ("day", "overdue"),
    [
        (dt.date(2026, 2, 13), []),
        (dt.date(2026, 2, 14), [("pupil_survey", "2025-26")]),
        (dt.date(2026, 9, 15), [("pupil_survey", "2025-26"), ("grade_points", "2025-26")]),
        (dt.date(2026, 12, 4), [("national_tests", "2026-27"), ("pupil_survey", "2025-26"),
                                ("grade_points", "2025-26")]),
    ],
)  # fmt: skip
def test_figures_are_overdue_two_weeks_after_they_came_out(day: dt.date, overdue: list[tuple[str, str]]) -> None:
    there = official(("national_tests", "2025-26"), ("pupil_survey", "2024-25"), ("grade_points", "2024-25"))
    assert [(o.due.dataset, o.school_year) for o in overdue_figures(there, day)] == overdue
    assert dt.timedelta(days=14) == GRACE


def test_nothing_is_overdue_of_datasets_a_home_never_had_or_of_the_fictional_country() -> None:
    there = [*official(("national_tests", "2026-27")), *official(("pupil_survey", "2019-20"), fictional=True)]
    assert overdue_figures(there, dt.date(2027, 7, 1)) == []
    assert {due.dataset for due in FIGURES} == {"national_tests", "pupil_survey", "grade_points"}
