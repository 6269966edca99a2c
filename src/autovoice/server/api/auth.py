"""Who asks, whether they may, and how often."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, MutableMapping
from typing import Any

from fastapi import Request
from starlette.concurrency import run_in_threadpool

from autovoice.server.api.errors import ApiError
from autovoice.server.api.service import Service, service_of
from autovoice.server.keys import ANYBODY, Caller

# Jobs are seen by the key that made them, so whoever may make some may follow them.
JOB_SCOPES = ("convert", "voices", "speak")


def allowed(*scopes: str) -> Callable[[Request], Awaitable[Caller]]:
    """Return a dependency that yields the caller, if the key has one of the scopes.

    Args:
        scopes: of ``keys.SCOPES``.
    """

    async def check(request: Request) -> Caller:
        key = request.headers.get("authorization", "")
        return await admitted(service_of(request), key, scopes, request.scope["state"])

    return check


async def admitted(
    service: Service, header: str, scopes: Collection[str], state: MutableMapping[str, Any]
) -> Caller:
    """Return the caller, if the key has one of the scopes and does not ask too often.

    Args:
        service: that is asked.
        header: ``Authorization``.
        scopes: of ``keys.SCOPES``.
        state: of the request; the caller is noted there.

    Raises:
        ApiError: 401, 403 or 429.
    """
    caller = await identify(service, header)
    if caller is None:
        raise ApiError(
            401, "unauthorized",
            "found no valid API key, expected the header 'Authorization: Bearer KEY'; "
            "`autovoice serve key create` makes one",
            close=True,
        )  # fmt: skip
    state["caller"] = caller.id
    if caller.scopes.isdisjoint(scopes):
        wanted = " or ".join(map(repr, scopes))
        raise ApiError(403, "scope_missing", f"this key lacks the scope {wanted}", close=True)
    wait_s = service.rates.take(caller.id)
    if wait_s:
        raise ApiError(
            429, "rate_limited", "too many requests; wait as Retry-After says",
            retry_s=wait_s, close=True,
        )  # fmt: skip
    return caller


async def identify(service: Service, header: str) -> Caller | None:
    """Return whose key an ``Authorization`` header holds; anybody's where none is needed."""
    if not service.needs_key:
        return ANYBODY
    kind, _, key = header.partition(" ")
    if kind.lower() != "bearer" or not key:
        return None
    known = service.keys.remembered(key.strip())
    return known or await run_in_threadpool(service.keys.find, key.strip())
