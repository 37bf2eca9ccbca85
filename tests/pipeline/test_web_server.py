"""The Dagster UI answers nobody who asks for it under another machine's name."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from dagster_project.settings import REPOSITORY

PATIENCE = 120


def status_of(port: int, host: str, place: str = "/server_info", **headers: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", place, headers={"Host": host, **headers})
    return connection.getresponse().status


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a web server that was started as `oppfolging ui` starts it, with a small code location."""
    folder = tmp_path_factory.mktemp("web")
    (folder / "one.py").write_text("import dagster as dg\ndefs = dg.Definitions()\n", encoding="utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number = int(free.getsockname()[1])
    command = [sys.executable, "-m", "dagster_project.orchestration.web_server", "-f", str(folder / "one.py"), "-h",
               "127.0.0.1", "-p", str(number)]  # fmt: skip
    process = subprocess.Popen(command, cwd=REPOSITORY, env={**os.environ, "DAGSTER_HOME": str(folder)})
    deadline = time.monotonic() + PATIENCE
    while True:
        assert process.poll() is None and time.monotonic() < deadline
        try:
            status_of(number, f"127.0.0.1:{number}")
            break
        except OSError:
            time.sleep(0.3)
    yield number
    process.send_signal(signal.SIGTERM)
    process.wait(60)


@pytest.mark.parametrize("host", ["127.0.0.1:{port}", "localhost:{port}", "127.0.0.1"])
def test_this_machine_is_answered(port: int, host: str) -> None:
    assert status_of(port, host.format(port=port)) == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "127.0.0.1.evil.example", "192.168.1.5:{port}", ""]
)
@pytest.mark.parametrize("place", ["/server_info", "/graphql?query={version}", "/"])
def test_a_foreign_host_is_refused_everywhere(port: int, host: str, place: str) -> None:
    assert status_of(port, host.format(port=port), place) == 400


def test_a_web_socket_of_a_foreign_host_is_refused(port: int) -> None:
    wanted = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
              "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Protocol": "graphql-ws"}  # fmt: skip
    assert status_of(port, "evil.example", "/graphql", **wanted) in (400, 403)
    assert status_of(port, f"127.0.0.1:{port}", "/graphql", **wanted) == 101


def test_the_ui_is_started_with_this_server() -> None:
    from dagster_project.orchestration import ui, web_server

    assert web_server.__name__ == ui.WEB_SERVER
