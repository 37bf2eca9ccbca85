"""Dagster's web server, which answers only those who ask for this machine by a loopback name.

Listening on 127.0.0.1 is not enough: a web page of anybody can have its own name resolve to 127.0.0.1 (DNS rebinding),
and the browser of whoever opens it then reads the UI for it. Such a request names another host, and Dagster answers it.

Dagster has no option for this, so its own command is started with a web server class that has Starlette's
``TrustedHostMiddleware`` before the others. The name that is replaced, ``dagster_webserver.app.DagsterWebserver``, is
not documented: ``tests/pipeline/test_web_server.py`` fails when it is no longer what the command uses.
"""

from __future__ import annotations

import dagster_webserver.app
from dagster_webserver.cli import create_dagster_webserver_cli
from dagster_webserver.webserver import DagsterWebserver
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware

LOOPBACK = ["127.0.0.1", "localhost", "[::1]"]


class LoopbackWebserver(DagsterWebserver):
    """The web server, with every request for another host refused (400)."""

    def build_middleware(self) -> list[Middleware]:
        guard = Middleware(TrustedHostMiddleware, allowed_hosts=LOOPBACK, www_redirect=False)
        return [guard, *super().build_middleware()]


def main() -> None:
    """The command `dagster-webserver`, with all its options."""
    dagster_webserver.app.DagsterWebserver = LoopbackWebserver  # type: ignore[misc]
    create_dagster_webserver_cli()(auto_envvar_prefix="DAGSTER_WEBSERVER")


if __name__ == "__main__":
    main()
