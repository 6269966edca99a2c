"""How far a conversion is, how long it will take, and how to stop it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from autovoice.errors import Cancelled


@dataclass(frozen=True)
class Progress:
    """One report.

    Args:
        stage: ``read``, ``separate``, ``analyse``, ``convert`` or ``mix``; of speech ``speak``,
            from notes ``sing``.
        fraction: how much of this stage is done, 0 to 1.
        overall: how much of the whole conversion is done, 0 to 1; never falls.
        seconds_left: estimate for the whole conversion; None while nothing is known.
    """

    stage: str
    fraction: float
    overall: float
    seconds_left: float | None


Listener = Callable[[Progress], None]
Cancel = Callable[[], bool]

# What share of the time each stage takes on two CPU cores: the start of the estimate.
STAGE_SHARES: Mapping[str, float] = {
    "read": 0.01,
    "separate": 0.10,
    "analyse": 0.05,
    "convert": 0.81,
    "mix": 0.03,
    # The one stage of speech.
    "speak": 1.0,
    # Of singing from notes, beside a mix.
    "sing": 1.0,
}


class Reporter:
    """Count the work of one conversion; stages never see more of it than ``at``.

    Args:
        stages: the stages that will run, in order.
        listener: gets every report. Default: nobody.
        cancel: asked at every report; True stops the conversion with ``Cancelled``.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        stages: tuple[str, ...],
        *,
        listener: Listener | None = None,
        cancel: Cancel | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        total = sum(STAGE_SHARES[stage] for stage in stages)
        self._shares = {stage: STAGE_SHARES[stage] / total for stage in stages}
        self._listener = listener
        self._cancel = cancel
        self._clock = clock
        self._begin_s = clock()
        self._stage = ""
        self._finished = 0.0
        self._overall = 0.0
        self.timings: dict[str, float] = {}

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count everything inside as the stage ``name``."""
        self._stage = name
        self.at(0.0)
        yield
        self.at(1.0)
        self._finished += self._shares[name]

    @contextlib.contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Add the seconds spent inside to the timing ``name``.

        Raises:
            Cancelled: the caller asked to stop, before anything is done.
        """
        self._check()
        begin_s = self._clock()
        try:
            yield
        finally:
            self.timings[name] = self.timings.get(name, 0.0) + self._clock() - begin_s

    def at(self, fraction: float) -> None:
        """Report that ``fraction`` of the current stage is done.

        Raises:
            Cancelled: the caller asked to stop.
        """
        if self._listener is not None:
            self._listener(self._report(fraction))
        self._check()

    def _report(self, fraction: float) -> Progress:
        fraction = min(max(fraction, 0.0), 1.0)
        now = self._finished + self._shares[self._stage] * fraction
        self._overall = min(max(self._overall, now), 1.0)
        spent_s = self._clock() - self._begin_s
        known = self._overall >= 0.01
        left_s = spent_s * (1 - self._overall) / self._overall if known else None
        return Progress(self._stage, fraction, self._overall, left_s)

    def _check(self) -> None:
        if self._cancel is not None and self._cancel():
            raise Cancelled("the conversion was cancelled")
