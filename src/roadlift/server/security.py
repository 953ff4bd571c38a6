"""Who may ask, how much, and how slowly; and what browsers are told about every answer.

Plain ASGI middleware. A page of another site must not reach this server through the user's browser: the host must be one
of ours (DNS rebinding), the request must come from our own page (cross-site request forgery), and nothing may be framed
or sniffed. Addresses that other machines reach need a token.
"""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import socket
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse

from roadlift.server.options import MEGABYTE, ServerOptions, is_loopback
from roadlift.server.problems import Problem

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

CUSTOM_HEADER: Final = "x-roadlift"
JSON_BYTES: Final = 2 * MEGABYTE
UPLOAD_PATH: Final = "/api/images"
FORM_BYTES: Final = 64 * 1024
"""What a form may have around its file."""
SLOWEST_BYTES_PER_SECOND: Final = 64 * 1024
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_OPEN_PATHS = ("/api/health", "/api/settings")
_SAME_SITE = ("same-origin", "none")
_DRAIN_SECONDS = 2.0

POLICY: Final = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self'",
        "worker-src 'self' blob:",
        "img-src 'self' data: blob:",
        "connect-src 'self'",
        "style-src 'self'",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


def refusal(problem: Problem) -> JSONResponse:
    """Return the response that says what is wrong."""
    body = {"error": {"code": problem.code, "message": problem.message}}
    return JSONResponse(body, problem.status_code, headers=problem.headers)


class ResponseHeaders:
    """Adds to every response what keeps a browser from doing anything else with it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self._app(scope, receive, send_with_headers)


class Gatekeeper:
    """Lets requests in that name one of our hosts, come from our own page, and carry the token."""

    def __init__(self, app: ASGIApp, options: ServerOptions) -> None:
        self._app = app
        self._token = None if options.token is None else options.token.encode()
        self._any_address = not is_loopback(options.host)
        self._hosts = {
            "localhost",
            "127.0.0.1",
            "::1",
            options.host.lower(),
            *map(str.lower, options.allow_host),
        }
        if self._any_address:
            self._hosts.add(socket.gethostname().lower())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] == "http":
            try:
                self._check(scope, Headers(scope=scope))
            except Problem as problem:
                await refusal(problem)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _check(self, scope: Scope, headers: Headers) -> None:
        host = headers.get("host", "")
        if not self._is_ours(host):
            raise Problem(
                400,
                "unknown_host",
                "This server is not known under the name that the request uses. If it is reached by that name on purpose, "
                "start it with --allow-host NAME.",
            )
        if scope["path"].startswith("/api"):
            self._check_origin(scope["method"], host, headers)
            if self._token is not None and scope["path"] not in _OPEN_PATHS:
                self._check_token(headers.get("authorization", ""), self._token)

    def _is_ours(self, host: str) -> bool:
        """Whether the request names one of our hosts; an address in numbers cannot be a rebound name."""
        name = _host_name(host)
        return name in self._hosts or (self._any_address and _is_address(name))

    def _check_origin(self, method: str, host: str, headers: Headers) -> None:
        if headers.get("sec-fetch-site", "none") not in _SAME_SITE:
            raise Problem(403, "foreign_page", "The request comes from a page of another site.")
        if method in _SAFE_METHODS:
            return
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
            raise Problem(403, "foreign_page", "The request comes from a page of another site.")
        if CUSTOM_HEADER not in headers:
            raise Problem(
                403,
                "header_missing",
                "Requests that change something need the header X-Roadlift: 1, as the page sends it.",
            )

    def _check_token(self, authorization: str, token: bytes) -> None:
        scheme, _, given = authorization.partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), token):
            raise Problem(
                401,
                "token_needed",
                "This server needs its token: the one it was started with, in the header Authorization: Bearer TOKEN.",
                {"WWW-Authenticate": "Bearer"},
            )


def _host_name(host: str) -> str:
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


class BodyGuard:
    """Counts the bytes of a request's body, whatever its headers say, and gives slow ones up.

    Args:
        app: what is guarded.
        upload_bytes: Largest file that may be uploaded.
        receive_seconds: Time for a body to arrive, plus one second for every 64 KiB received.
    """

    def __init__(self, app: ASGIApp, upload_bytes: int, receive_seconds: float) -> None:
        self._app = app
        self._upload_bytes = upload_bytes
        self._receive_seconds = receive_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        largest = self._upload_bytes + FORM_BYTES if scope["path"] == UPLOAD_PATH else JSON_BYTES
        body = _Body(receive, largest, self._upload_bytes, self._receive_seconds)
        try:
            body.check_announced(Headers(scope=scope))
        except Problem as problem:
            await refusal(problem)(scope, receive, send)
        else:
            await self._app(scope, body.receive, send)
        await body.drain()


class _Body:
    """The body of one request on its way in."""

    def __init__(self, receive: Receive, largest: int, largest_file: int, seconds: float) -> None:
        self._receive, self._largest, self._seconds = receive, largest, seconds
        self._largest_file = largest_file
        self._received = 0
        self._complete = False
        self._started = asyncio.get_running_loop().time()

    def check_announced(self, headers: Headers) -> None:
        """Refuse at once what says itself that it is too large."""
        announced = headers.get("content-length", "")
        if announced.isdigit() and int(announced) > self._largest:
            raise self._too_large()

    async def receive(self) -> Message:
        """Receive the next part.

        Raises:
            Problem: It is more than is allowed, or it does not come.
        """
        if self._complete:
            return await self._receive()
        message = await self._next(self._deadline())
        if self._received > self._largest:
            raise self._too_large()
        return message

    def _deadline(self) -> float:
        return self._started + self._seconds + self._received / SLOWEST_BYTES_PER_SECOND

    async def _next(self, deadline: float) -> Message:
        try:
            async with asyncio.timeout_at(deadline):
                message = await self._receive()
        except TimeoutError:
            self._complete = True
            raise Problem(
                408,
                "too_slow",
                "The request did not arrive in time; check the connection and try again.",
                {"Connection": "close"},
            ) from None
        self._received += len(message.get("body", b""))
        self._complete = message["type"] != "http.request" or not message.get("more_body", False)
        return message

    async def drain(self) -> None:
        """Read for a moment what still comes, so that the answer is not lost when the connection closes."""
        deadline = asyncio.get_running_loop().time() + _DRAIN_SECONDS
        try:
            while not self._complete:
                await self._next(deadline)
        except Problem:
            return

    def _too_large(self) -> Problem:
        largest = min(self._largest, self._largest_file) if self._largest > JSON_BYTES else self._largest
        return Problem(
            413,
            "too_large",
            f"The request has more than {largest / MEGABYTE:,.0f} MiB, which is the most that this server takes. Cut the "
            "image into parts, or use the command line: roadlift extract.",
            {"Connection": "close"},
        )
