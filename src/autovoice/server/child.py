"""How a child process learns what to do, and that its parent is gone.

The first line on stdin is a JSON object: settings hold secrets, which neither arguments nor the
environment may show. After it, stdin stays open as long as the parent lives.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from dataclasses import dataclass
from typing import Any

from autovoice.server.settings import Settings


@dataclass(frozen=True)
class Orders:
    """What the parent says.

    Args:
        settings: of the service.
        extra: of this process: its name, device or socket.
    """

    settings: Settings
    extra: dict[str, Any]


def encode(settings: Settings, **extra: Any) -> bytes:
    """Return the line to send to a child."""
    orders = {"settings": settings.model_dump(mode="json"), "extra": extra}
    return json.dumps(orders).encode() + b"\n"


def receive() -> Orders:
    """Read the orders, and from then on end this process when the parent is gone."""
    stdin = sys.stdin.buffer
    orders = json.loads(stdin.readline())
    found = Orders(Settings.model_validate(orders["settings"]), orders["extra"])
    threading.Thread(
        target=_watch, args=(found.settings.grace_s,), name="lifeline", daemon=True
    ).start()
    return found


def _watch(grace_s: float) -> None:
    # A descriptor of its own: a thread that waits inside of sys.stdin would block the exit.
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    threading.Event().wait(min(grace_s, 5.0))
    os._exit(1)
