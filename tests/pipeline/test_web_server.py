"""The Dagster UI answers nobody who asks for it under another machine's name, and no page of another site."""

from __future__ import annotations

import base64
import http.client
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dagster_project.settings import REPOSITORY
from tests.ports import free_port

PATIENCE = 120


SOCKET = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
          "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Protocol": "graphql-ws"}  # fmt: skip


def status_of(port: int, host: str, place: str = "/server_info", method: str = "GET", **headers: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    body = b'{"query": "{version}"}' if method == "POST" else None
    connection.request(method, place, body, {"Host": host, **{k.replace("_", "-"): v for k, v in headers.items()}})
    return connection.getresponse().status


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
    assert status_of(port, "evil.example", "/graphql", **SOCKET) in (400, 403)
    assert status_of(port, f"127.0.0.1:{port}", "/graphql", **SOCKET) == 101


JSON = {"Content_Type": "application/json"}


@pytest.mark.parametrize("headers", [
    {"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec_Fetch_Site": "cross-site"},
    {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "no-cors"}, {"Sec_Fetch_Site": "same-site"},
    {"Origin": "http://127.0.0.1:1"}, {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate"},
])  # fmt: skip
def test_what_a_page_of_another_site_sends_is_refused(port: int, headers: dict[str, str]) -> None:
    """A POST as JSON, as a form, and a web socket: each could start a run, without the page reading the answer."""
    here = f"127.0.0.1:{port}"
    assert status_of(port, here, "/graphql", "POST", **JSON, **headers) == 403
    assert status_of(port, here, "/graphql?query={version}", "POST", **headers, Content_Type="text/plain") == 403
    if headers.get("Sec_Fetch_Mode") != "navigate":
        assert status_of(port, here, "/graphql", **SOCKET, **headers) == 403
        assert status_of(port, here, "/server_info", **headers) == 403


@pytest.mark.parametrize("place", ["/", "/assets/decisions", "/graphql"])
def test_no_page_may_frame_the_ui(port: int, place: str) -> None:
    """A click on a page around the frame fell on *Materialize*, and the frame's own request was of the same origin."""
    here = f"127.0.0.1:{port}"
    asked = {"Accept": "text/html", "Sec_Fetch_Mode": "navigate"}
    for site in ("cross-site", "same-site"):
        assert status_of(port, here, place, **asked, Sec_Fetch_Site=site, Sec_Fetch_Dest="iframe") == 403
        assert status_of(port, here, place, **asked, Sec_Fetch_Site=site, Sec_Fetch_Dest="document") == 200
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", place, headers={"Host": here, "Accept": "text/html"})
    found = connection.getresponse()
    assert found.getheader("X-Frame-Options") == "DENY"
    assert "frame-ancestors 'none'" in str(found.getheader("Content-Security-Policy"))


def test_nothing_is_asked_by_a_link(port: int) -> None:
    """An image or a link of any page can have a browser GET; the playground is a page, and asks nothing."""
    here = f"127.0.0.1:{port}"
    assert status_of(port, here, "/graphql?query=mutation{x}") == 405
    assert status_of(port, here, "/graphql?query=mutation{x}", Accept="text/html", Sec_Fetch_Mode="navigate") == 200


def test_the_ui_and_programs_are_answered_and_links_to_its_pages_are_followed(port: int) -> None:
    here = f"127.0.0.1:{port}"
    mine = {"Origin": f"http://{here}", "Sec_Fetch_Site": "same-origin", "Sec_Fetch_Mode": "cors"}
    assert status_of(port, here, "/graphql", "POST", **JSON) == 200
    assert status_of(port, here, "/graphql", "POST", **JSON, **mine) == 200
    assert status_of(port, here, "/graphql", **SOCKET, Origin=f"http://{here}") == 101
    assert status_of(port, here, "/runs", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="navigate") == 200


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
    socket_ = {k: v for k, v in SOCKET.items() if k != "Connection"}
    of_the_ui = {"Origin": "https://oppfolging.example.org", **login}
    assert status_of(proxied, "oppfolging.example.org", "/graphql", **of_the_ui, **socket_) == 101
    assert (
        status_of(proxied, "oppfolging.example.org", "/graphql", "POST", **of_the_ui, Content_Type="application/json")
        == 200
    )
    elsewhere = {**of_the_ui, "Origin": "https://evil.example"}
    assert status_of(proxied, "oppfolging.example.org", "/graphql", "POST", **elsewhere) == 403


def test_the_ui_is_started_with_this_server() -> None:
    from dagster_project.orchestration import ui, web_server

    assert web_server.__name__ == ui.WEB_SERVER
