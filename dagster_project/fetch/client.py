"""Ask a public service politely: a pause between questions, a few tries, a limit of time and size, no credentials."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import requests

from dagster_project.diagnostics import FetchProblem, Finding, Severity

TIMEOUT = (10, 60)
"""Seconds to connect, and seconds without a byte."""
LONGEST = 600
"""Seconds that one answer may take."""
MOST_BYTES = 200 * 2**20
TRIES = 5
FIRST_PAUSE, LONGEST_PAUSE = 2.0, 120.0
TRY_AGAIN = {408, 425, 429, 500, 502, 503, 504}
CHUNK = 2**16
AGENT = "oppfolging (data workflow for oppfølgingsordningen; public statistics only)"


class Client:
    """Asks one address at a time.

    ``pause`` is called with the seconds to wait, ``tell`` with what is tried again and why.
    """

    def __init__(
        self, pause: Callable[[float], None] = time.sleep, tell: Callable[[str], None] = lambda _: None
    ) -> None:
        self.pause, self.tell = pause, tell
        self.session = requests.Session()
        self.session.auth = _nobody
        self.session.headers.update({"User-Agent": AGENT.encode("utf-8"), "Accept": "application/json"})
        self._asked: dict[str, float] = {}

    def get(self, address: str, seconds_between: float) -> bytes:
        """The bytes of an answer, whole.

        Raises:
            FetchProblem: no whole answer after some tries, or one that no try would mend.
        """
        host, pause = urlsplit(address).netloc, FIRST_PAUSE
        for number in range(1, TRIES + 1):
            since = time.monotonic() - self._asked.get(host, float("-inf"))
            self.pause(max(0.0, seconds_between - since))
            self._asked[host] = time.monotonic()
            try:
                return self._once(address)
            except _Again as problem:
                if number == TRIES:
                    raise _problem(address, "no-answer", f"no whole answer in {TRIES} tries", str(problem)) from None
                wait = min(problem.wait if problem.wait is not None else pause, LONGEST_PAUSE)
                self.tell(f"{problem}; tried again in {wait:.0f} s")
                self.pause(wait)
                pause *= 2
        raise AssertionError("unreachable")

    def _once(self, address: str) -> bytes:
        began, content = time.monotonic(), bytearray()
        try:
            with self.session.get(address, stream=True, timeout=TIMEOUT) as answer:
                if urlsplit(answer.url).scheme != urlsplit(address).scheme:
                    raise _problem(address, "led-elsewhere", "the service led to an insecure address", answer.url)
                if answer.status_code in TRY_AGAIN:
                    raise _Again(f"status {answer.status_code}", _seconds(answer.headers.get("Retry-After")))
                if answer.status_code != requests.codes.ok:
                    raise _problem(address, "refused", "the service refused", f"status {answer.status_code}")
                for chunk in answer.iter_content(CHUNK):
                    content += chunk
                    if len(content) > MOST_BYTES:
                        found = f"more than {MOST_BYTES // 2**20} MiB"
                        raise _problem(address, "answer-too-large", "the answer is larger than any known", found)
                    if time.monotonic() - began > LONGEST:
                        raise _Again(f"not whole after {LONGEST} seconds")
        except requests.exceptions.SSLError as error:
            found = str(error)[:200]
            raise _problem(address, "certificate", "the certificate of the service is not trusted", found) from None
        except requests.RequestException as error:
            raise _Again(f"{type(error).__name__}: {str(error)[:120]}") from None
        return bytes(content)


class _Again(Exception):
    """What another try may mend. ``wait`` is how long the service asks for."""

    def __init__(self, what: str, wait: float | None = None) -> None:
        super().__init__(what)
        self.wait = wait


def _nobody(request: Any) -> Any:
    """Send no name and no password, whatever the machine keeps for the host."""
    return request


def _seconds(given: str | None) -> float | None:
    with suppress(TypeError, ValueError):
        return max(0.0, float(given))  # type: ignore[arg-type]
    return None


def _problem(address: str, code: str, message: str, found: str) -> FetchProblem:
    return FetchProblem(
        f"{address} could not be fetched.",
        [Finding(code, Severity.FAIL, message, file=address, found=found,
                 fix="Try again later; what came is kept. See docs/fetch.md for getting the file with a browser.")],
    )  # fmt: skip
