"""The base of every stage that runs a network: device, precision, fall-back to the CPU."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Hashable, Iterator, Sequence
from functools import partial
from typing import Protocol, TypeVar

import torch
from torch import nn

from autovoice.errors import ResourceError
from autovoice.nn.graphs import GraphCache, make_room
from autovoice.nn.shortage import is_out_of_memory, reason

log = logging.getLogger(__name__)
T = TypeVar("T")
Item = TypeVar("Item")
Result = TypeVar("Result")


class Scheduler(Protocol):
    """Decides when the networks of a stage run, and what shares a pass with what."""

    def alone(self, stage: NetworkStage, work: Callable[[], Result]) -> Result:
        """Run ``stage.tried(work)`` when its turn comes."""

    def together(
        self,
        stage: NetworkStage,
        work: Callable[[Sequence[Item]], Sequence[Result]],
        item: Item,
        *,
        key: Hashable,
        seconds: float,
        shrink: Callable[[], bool] | None,
    ) -> Result:
        """Run ``work`` on a list with ``item`` in it, and return the result of ``item``."""


class Smaller(Exception):
    """A pass did not fit; whoever prepared it has to cut it smaller and come again."""


@contextlib.contextmanager
def own_chance() -> Iterator[None]:
    """Keep the caller's random state out of what happens inside: networks draw when built."""
    with torch.random.fork_rng(devices=[]):
        yield


class NetworkStage:
    """Hold networks on a device and run work on them.

    Args:
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        mixed_precision: run under autocast (float16 on CUDA, bfloat16 on the CPU). Default off.
        cpu_fallback: when the device runs out of memory, move to the CPU and try again. Default on.
    """

    # Signal processing that half precision would spoil stays out of autocast.
    exact = False
    # A stage that fills its passes up to sizes that come again may get any number of items.
    fills_up = False

    def __init__(
        self,
        *,
        device: str | torch.device = "cpu",
        mixed_precision: bool = False,
        cpu_fallback: bool = True,
    ) -> None:
        self.device = torch.device(device)
        self.mixed_precision = mixed_precision
        self.cpu_fallback = cpu_fallback
        self.graphs = GraphCache()
        self.scheduler: Scheduler | None = None
        self._networks: list[nn.Module] = []
        self._halved: set[nn.Module] = set()

    def add_network(self, network: nn.Module, *, half: bool = False) -> None:
        """Take over a network: inference only, on this stage's device.

        Args:
            network: it casts its input to the type of its weights, where that matters.
            half: keep its weights in half precision while it is on a GPU.
        """
        self._networks.append(network.eval().requires_grad_(False))
        if half:
            self._halved.add(network)
        self._place(network)

    def _place(self, network: nn.Module) -> None:
        network.to(self.device)
        if network in self._halved:
            network.to(torch.float16 if self.device.type == "cuda" else torch.float32)

    def guarded(self, work: Callable[[], T], *, shrink: Callable[[], bool] | None = None) -> T:
        """Run ``work`` without gradients; on out-of-memory make it smaller, then use the CPU.

        With a scheduler it runs by itself, when its turn comes.

        Args:
            work: reads ``self.device`` (and what ``shrink`` changes) each time it is called.
            shrink: make the next try need less memory; return False when that cannot be.

        Raises:
            ResourceError: out of memory, and nothing left to try.
        """
        if self.scheduler is None:
            return self.tried(work, shrink=shrink)
        scheduled = work if shrink is None else lambda: self.tried(work, shrink=shrink)
        return self.scheduler.alone(self, scheduled)

    def batched(
        self,
        work: Callable[[Sequence[Item]], Sequence[Result]],
        item: Item,
        *,
        key: Hashable,
        seconds: float,
        shrink: Callable[[], bool] | None = None,
    ) -> Result:
        """Run ``work`` as ``guarded`` does, with items of other calls where there is a scheduler.

        Args:
            work: items in, as many results in their order; an item's result does not depend on
                the others. A method of this stage; it reads ``self.device`` each time.
            item: prepared, but not on the device.
            key: only items of equal keys may share a pass; shapes belong into it.
            seconds: sound in the item, by which its need of memory is told.
            shrink: as for ``guarded``; when it makes items smaller, ``Smaller`` is raised.

        Raises:
            Smaller: prepare the item anew.
            ResourceError: out of memory, and nothing left to try.
        """
        smaller = None if shrink is None else partial(_smaller, shrink)
        if self.scheduler is None:
            return self.tried(lambda: work([item]), shrink=smaller)[0]
        return self.scheduler.together(self, work, item, key=key, seconds=seconds, shrink=smaller)

    def limit_pass(self, seconds: float) -> None:
        """Take at most so much sound in one pass; nothing to do where the caller cuts pieces."""

    def once(self, work: Callable[[], T]) -> T:
        """Run ``work`` without gradients; whatever happens."""
        with torch.inference_mode(), self._autocast():
            return work()

    def tried(self, work: Callable[[], T], *, shrink: Callable[[], bool] | None = None) -> T:
        """Run ``work`` here and now as ``guarded`` says; what a scheduler calls.

        Before anything else gives way, captured graphs do: those of all stages.
        """
        whole = True
        while True:
            try:
                return self.once(work)
            except (torch.cuda.OutOfMemoryError, MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
                why = reason(error)
            # Outside of the handler, so that the failed try's tensors are let go of first.
            if whole and self._without_graphs(why):
                whole = False
                continue
            self._make_room(why, shrink)

    def to(self, device: str | torch.device) -> None:
        """Move every network to ``device``."""
        self.device = torch.device(device)
        self.graphs.clear()
        for network in self._networks:
            self._place(network)

    def _without_graphs(self, why: str) -> bool:
        """Let go of what graphs hold, so that the same can be tried again; False: nothing."""
        if not make_room(self.device):
            return False
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        log.warning("%s: trying again without graphs (%s)", type(self).__name__, why)
        return True

    def _make_room(self, why: str, shrink: Callable[[], bool] | None) -> None:
        """Prepare another try with less memory, or give up with ``ResourceError``."""
        name = type(self).__name__
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        if shrink is not None and shrink():
            log.warning("%s: %s is out of memory, trying smaller pieces", name, self.device)
            return
        if self.device.type == "cpu" or not self.cpu_fallback:
            raise ResourceError(
                f"{name}: {self.device} is out of memory ({why}); free some memory or use a "
                "smaller preset"
            )
        log.warning("%s: %s is out of memory, going on on the CPU", name, self.device)
        device = self.device
        self.to("cpu")
        if device.type == "cuda":
            torch.cuda.empty_cache()

    @contextlib.contextmanager
    def _autocast(self) -> Iterator[None]:
        if not self.mixed_precision or self.exact:
            yield
            return
        dtype = torch.float16 if self.device.type == "cuda" else torch.bfloat16
        with torch.autocast(self.device.type, dtype=dtype):
            yield


def _smaller(shrink: Callable[[], bool]) -> bool:
    if shrink():
        raise Smaller
    return False
