"""A local server that answers as the public services are known to, and badly when it is told to."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests import pivots

Answer = Callable[["Services", str, dict[str, list[str]]], Any]
UNITS, PER_PAGE = 5, 2


@dataclass
class Services:
    """What was asked, and faults that are still to come: per part of an address, one a question."""

    asked: list[str] = field(default_factory=list)
    faults: dict[str, list[str]] = field(default_factory=dict)
    headers: list[dict[str, str]] = field(default_factory=list)

    def fault(self, address: str) -> str | None:
        for part, coming in self.faults.items():
            if part in address and coming:
                return coming.pop(0)
        return None


def survey_rows(page: int) -> list[dict[str, str]]:
    first = (page - 1) * PER_PAGE
    return [
        {"EnhetNivaa": "4", "Skoleaarnavn": "2025-26", "EnhetNavn": f"Oppdiktet skole {n}", "Sidenummer": str(page),
         "RaderSide": str(PER_PAGE), "RaderTotalt": str(UNITS)}
        for n in range(first, min(first + PER_PAGE, UNITS))
    ]  # fmt: skip


def answer(path: str, query: dict[str, list[str]]) -> Any:
    """What the services say when all is well."""
    if path.endswith("/sideData"):
        return [{"JSONSider": -(-UNITS // PER_PAGE)}]
    if path.endswith("/data") and "sideNummer" in query:
        return survey_rows(int(query["sideNummer"][0]))
    if "/Rapportside/" in path:
        return {"dataEndepunkt": f"rest/v1/Statistikk/{path.rsplit('/', 1)[-1]}/data"}
    if path.endswith("/filterVerdier"):
        return pivots.unit_list()
    if "/Statistikk/GSK_GSPoeng/" in path:
        return pivots.grade_points(school_codes=False)
    if "/Statistikk/" in path:
        grade = 5 if "Trinn5" in path else 8
        return pivots.national_tests(year="2025-26", grade=grade, school_codes=False, mastery=True)
    if path.endswith("/enheter"):
        number = int(query["sidenummer"][0])
        schools = [{"Organisasjonsnummer": f"99999999{n}"} for n in range((number - 1) * 2, min(number * 2, UNITS))]
        return {"EnhetListe": schools, "AntallSider": 3, "TotaltAntallEnheter": UNITS}
    if path.endswith("/classifications/131.json"):
        days = ("2020-01-01", "2024-01-01", "2026-01-01", "2028-01-01")
        return {
            "versions": [{"validFrom": d, "_links": {"self": {"href": f"/versions/{i}"}}} for i, d in enumerate(days)]
        }
    if "/versions/" in path:
        number = path.rsplit("/", 1)[-1].removesuffix(".json")
        return {"validFrom": f"202{number}-01-01", "classificationItems": [{"code": "6101", "name": "Brumeblom"}]}
    if path.endswith("/changes.json"):
        return {"codeChanges": []}
    return None


@contextmanager
def running() -> Iterator[tuple[str, Services]]:
    """The address of a server and what it notes."""
    services = Services()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            services.asked.append(self.path)
            services.headers.append(dict(self.headers))
            place = urlsplit(self.path)
            fault = services.fault(self.path)
            content = json.dumps(answer(place.path, parse_qs(place.query))).encode()
            if fault and fault.isdigit():
                self.send_response(int(fault))
                self.send_header("Retry-After", "7")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            if fault == "html":
                content = b"<html><body>Vedlikehold</body></html>"
            if fault == "changed":
                content = content.replace(b"EnhetNivaa", b"Enhetsnivaa")
            if fault == "short":
                content = json.dumps(survey_rows(1)[:1]).encode()
            if fault == "empty":
                content = b"[]"
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: len(content) // 2] if fault == "cut" else content)
            if fault == "cut":
                self.close_connection = True

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", services
    finally:
        server.shutdown()
        thread.join()
