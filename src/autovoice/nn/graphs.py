"""Replay a network's kernels as one CUDA graph.

A network of some hundred small kernels that are launched one by one keeps the device waiting for
the processor. Captured once for a shape, they are launched together.
"""

from __future__ import annotations

import logging
import threading
import time
import weakref
from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor

from autovoice.nn.residence import same
from autovoice.nn.shortage import is_out_of_memory, reason

log = logging.getLogger(__name__)
Work = Callable[..., Tensor]
Results = tuple[Tensor, ...]
Works = Callable[..., Results]
# Shapes that come once, such as the last piece of a song, are not worth a capture.
CAPTURE_AT = 2
MOST_GRAPHS = 24
# After memory ran out, kernels are launched one by one for so long: graphs keep what they work in.
PAUSE_S = 60.0
# Beyond so many values going in, the kernels are long enough to hide their launches: a mix of 64
# seconds in stereo has 13 million.
MOST_VALUES = 1 << 24


class Memory:
    """What all graphs of a device work in, one after another.

    Args:
        device: whose; they are replayed on one stream of it, where one waits for another.
    """

    def __init__(self, device: torch.device) -> None:
        self.pool: Any = torch.cuda.graph_pool_handle()
        self.stream = _capture_stream(device)
        # From the copies of the inputs to those of the results the memory is one graph's.
        self.lock = threading.RLock()


@dataclass
class Captured:
    """A graph, where its inputs lie, and where it leaves its results."""

    graph: torch.cuda.CUDAGraph
    inputs: list[Tensor]
    results: Results
    memory: Memory

    def __call__(self, *tensors: Tensor) -> Results:
        """Run on other values of the same shapes."""
        with self.memory.lock:
            for kept, value in zip(self.inputs, tensors, strict=True):
                kept.copy_(value, non_blocking=True)
            self.graph.replay()
            return tuple(result.clone() for result in self.results)


class GraphCache:
    """Runs work on a device, through graphs for shapes that come again.

    What is captured must always do the same to tensors of one shape, must not ask the device
    anything, and must read its weights where they lie: weights may change in place.

    Args:
        most: how many graphs are kept; the one that was not used for longest goes first.
        most_values: what has more values going in is launched step by step.
    """

    def __init__(self, most: int = MOST_GRAPHS, most_values: int = MOST_VALUES) -> None:
        self.most, self.most_values = most, most_values
        self._seen: Counter[Hashable] = Counter()
        self._graphs: OrderedDict[Hashable, Captured | None] = OrderedDict()
        self._told: set[Hashable] = set()
        # What is said of the results of each work, by its name, by those who run it.
        self.results: dict[Hashable, Any] = {}
        self._lock = threading.Lock()
        self._paused_until_s = 0.0
        with _ALL_LOCK:
            _ALL.add(self)

    def __len__(self) -> int:
        return sum(graph is not None for graph in self._graphs.values())

    def __call__(self, name: str, work: Work, *tensors: Tensor) -> Tensor:
        """Return ``work(*tensors)``.

        Args:
            name: of the work; one name, one work.
            work: tensors on one device to a tensor.
            tensors: what it works on.
        """
        return self.several(name, lambda *values: (work(*values),), *tensors)[0]

    def several(self, name: Hashable, work: Works, *tensors: Tensor) -> Results:
        """Return ``work(*tensors)``, which is a tuple; see ``__call__``."""
        values = sum(tensor.numel() for tensor in tensors)
        if not tensors or not tensors[0].is_cuda or values > self.most_values:
            return work(*tensors)
        if any(same(tensors[0].device, device) for device in _FORBIDDEN):
            return work(*tensors)
        key = (name, torch.is_autocast_enabled(), *((t.shape, t.dtype, t.device) for t in tensors))
        with self._lock:
            if key in self._graphs:
                self._graphs.move_to_end(key)
                captured = self._graphs[key]
                return work(*tensors) if captured is None else captured(*tensors)
            self._seen[key] += 1
            if self._seen[key] < CAPTURE_AT or time.monotonic() < self._paused_until_s:
                return work(*tensors)
            try:
                captured = self._captured(name, work, tensors)
            except (MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
                self._paused_until_s = time.monotonic() + PAUSE_S
                log.warning("%s: no memory for a graph (%s)", name, reason(error))
                captured = None
            else:
                self._graphs[key] = captured
                self._trim()
            return work(*tensors) if captured is None else captured(*tensors)

    def clear(self) -> None:
        """Let go of all graphs and their memory."""
        with self._lock:
            self._graphs.clear()
            self._seen.clear()
            self.results.clear()

    def pause(self, device: torch.device, seconds: float = PAUSE_S) -> int:
        """Let go of all graphs of a device, and capture nothing for a while.

        Returns:
            How many there were.
        """
        with self._lock:
            held = [graph for graph in self._graphs.values() if graph is not None]
            if not all(same(graph.inputs[0].device, device) for graph in held):
                return 0
            self._graphs.clear()
            self._paused_until_s = time.monotonic() + seconds
        return len(held)

    def _trim(self) -> None:
        while len(self._graphs) > self.most:
            self._graphs.popitem(last=False)

    def _captured(
        self, name: Hashable, work: Works, tensors: tuple[Tensor, ...]
    ) -> Captured | None:
        inputs, device = [tensor.clone() for tensor in tensors], tensors[0].device
        memory = _memory(device)
        try:
            # What is set up at the first call must not be captured. On the stream where it always
            # runs: cuBLAS keeps a workspace for every other one, of 32 MiB on a Hopper.
            work(*inputs)
            graph = torch.cuda.CUDAGraph()
            recording = torch.cuda.graph(
                graph, pool=memory.pool, stream=memory.stream, capture_error_mode="thread_local"
            )
            with memory.lock, torch.cuda.device(device), recording:
                results = work(*inputs)
        except RuntimeError as error:
            if is_out_of_memory(error):
                raise
            level = logging.DEBUG if name in self._told else logging.WARNING
            self._told.add(name)
            log.log(level, "%s: runs without a graph (%s)", name, str(error).splitlines()[0])
            return None
        return Captured(graph, inputs, results, memory)


_ALL: weakref.WeakSet[GraphCache] = weakref.WeakSet()
_FORBIDDEN: set[torch.device] = set()
# Whoever captures anew after the last graph is gone needs another pool: PyTorch takes no old one.
_MEMORY: weakref.WeakValueDictionary[Hashable, Memory] = weakref.WeakValueDictionary()
_ALL_LOCK = threading.Lock()


def _memory(device: torch.device) -> Memory:
    """Return what graphs work in that are replayed on the current stream of a device."""
    key = device, torch.cuda.current_stream(device).cuda_stream
    with _ALL_LOCK:
        memory = _MEMORY.get(key)
        if memory is None:
            memory = _MEMORY[key] = Memory(device)
        return memory


@cache
def _capture_stream(device: torch.device) -> torch.cuda.Stream:
    """Return where all of a device is captured: cuBLAS keeps a workspace for every stream.

    PyTorch's own stream for captures is that of the device where it was first used.
    """
    stream: torch.cuda.Stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
    return stream


def make_room(device: torch.device) -> int:
    """Let go of every graph on a device: a pass that does not fit needs the memory more.

    What graphs work in is theirs alone, so that no other pass can use it meanwhile.

    Returns:
        How many there were.
    """
    with _ALL_LOCK:
        caches = list(_ALL)
    return sum(cache.pause(device) for cache in caches)


def forbid(device: torch.device) -> None:
    """Capture nothing on a device from now on; what was captured there is let go of."""
    _FORBIDDEN.add(device)
    make_room(device)
