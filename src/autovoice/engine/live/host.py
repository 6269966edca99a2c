"""Who does a chunk's Python: one session of a process at a time.

There is one interpreter lock. Where many threads wait for it, each wakes every 5 ms to ask again,
and array operations hand it over: with 64 sessions a chunk took five times its processor time.
Threads that wait here sleep until their turn comes. Nobody waits here while networks run.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

HOST = threading.Lock()


@contextlib.contextmanager
def aside() -> Iterator[None]:
    """Let others go on meanwhile; for who holds ``HOST``."""
    HOST.release()
    try:
        yield
    finally:
        HOST.acquire()
