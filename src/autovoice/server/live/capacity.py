"""How many live sessions an engine has room for: measured, not guessed."""

from __future__ import annotations

import threading
from collections.abc import Hashable

from autovoice.errors import ResourceError

# Of an engine's time, the share that may be promised.
MOST_LOAD = 0.85
_SLOW = 0.05


class Capacity:
    """Add up what sessions take of the engine's time; refuse what does not fit.

    A session's load is the seconds that its chunks take over the seconds that they last. The first
    session is always taken, with a note where the machine is too slow for it.

    Args:
        most: sessions at once, however cheap.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._loads: dict[Hashable, float] = {}

    @property
    def load(self) -> float:
        """What is promised now, as a share of the engine's time."""
        with self._lock:
            return sum(self._loads.values())

    def admit(self, session: Hashable, load: float) -> None:
        """Count a session.

        Raises:
            ResourceError: there is no room.
        """
        with self._lock:
            total = sum(self._loads.values()) + load
            if len(self._loads) >= self._most or (self._loads and total > MOST_LOAD):
                raise ResourceError(
                    f"{len(self._loads)} live sessions run and this one would take "
                    f"{100 * load:.0f} % of the engine; try again later"
                )
            self._loads[session] = load

    def measured(self, session: Hashable, load: float) -> None:
        """Learn from a chunk what a session really takes."""
        with self._lock:
            if session in self._loads:
                self._loads[session] += _SLOW * (load - self._loads[session])

    def leave(self, session: Hashable) -> None:
        """Forget a session."""
        with self._lock:
            self._loads.pop(session, None)
