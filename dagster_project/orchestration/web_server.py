"""Dagster's web server, which answers who asks for this machine by a loopback name, and no page of another site.

Listening on 127.0.0.1 is not enough: a web page of anybody can have its own name resolve to 127.0.0.1 (DNS rebinding),
and the browser of whoever opens it then reads the UI for it. Such a request names another host, and Dagster answers it.
A page can also have the browser send a request to 127.0.0.1 without reading the answer, which is enough to start a run.

Dagster has no option for either, so its own command is started with a web server class that has Starlette's
``TrustedHostMiddleware`` and ``SameOriginMiddleware`` before the others. The name that is replaced,
``dagster_webserver.app.DagsterWebserver``, is not documented: ``tests/pipeline/test_web_server.py`` fails when it is no
longer what the command uses.
"""

from __future__ import annotations

from urllib.parse import urlsplit

import dagster_webserver.app
from dagster_webserver.cli import create_dagster_webserver_cli
from dagster_webserver.webserver import DagsterWebserver
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK = ["127.0.0.1", "localhost", "[::1]"]


class SameOriginMiddleware:
    """Refuses what a page of another origin has a browser send (403), GraphQL by GET (405), and to be framed.

    A browser says where a request comes from in ``Sec-Fetch-Site``, and in ``Origin`` for a POST or a WebSocket; a page
    cannot change either. A link to a page of the UI is followed from anywhere, since that only shows it; in a frame it
    is refused, for a click on a page around it could fall on a button of the UI. A program sends neither header and is
    answered. Behind a proxy the name that was asked for is in ``X-Forwarded-Host``.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket") and (refusal := _refusal(scope)) is not None:
            return await refusal(scope, receive, send)

        async def unframed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["X-Frame-Options"] = "DENY"
                headers.append("Content-Security-Policy", "frame-ancestors 'none'")
            await send(message)

        return await self.app(scope, receive, unframed)


def _refusal(scope: Scope) -> PlainTextResponse | None:
    headers = Headers(scope=scope)
    reads = scope["type"] == "http" and scope["method"] in ("GET", "HEAD")
    followed = (
        reads
        and headers.get("sec-fetch-mode") == "navigate"
        and headers.get("sec-fetch-dest", "document") == "document"
    )
    site, origin = headers.get("sec-fetch-site", "none"), headers.get("origin")
    asked_for = headers.get("x-forwarded-host") or headers.get("host")
    foreign = site not in ("same-origin", "none") or (origin is not None and urlsplit(origin).netloc != asked_for)
    if foreign and not followed:
        return PlainTextResponse("Refused: the request comes from a page of another site.", status_code=403)
    if reads and scope["path"].endswith("/graphql") and "text/html" not in headers.get("accept", ""):
        return PlainTextResponse("Refused: send GraphQL with POST.", status_code=405)
    return None


class LoopbackWebserver(DagsterWebserver):
    """The web server, with every request for another host (400) or from another site refused."""

    def build_middleware(self) -> list[Middleware]:
        host = Middleware(TrustedHostMiddleware, allowed_hosts=LOOPBACK, www_redirect=False)
        return [host, Middleware(SameOriginMiddleware), *super().build_middleware()]


def main() -> None:
    """The command `dagster-webserver`, with all its options."""
    dagster_webserver.app.DagsterWebserver = LoopbackWebserver  # type: ignore[misc]
    create_dagster_webserver_cli()(auto_envvar_prefix="DAGSTER_WEBSERVER")


if __name__ == "__main__":
    main()
