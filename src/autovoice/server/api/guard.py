"""What surrounds every request: its id, its log line, safe headers, and who may ask from where."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import urlsplit

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from autovoice.server.api.errors import ApiError, respond
from autovoice.server.settings import Settings, is_loopback
from autovoice.server.tracing import Tracing

log = structlog.get_logger(__name__)
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}\Z")
# Called with route template, method, status, seconds, and why it was refused.
Told = Callable[[str, str, int, float, str], None]
# The head of a request, names in small letters.
Heads = Mapping[bytes, bytes]
IDS_AT_ONCE = 256
SAFE_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_SAFE = [(name.lower().encode(), value.encode()) for name, value in SAFE_HEADERS.items()]


class Guard:
    """The outermost layer.

    Args:
        app: what it surrounds.
        settings: of the service.
        told: hears of each finished request.
        tracing: gets a span of each request.
    """

    def __init__(self, app: ASGIApp, settings: Settings, told: Told, tracing: Tracing) -> None:
        self._app, self._settings, self._told, self._tracing = app, settings, told, tracing
        self._needs_key = settings.needs_key
        self._log = log.bind()  # once: a logger that is not bound is made anew for each line
        self._host: bytes | None = None
        self._ids: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        headers: Heads = dict(reversed(list(scope["headers"])))  # of a repeated one the first
        wished = headers.get(b"x-request-id", b"").decode("latin-1")
        request_id = wished if _ID.match(wished) else self._new_id()
        scope.setdefault("state", {})["request_id"] = request_id
        with structlog.contextvars.bound_contextvars(request=request_id):
            if scope["type"] == "websocket":
                await self._websocket(scope, headers, receive, send)
            elif self._tracing.is_on:
                await self._traced(scope, headers, receive, send)
            else:
                await self._http(scope, headers, receive, send)

    def _new_id(self) -> str:
        """Return 64 random bits as hex, of many that were drawn at once."""
        if not self._ids:
            drawn = secrets.token_hex(8 * IDS_AT_ONCE)
            self._ids = [drawn[at : at + 16] for at in range(0, len(drawn), 16)]
        return self._ids.pop()

    async def _traced(self, scope: Scope, headers: Heads, receive: Receive, send: Send) -> None:
        method, status = scope["method"], 500
        parent = headers.get(b"traceparent")

        async def answer(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        told = None if parent is None else parent.decode("latin-1")
        with self._tracing.span(method, told, kind="SERVER") as span:
            await self._http(scope, headers, receive, answer)
            route = getattr(scope.get("route"), "path", "other")
            span.rename(f"{method} {route}")
            span.note(
                http__request__method=method, http__route=route, http__response__status_code=status
            )
            if status >= 500:
                span.fail(scope["state"].get("rejection", ""))

    async def _http(self, scope: Scope, headers: Heads, receive: Receive, send: Send) -> None:
        begun, status = time.perf_counter(), 500
        started = False
        request_id = scope["state"]["request_id"]

        async def answer(message: Message) -> None:
            nonlocal status, started
            if message["type"] == "http.response.start":
                status, started = message["status"], True
                found = list(message.get("headers", ()))
                names = {name for name, _ in found}
                found.append((b"x-request-id", request_id.encode()))
                found += [pair for pair in _SAFE if pair[0] not in names]
                message["headers"] = found
            await send(message)

        try:
            refusal = self._refusal(scope, headers)
            if refusal is not None:
                scope["state"]["rejection"] = refusal.code
                await respond(refusal, request_id)(scope, receive, answer)
            else:
                await self._app(scope, receive, answer)
        except Exception:
            log.exception("a request failed", path=scope["path"][:200])
            if not started:
                error = ApiError(500, "internal_error", "the service failed; its log tells more")
                await respond(error, request_id)(scope, receive, answer)
        finally:
            seconds = time.perf_counter() - begun
            route = getattr(scope.get("route"), "path", "other")
            rejection = scope["state"].get("rejection", "") if status >= 400 else ""
            self._told(route, scope["method"], status, seconds, rejection)
            self._log.info(
                "request",
                method=scope["method"],
                path=scope["path"][:200],
                status=status,
                seconds=round(seconds, 4),
                caller=scope["state"].get("caller", ""),
            )

    async def _websocket(self, scope: Scope, headers: Heads, receive: Receive, send: Send) -> None:
        if self._refusal(scope, headers) is not None:
            await receive()
            await send({"type": "websocket.close", "code": 4403, "reason": "origin not allowed"})
            return
        await self._app(scope, receive, send)

    def _refusal(self, scope: Scope, headers: Heads) -> ApiError | None:
        """Keep pages of other sites out: of the service on this machine, and of any by CORS."""
        found = headers.get(b"host", b"")
        host = found.decode("latin-1")
        if not self._needs_key and found != self._host:
            if not _is_own(host, self._settings.allowed_hosts):
                return ApiError(
                    403,
                    "host_not_allowed",
                    f"found the host {host[:100]!r}, expected this machine's own name; add others "
                    "to allowed_hosts, or require keys",
                )
            self._host = found  # nearly all requests name the same one
        if b"origin" not in headers:
            return None
        origin = headers[b"origin"].decode("latin-1")
        changes = scope["type"] == "websocket" or scope["method"] not in {"GET", "HEAD", "OPTIONS"}
        if not changes or origin in self._settings.allowed_origins:
            return None
        if urlsplit(origin).netloc == host:
            return None
        return ApiError(403, "origin_not_allowed", "requests from this web page are not allowed")


def _is_own(host: str, allowed: Sequence[str]) -> bool:
    name = urlsplit(f"//{host}").hostname or ""
    return is_loopback(name) or name in allowed or name == "testserver"
