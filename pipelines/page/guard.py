"""Requests that reach the audit page: those of the page itself, and no others.

Other pages of the same browser, also on another port of this machine, are sent the cookie by it:
a cookie knows no ports. So its name holds the port, that two audit pages do not replace each
other's; and the headers ``Sec-Fetch-Site``
(W3C, "Fetch Metadata Request Headers") and ``Origin`` are read, which the browser writes.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY = 64 * 1024

LOGIN = "/open/"
"""Path before the token. A parameter of the name token would be masked where it is printed."""

COOKIE = "winnow-audit-"
"""Name of the cookie, before the port that the browser asked for."""

HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self';"
    " img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


class Guard:
    """Refuses requests that do not come from the page itself (an ASGI middleware).

    Parameters
    ----------
    app
        The page.
    token
        Exchanged once for a cookie, at `LOGIN`.
    hosts
        Names that the page may be asked for, without a port.
    """

    def __init__(self, app: ASGIApp, token: str, hosts: Collection[str]) -> None:
        self.app = app
        self._token: str | None = token
        self._cookie = secrets.token_urlsafe(32)
        self._hosts = frozenset(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                headers.setdefault("cache-control", "no-store")
            await send(message)

        answer = self._answer(scope)
        await (answer or self.app)(scope, receive, send_with_headers)

    def _answer(self, scope: Scope) -> Response | None:
        """Return the answer to a login or a request that is refused; None for all others."""
        headers = Headers(scope=scope)
        is_login = scope["path"].startswith(LOGIN)
        refused = self._refuse_host(headers) or _refuse_other_page(headers, is_login)
        refused = refused or _refuse_body(scope["method"], headers)
        if refused is not None:
            return refused
        has_cookie = self._has_cookie(headers)
        if is_login:
            return RedirectResponse("/", 303) if has_cookie else self._login(scope, headers)
        if not has_cookie:
            return PlainTextResponse("Open the address that `winnow audit serve` printed.\n", 401)
        return None

    def _refuse_host(self, headers: Headers) -> Response | None:
        name = _name(headers.get("host", ""))
        if name in self._hosts:
            return None
        return PlainTextResponse(
            f"This page does not answer to the host {name!r}. Open it at 127.0.0.1, or start it"
            " with --allow-host NAME.\n",
            400,
        )

    def _has_cookie(self, headers: Headers) -> bool:
        given = cookie_parser(headers.get("cookie", "")).get(_cookie_name(headers), "")
        return secrets.compare_digest(given.encode(), self._cookie.encode())

    def _login(self, scope: Scope, headers: Headers) -> Response:
        given = scope["path"].removeprefix(LOGIN)
        token, is_used = self._token or "", self._token is None
        if is_used or not secrets.compare_digest(given.encode(), token.encode()):
            why = "has been used already" if is_used else "is not the one that was printed"
            return PlainTextResponse(
                f"This address {why}: start `winnow audit serve` again for a new one.\n", 401
            )
        self._token = None
        response = RedirectResponse("/", 303)
        name = _cookie_name(headers)
        response.set_cookie(name, self._cookie, httponly=True, samesite="strict", path="/")
        return response


def _name(host: str) -> str:
    """Return a host without its port.

    Examples
    --------
    >>> [_name(host) for host in ("127.0.0.1:80", "LOCALHOST", "[::1]:8000")]
    ['127.0.0.1', 'localhost', '[::1]']
    """
    name, colon, port = host.rpartition(":")
    return (name if colon and port.isdigit() else host).lower()


def _cookie_name(headers: Headers) -> str:
    port = headers.get("host", "").rpartition(":")[2]
    return COOKIE + (port if port.isascii() and port.isdigit() else "")


def _refuse_other_page(headers: Headers, is_login: bool) -> Response | None:
    """Refuse requests of other pages, except a link to the login."""
    site = headers.get("sec-fetch-site", "none")
    is_link = is_login and headers.get("sec-fetch-mode") == "navigate"
    if site in ("same-origin", "none") or is_link:
        return None
    return PlainTextResponse("Another page may not use this one.\n", 403)


def _refuse_body(method: str, headers: Headers) -> Response | None:
    length = headers.get("content-length", "" if method == "POST" else "0")
    if not (length.isascii() and length.isdigit()):
        return PlainTextResponse("A body needs a length.\n", 411)
    if int(length) > MAX_BODY:
        return PlainTextResponse(f"A body may have {MAX_BODY:,} bytes.\n", 413)
    if method in ("GET", "HEAD") or _is_own_post(headers):
        return None
    return PlainTextResponse("Only this page may send verdicts, as JSON.\n", 403)


def _is_own_post(headers: Headers) -> bool:
    kind = headers.get("content-type", "").partition(";")[0].strip()
    origin = headers.get("origin")
    is_own = origin is None or origin.partition("://")[2] == headers.get("host")
    return is_own and kind == "application/json"
