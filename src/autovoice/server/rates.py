"""How often a caller may ask: a bucket of tokens each, in memory."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

MOST_CALLERS = 10_000


class Rates:
    """Count requests by caller.

    Args:
        per_minute: how many each may make; also how many at once after a pause. 0: no limit.
        clock: seconds, monotonic.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_minute, self._clock = per_minute, clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, caller: str) -> float:
        """Count a request; return 0, or the seconds until it would be allowed."""
        if not self._per_minute:
            return 0.0
        now, rate = self._clock(), self._per_minute / 60
        tokens, at = self._buckets.pop(caller, (float(self._per_minute), now))
        tokens = min(float(self._per_minute), tokens + (now - at) * rate)
        wait_s = 0.0 if tokens >= 1 else (1 - tokens) / rate
        self._buckets[caller] = (tokens - (wait_s == 0.0), now)
        if len(self._buckets) > MOST_CALLERS:
            self._buckets.popitem(last=False)
        return wait_s
