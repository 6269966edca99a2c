"""A flag that a signal handler may set: it takes no lock, so it cannot block on itself."""

from __future__ import annotations

import time

_STEP_S = 0.05


class Flag:
    """Down until set."""

    def __init__(self) -> None:
        self._up = False

    def set(self) -> None:
        """Raise the flag."""
        self._up = True

    def is_set(self) -> bool:
        """Tell whether it is up."""
        return self._up

    def wait(self, seconds: float) -> bool:
        """Wait until it is up, at most so long; return whether it is."""
        end = time.monotonic() + seconds
        while not self._up and (left := end - time.monotonic()) > 0:
            time.sleep(min(_STEP_S, left))
        return self._up
