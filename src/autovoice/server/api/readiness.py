"""Whether work would be accepted and done: asked by probes, and watched by Prometheus."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from autovoice.server.database import DatabaseUnavailable
from autovoice.server.jobs.presence import present

if TYPE_CHECKING:
    from autovoice.server.api.service import Service

Checks = Mapping[str, Mapping[str, Any]]


def checks_of(service: Service) -> Checks:
    """Return what was looked at, each with ``ok``. Blocks: it writes to the database."""
    database = service.database.writable()
    try:
        workers = present(service.database, service.clock())
    except DatabaseUnavailable:
        workers = ()
    loaded = [one for one in workers if one.state == "ready"]
    free = service.store.free_bytes()
    return {
        "accepting": {"ok": not service.draining},
        "database": {"ok": database},
        "disk": {"ok": free > service.settings.free_bytes, "free_bytes": free},
        "models": {
            "ok": bool(loaded) or service.settings.workers == 0,
            "workers": [{"state": one.state, "device": one.device} for one in workers],
        },
    }


def all_ok(checks: Checks) -> bool:
    """Tell whether nothing is missing."""
    return all(check["ok"] for check in checks.values())
