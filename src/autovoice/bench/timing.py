"""Time work many times, on the clock that its caller sees."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

Work = Callable[[], Any]
# An op, and the layers that do the same.
Pair = tuple[Work, Work]


@dataclass(frozen=True)
class Timing:
    """How long work took, in milliseconds, over ``runs`` runs after warm-up."""

    p50_ms: float
    p95_ms: float
    p99_ms: float
    least_ms: float
    runs: int

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON holds it."""
        return {key: round(value, 4) for key, value in asdict(self).items()}


def timed(
    work: Work,
    *,
    runs: int,
    warm_up: int = 5,
    wait: Callable[[], Any] = lambda: None,
    longest_s: float = 60.0,
) -> Timing:
    """Run work again and again, each run to its end.

    Args:
        work: what to time.
        runs: how often, at least 1.
        warm_up: runs before the clock counts.
        wait: returns when the device has done what was asked of it.
        longest_s: stop after so many seconds, but not before a tenth of the runs.
    """
    for _ in range(warm_up):
        work()
    wait()
    taken: list[float] = []
    begin = time.perf_counter()
    while len(taken) < runs:
        start = time.perf_counter()
        work()
        wait()
        taken.append(1_000 * (time.perf_counter() - start))
        if len(taken) >= max(1, runs // 10) and time.perf_counter() - begin > longest_s:
            break
    p50, p95, p99 = np.percentile(taken, [50, 95, 99])
    return Timing(float(p50), float(p95), float(p99), min(taken), len(taken))


def waiter(device: str) -> Callable[[], None]:
    """Return what waits until a device is idle."""
    if not device.startswith("cuda"):
        return lambda: None
    import torch

    return lambda: torch.cuda.synchronize(device)
