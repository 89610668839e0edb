"""Who may talk to the server: names, tokens, origins, and the headers that keep other pages out.

An ASGI middleware for both HTTP and WebSockets; nothing reaches the application that it refuses.

- Without a token only loopback names are answered to: a strange name that resolves to this machine (DNS
  rebinding) would make somebody's web page our own origin.
- With a token it is needed for everything but the page that asks for it: as the cookie that `/?token=...`
  sets, as `?token=` or as `Authorization: Bearer`.
- A browser's WebSocket must come from our own page (exact `Origin`), which is checked before it is accepted.
  Programs send no Origin; only the subscribers' socket takes them.
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
LEAST_TOKEN = 16  # characters of a token that somebody chose
PUBLIC = ("/static/",)  # nothing of anybody's: the page's own style and code
PROGRAMS = ("/joints",)  # sockets for programs, which have no origin

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "media-src 'self' blob:",
        "connect-src 'self'",
        "font-src 'self'",
        "manifest-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
SECURITY_HEADERS = {
    "Content-Security-Policy": POLICY,
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def new_token() -> str:
    return secrets.token_urlsafe(24)


@dataclass
class Guard:
    """Args: token: what everybody must know; None where only this machine can come."""

    app: ASGIApp
    token: str | None
    secure: bool  # over TLS
    locked_page: str  # HTML that asks for the token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            if self._socket_allowed(scope):
                await self.app(scope, receive, send)
            else:  # before it is accepted: the server answers 403
                await receive()
                await send({"type": "websocket.close", "code": 1008})
        elif scope["type"] == "http":
            refusal = self._refusal(scope)
            await (refusal or self.app)(scope, receive, _with_headers(send))
        else:
            await self.app(scope, receive, send)

    def _socket_allowed(self, scope: Scope) -> bool:
        headers = Headers(scope=scope)
        origin = headers.get("origin")
        ours = f"{'https' if self.secure else 'http'}://{headers.get('host', '')}"
        from_us = origin == ours or (origin is None and scope["path"] in PROGRAMS)
        return from_us and self._known_name(headers) and self._has_token(scope, headers)

    def _refusal(self, scope: Scope) -> Response | None:
        """The answer to a request that the application must not see."""
        headers = Headers(scope=scope)
        if not self._known_name(headers):
            return PlainTextResponse("This server answers to localhost only.\n", 421)
        path = scope["path"]
        if path.startswith(PUBLIC):
            return None
        if not self._has_token(scope, headers):
            if path == "/":
                return Response(self.locked_page, 401, media_type="text/html")
            return PlainTextResponse("The access token is missing or wrong.\n", 401)
        if path == "/" and self.token and _asked(scope):
            return self._let_in(headers)
        return None

    def _let_in(self, headers: Headers) -> Response:
        """Keep the token in a cookie that no script reads, and take it out of the address."""
        response = RedirectResponse("/", 303)
        response.set_cookie(
            _cookie_name(headers), self.token or "", httponly=True, samesite="strict", secure=self.secure
        )
        return response

    def _known_name(self, headers: Headers) -> bool:
        return self.token is not None or _host_name(headers) in LOOPBACK

    def _has_token(self, scope: Scope, headers: Headers) -> bool:
        if self.token is None:
            return True
        scheme, _, bearer = headers.get("authorization", "").partition(" ")
        given = [_asked(scope), bearer if scheme.lower() == "bearer" else "", _cookie(headers)]
        expected = self.token.encode()
        matches = [hmac.compare_digest(word.encode("utf-8", "replace"), expected) for word in given]
        return any(matches)


def _host_name(headers: Headers) -> str:
    """The Host header without its port."""
    host = headers.get("host", "")
    name, colon, port = host.rpartition(":")
    return name.lower() if colon and port.isdecimal() else host.lower()


def _asked(scope: Scope) -> str:
    """The token in the address."""
    query: bytes = scope["query_string"]
    return dict(parse_qsl(query.decode("latin-1"))).get("token", "")


def _cookie_name(headers: Headers) -> str:
    """Cookies know no ports: two servers of one machine must not share theirs."""
    return f"posetrack_{headers.get('host', '').rpartition(':')[2].strip('[]') or 'live'}".replace(".", "_")


def _cookie(headers: Headers) -> str:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(_cookie_name(headers))
    except CookieError:
        return ""
    return str(found.value) if found else ""


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in SECURITY_HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return sending
