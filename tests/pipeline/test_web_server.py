"""The Dagster UI answers nobody who asks for it under another machine's name."""

from __future__ import annotations

import base64
import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dagster_project.settings import REPOSITORY

PATIENCE = 120


def status_of(port: int, host: str, place: str = "/server_info", **headers: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", place, headers={"Host": host, **headers})
    return connection.getresponse().status


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def serving(port: int, *command: str, **environment: str) -> Iterator[int]:
    """A server that answers at a port; it is stopped afterwards."""
    process = subprocess.Popen(command, cwd=REPOSITORY, env={**os.environ, **environment})
    deadline = time.monotonic() + PATIENCE
    while True:
        assert process.poll() is None and time.monotonic() < deadline
        try:
            status_of(port, f"127.0.0.1:{port}")
            break
        except OSError:
            time.sleep(0.2)
    yield port
    process.send_signal(signal.SIGTERM)
    process.wait(60)


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a web server that was started as `oppfolging ui` starts it, with a small code location."""
    folder = tmp_path_factory.mktemp("web")
    (folder / "one.py").write_text("import dagster as dg\ndefs = dg.Definitions()\n", encoding="utf-8")
    number = free_port()
    command = [sys.executable, "-m", "dagster_project.orchestration.web_server", "-f", str(folder / "one.py"), "-h",
               "127.0.0.1", "-p", str(number)]  # fmt: skip
    with serving(number, *command, DAGSTER_HOME=str(folder)) as ready:
        yield ready


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


@pytest.fixture
def proxied(port: int, tmp_path: Path) -> Iterator[int]:
    """The port of an nginx that was started with the recipe of the documentation, without TLS."""
    if (nginx := shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")) is None:
        pytest.skip("nginx is not installed")
    page = (REPOSITORY / "docs" / "security.md").read_text(encoding="utf-8")
    recipe = page.split("```nginx\n")[1].split("```")[0]
    number = free_port()
    for named, here in (
        ("listen 443 ssl;", f"listen 127.0.0.1:{number};"),
        ("ssl_certificate     /etc/ssl/oppfolging.pem;", ""),
        ("ssl_certificate_key /etc/ssl/oppfolging.key;", ""),
        ("/etc/nginx/oppfolging.htpasswd", str(tmp_path / "users")),
        ("127.0.0.1:3000", f"127.0.0.1:{port}"),
    ):
        assert named in recipe
        recipe = recipe.replace(named, here)
    (tmp_path / "users").write_text("kari:{PLAIN}passord\n", encoding="utf-8")
    paths = "".join(
        f"{kind}_temp_path {tmp_path / kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (tmp_path / "nginx.conf").write_text(
        f"{'user root;' * (os.geteuid() == 0)}\npid {tmp_path / 'pid'};\ndaemon off;\nerror_log stderr;\nevents {{}}\n"
        f"http {{\naccess_log off;\n{paths}{recipe}}}\n", encoding="utf-8",
    )  # fmt: skip
    with serving(number, nginx, "-c", str(tmp_path / "nginx.conf"), "-p", str(tmp_path)) as ready:
        yield ready


def test_behind_the_proxy_of_the_documentation_only_who_logs_in_is_answered(proxied: int) -> None:
    login = {"Authorization": "Basic " + base64.b64encode(b"kari:passord").decode()}
    assert status_of(proxied, "oppfolging.example.org") == 401
    assert status_of(proxied, "oppfolging.example.org", "/server_info", **login) == 200
    socket_ = {"Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
               "Sec-WebSocket-Protocol": "graphql-ws"}  # fmt: skip
    assert status_of(proxied, "oppfolging.example.org", "/graphql", **login, **socket_) == 101


def test_the_ui_is_started_with_this_server() -> None:
    from dagster_project.orchestration import ui, web_server

    assert web_server.__name__ == ui.WEB_SERVER
