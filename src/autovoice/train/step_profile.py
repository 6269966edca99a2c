"""Where the time of a training step goes: by part, on the processor and on the device."""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from autovoice.weights.files import write_json

log = logging.getLogger(__name__)
Event = Any  # torch.cuda.Event: PyTorch states no types for it


class Profile:
    """Time the parts of some steps.

    First ``steps`` steps are timed as they run. Where steps are captured as graphs, as many follow
    after each of which the device is waited for, since events within a graph tell of its last
    replay only. A part that takes as long on the processor as on the device may wait for it.

    Args:
        steps: to time; 0 makes every call free.
        device: of the training; without CUDA only the processor is timed.
    """

    def __init__(self, steps: int = 0, device: str = "cpu") -> None:
        self.steps, self.cuda = steps, device.startswith("cuda")
        self.active = False
        self.done = 0
        self.kind = ""  # of step that is captured, or replayed, now
        self.walls_s: list[float] = []
        self.host_s: dict[str, list[float]] = defaultdict(list)
        self.inside_ms: dict[str, list[float]] = defaultdict(list)
        self._events: list[tuple[str, Event, Event]] = []
        self._captured: dict[str, list[tuple[str, Event, Event]]] = defaultdict(list)
        self._replayed: set[str] = set()

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Time what runs within as ``name``; parts may nest, and then both count."""
        if not self.steps:
            yield
        elif self.cuda and torch.cuda.is_current_stream_capturing():
            begin, end = self._pair(external=True)
            begin.record()
            yield
            end.record()
            self._captured[self.kind].append((name, begin, end))
        elif not self.active or self._waits:
            yield
        else:
            pair = self._pair() if self.cuda else None
            began = time.perf_counter()
            if pair:
                pair[0].record()
            yield
            if pair:
                pair[1].record()
                self._events.append((name, *pair))
            self.host_s[name].append(time.perf_counter() - began)

    @contextmanager
    def replay(self, kind: str) -> Iterator[None]:
        """Time a whole step of one kind, and remember that its graph ran."""
        self.kind = kind
        self._replayed.add(kind)
        with self.part(f"step {kind}"):
            yield

    @contextmanager
    def step(self) -> Iterator[None]:
        """Time one step of the training."""
        if not self.active:
            yield
            return
        began = time.perf_counter()
        self._replayed.clear()
        yield
        if self._waits:
            self._look_inside()
        else:
            self.walls_s.append(time.perf_counter() - began)
        self.done += 1
        if self.done >= self.steps * (2 if self._captured else 1):
            self.active = False

    def due(self, ready: bool) -> None:
        """Begin with the next step, if everything that is made once is made."""
        self.active = self.active or (ready and self.steps > 0 and not self.done)

    @property
    def finished(self) -> bool:
        """Whether all steps are timed and nothing is written yet."""
        return self.steps > 0 and self.done > 0 and not self.active

    def write(self, out: Path, facts: dict[str, object]) -> None:
        """Write ``profile.json``, atomically, and end.

        Milliseconds of a step: ``wall_ms``; for each part ``host_ms``, ``device_ms`` (null without
        CUDA) and how often it came; ``inside`` are the parts of captured steps.
        """
        if self.cuda:
            torch.cuda.synchronize()
        device: dict[str, float] = defaultdict(float)
        for name, begin, end in self._events:
            device[name] += begin.elapsed_time(end)
        steps = max(1, len(self.walls_s))
        table = {
            name: {
                "times": round(len(values) / steps, 3),
                "host_ms": round(1e3 * sum(values) / steps, 3),
                "device_ms": round(device[name] / steps, 3) if self.cuda else None,
            }
            for name, values in sorted(self.host_s.items())
        }
        waited = max(1, self.done - len(self.walls_s))
        told = {
            **facts,
            "steps": len(self.walls_s),
            "wall_ms": round(1e3 * sum(self.walls_s) / steps, 3),
            "parts": table,
            "inside": {n: round(sum(v) / waited, 3) for n, v in sorted(self.inside_ms.items())},
        }  # fmt: skip
        write_json(out / "profile.json", told)
        log.info("a step took %.1f ms: %s", told["wall_ms"], out / "profile.json")
        self.steps = 0

    @property
    def _waits(self) -> bool:
        return self.done >= self.steps

    def _pair(self, external: bool = False) -> tuple[Event, Event]:
        make: Any = torch.cuda.Event
        kind = {"external": True} if external else {}
        return make(enable_timing=True, **kind), make(enable_timing=True, **kind)

    def _look_inside(self) -> None:
        torch.cuda.synchronize()
        for kind in self._replayed:
            for name, begin, end in self._captured[kind]:
                self.inside_ms[name].append(begin.elapsed_time(end))
