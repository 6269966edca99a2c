"""No stage on the CPU may become 25 % slower than it was, in loops of calibration."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from benchmarks.regression import measure
from benchmarks.regression.cases import CASES

CLOCK = measure.LoopClock()
# Processes whose median becomes the baseline.
REFRESHED = 7


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Keep networks on one thread: processor time then is what a change of code changes."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.benchmark(timer=CLOCK.now, group="CPU, in calibration loops")
@pytest.mark.parametrize("name", CASES)
def test_it_is_not_slower_than_before(
    name: str, benchmark: Any, request: pytest.FixtureRequest
) -> None:
    trial = measure.trial(CASES[name])
    trial.clock = CLOCK
    benchmark.pedantic(trial.work, setup=trial.setup, rounds=trial.rounds)
    found = benchmark.stats.stats.median
    if request.config.getoption("--refresh"):
        again = [measure.elsewhere(name) for _ in range(REFRESHED - 1)]
        measure.keep({name: statistics.median([found, *again])})
        return
    known = measure.baseline()
    if known is None:
        pytest.skip(f"{found:.3f} loops; no baseline of {measure.machine()}: --refresh writes one")
    if name not in known:
        pytest.fail(f"{name}: found no baseline, expected one: --refresh writes it")
    excess = measure.slower(found, known[name], lambda: measure.elsewhere(name))
    assert excess is None, (
        f"{name}: found {100 * excess:.0f} % more than the {known[name]} loops of the baseline, "
        f"expected at most {100 * measure.MOST_SLOWER:.0f} %; where that is wanted, --refresh"
    )
