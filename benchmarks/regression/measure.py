"""Time cases in units of calibration loops, and compare them with what they took before.

Processor time is counted, not time on the wall: on a shared machine others take turns. What a case
waits for is therefore not seen. The loops run between the rounds; of all rounds the median counts.
"""

from __future__ import annotations

import json
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from autovoice.engine.machine import cpu_fields, cpu_model
from benchmarks.process import python
from benchmarks.regression.calibration import LOOPS, Loop
from benchmarks.regression.cases import Case, Work

BASELINE = Path(__file__).with_name("baseline.json")
MOST_SLOWER = 0.25
# What is clearly no slower is let go at once. Anything else is timed again, and the median of all
# attempts decides. Each is a process of its own, as where things happen to lie in memory is worth a
# tenth of the time or more.
CLEARLY_FINE = 0.12
ATTEMPTS = 5
# Loops take about so much of a case's own time, and rounds go on for so long.
LOOP_SHARE = 0.25
BUDGET_S = 1.5
ROUNDS = (15, 60)


@dataclass
class LoopClock:
    """A clock that counts in loops instead of seconds.

    Args:
        loop_s: how long a loop takes now, seconds of processor time.
    """

    loop_s: float = 1.0

    def now(self) -> float:
        """Return processor time in loops."""
        return time.process_time() / self.loop_s

    def calibrate(self, loop: Loop, count: int) -> None:
        """Find out how long a loop takes now."""
        begin_s = time.process_time()
        for _ in range(count):
            loop()
        self.loop_s = (time.process_time() - begin_s) / count


@dataclass
class Trial:
    """A case that is ready to be timed.

    Args:
        work: what is timed.
        loop: what it is timed in.
        count: loops before each round.
        rounds: how often it is timed.
        clock: counts in loops.
    """

    work: Work
    loop: Loop
    count: int
    rounds: int
    clock: LoopClock = field(default_factory=LoopClock)

    def setup(self) -> None:
        """Calibrate; comes before every round."""
        self.clock.calibrate(self.loop, self.count)

    def ratio(self) -> float:
        """Return the median of all rounds, in loops."""
        found = []
        for _ in range(self.rounds):
            self.setup()
            begin = self.clock.now()
            self.work()
            found.append(self.clock.now() - begin)
        return statistics.median(found)


def elsewhere(name: str) -> float:
    """Return the ratio of a case, timed in a new process."""
    return float(python("-m", "benchmarks.regression", name).stdout)


def trial(case: Case, loops: Mapping[str, Loop] = LOOPS) -> Trial:
    """Load what a case needs, run it warm, and decide how often it is timed."""
    work, loop = case.prepare(), loops[case.like]
    spent_s = {}
    for name, each in (("loop", loop), ("work", work)):
        each()
        each()
        begin_s = time.process_time()
        each()
        spent_s[name] = time.process_time() - begin_s
    count = max(1, round(LOOP_SHARE * spent_s["work"] / spent_s["loop"]))
    round_s = count * spent_s["loop"] + spent_s["work"]
    rounds = min(max(round(BUDGET_S / round_s), ROUNDS[0]), ROUNDS[1])
    return Trial(work, loop, count, rounds)


def machine() -> str:
    """Name the processor, Python and PyTorch: ratios are compared on one kind of each only.

    A processor's name alone does not do: virtual machines call several generations the same.
    """
    told = cpu_fields()
    names = ("cpu family", "model", "stepping")
    generation = ".".join(told[name] for name in names if name in told)
    python_version = ".".join(platform.python_version_tuple()[:2])
    return (
        f"{cpu_model()} {generation} {torch.backends.cpu.get_cpu_capability()}, "
        f"Python {python_version}, PyTorch {torch.__version__}"
    )


def baseline(path: Path = BASELINE) -> dict[str, float] | None:
    """Return the ratios of this kind of processor by case; None where there are none."""
    known: dict[str, dict[str, float]] = json.loads(path.read_text(encoding="utf-8"))
    return known.get(machine())


def keep(ratios: dict[str, float], path: Path = BASELINE) -> None:
    """Write the ratios of this kind of processor; those of others stay."""
    known: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    before = known.get(machine(), {})
    known[machine()] = before | {name: round(value, 3) for name, value in ratios.items()}
    path.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def slower(found: float, wanted: float, again: Callable[[], float]) -> float | None:
    """Return how much slower a case is, 0.3 being 30 %; None where it is within bounds.

    Args:
        found: its ratio.
        wanted: its ratio in the baseline.
        again: times it once more.
    """
    tried = [found]
    if found > wanted * (1 + CLEARLY_FINE):
        while len(tried) < ATTEMPTS and not _decided(tried, wanted * (1 + MOST_SLOWER)):
            tried.append(again())
    excess = statistics.median(tried) / wanted - 1
    return excess if excess > MOST_SLOWER else None


def _decided(tried: Sequence[float], most: float) -> bool:
    """Tell whether a majority of all attempts is on one side, whatever the rest will be."""
    over = sum(each > most for each in tried)
    return max(over, len(tried) - over) > ATTEMPTS // 2
