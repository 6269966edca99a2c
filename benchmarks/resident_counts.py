"""What each stage of a conversion asks of its device: launches, waits, copies back."""

from __future__ import annotations

import contextlib
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile, record_function
from torch.utils._python_dispatch import TorchDispatchMode

from autovoice.bench.material import VOICE
from autovoice.config import preset
from autovoice.engine import Engine
from autovoice.engine.pipeline import Pipeline
from autovoice.engine.progress import Reporter
from autovoice.engine.stages import Stages
from autovoice.nn import transfer
from autovoice.nn.graphs import MOST_VALUES, GraphCache, Works
from autovoice.types import Audio

STAGES = ("separate", "analyse", "convert", "mix")
_MARK = "stage: "
_NO_KERNELS = (_MARK, "Memcpy", "Memset")
_LAUNCHES = ("cudaLaunchKernel", "cuLaunchKernel", "cudaGraphLaunch", "cudaLaunchKernelExC")
_WAITS = ("cudaStreamSynchronize", "cudaDeviceSynchronize", "cudaEventSynchronize", "cudaMemcpy")
_ASKING = ("_local_scalar_dense", "nonzero", "is_nonzero", "masked_select")


class _Marked(Reporter):
    """Mark what runs in each stage, for the profiler and for whoever counts."""

    def __init__(self, enter: Callable[[str], contextlib.AbstractContextManager[Any]]) -> None:
        super().__init__(STAGES)
        self._enter = enter

    @contextlib.contextmanager
    def timed(self, name: str) -> Iterator[None]:
        with super().timed(name), self._enter(name):
            yield


def counts(engine: Engine, audio: Audio, semitones: int | str) -> dict[str, dict[str, int]]:
    """Count over one conversion, after two to warm up; stages run where they are called."""
    mixed = preset("balanced").mixed_precision and engine.device != "cpu"
    stages = Stages(engine.device, engine.stages.builders, mixed_precision=mixed)
    voice = engine.voice(VOICE)

    def convert(reporter: Reporter) -> None:
        pipeline = Pipeline(stages, preset("balanced"), reporter)
        stems = pipeline.separate(audio, mixed=True)
        vocal = pipeline.analyse(stems.vocals)
        shift = pipeline.fit(vocal, voice.speaker, semitones)
        pipeline.mix(pipeline.convert(vocal, voice.speaker, shift), stems)

    for _ in range(3 if engine.device != "cpu" else 1):
        convert(Reporter(STAGES))
    return (_on_gpu if engine.device.startswith("cuda") else _on_cpu)(convert)


def _on_gpu(convert: Callable[[Reporter], None]) -> dict[str, dict[str, int]]:
    """Count by the profiler what the processor asks of the GPU."""
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as made:
        convert(_Marked(lambda name: record_function(_MARK + name)))
        torch.cuda.synchronize()
    events = [event for event in made.events() if "CPU" in str(event.device_type)]
    # Those in graphs too; each stage waits for its own.
    kernels = [
        event
        for event in made.events()
        if "CUDA" in str(event.device_type) and not event.name.startswith(_NO_KERNELS)
    ]
    found: dict[str, Counter[str]] = {}
    for mark in (event for event in events if event.name.startswith(_MARK)):
        inside = found.setdefault(mark.name.removeprefix(_MARK), Counter())
        starts = (event.time_range.start for event in kernels)
        inside["kernels"] = sum(
            mark.time_range.start <= start < mark.time_range.end for start in starts
        )
        for event in events:
            if mark.time_range.start <= event.time_range.start < mark.time_range.end:
                inside["launches"] += event.name in _LAUNCHES
                inside["graphs"] += event.name == "cudaGraphLaunch"
                inside["waits"] += event.name in _WAITS
                inside["copies"] += event.name == "cudaMemcpyAsync"
    return {name: dict(inside) for name, inside in found.items()}


class _Ops(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Count ops that are no views, and questions to the device, by stage."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.found: dict[str, Counter[str]] = {}
        self._stage = "between"
        self._kind = "launches"

    @property
    def here(self) -> Counter[str]:
        """The counts of the stage that runs."""
        return self.found.setdefault(self._stage, Counter())

    @contextlib.contextmanager
    def enter(self, name: str) -> Iterator[None]:
        before, self._stage = self._stage, name
        yield
        self._stage = before

    def graph(self, cache: GraphCache, name: str, work: Works, *tensors: torch.Tensor) -> Any:
        """Count what a GPU would replay as one launch; stands in for ``GraphCache.several``."""
        del cache, name
        if sum(tensor.numel() for tensor in tensors) > MOST_VALUES:
            return work(*tensors)
        before, self._kind = self._kind, "in graphs"
        self.here["graphs"] += 1
        try:
            return work(*tensors)
        finally:
            self._kind = before

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        self.here[self._kind] += not (func.is_view or name in _ASKING)
        self.here["waits"] += name in _ASKING
        return func(*args, **(kwargs or {}))


@contextlib.contextmanager
def _fetches_heard(ops: _Ops) -> Iterator[None]:
    """Count what comes back to NumPy, each a wait on a GPU, and what would be a graph there."""
    plain, together, several = torch.Tensor.cpu, transfer.fetched, GraphCache.several
    users = [m for m in list(sys.modules.values()) if getattr(m, "fetched", None) is together]

    def cpu(tensor: torch.Tensor, *words: Any, **more: Any) -> torch.Tensor:
        ops.here["waits"] += 1
        return plain(tensor, *words, **more)

    def fetched(*tensors: torch.Tensor) -> Any:
        ops.here["waits"] += 1
        return together(*tensors)

    def graphed(cache: GraphCache, *words: Any) -> Any:
        return ops.graph(cache, *words)

    try:
        GraphCache.several = graphed  # type: ignore[method-assign, assignment]
        torch.Tensor.cpu = cpu  # type: ignore[method-assign, assignment]
        for module in users:
            setattr(module, "fetched", fetched)  # noqa: B010
        yield
    finally:
        torch.Tensor.cpu = plain  # type: ignore[method-assign]
        GraphCache.several = several  # type: ignore[method-assign]
        for module in users:
            setattr(module, "fetched", together)  # noqa: B010


def _on_cpu(convert: Callable[[Reporter], None]) -> dict[str, dict[str, int]]:
    ops = _Ops()
    with _fetches_heard(ops), ops:
        convert(_Marked(ops.enter))
    return {name: dict(inside) for name, inside in ops.found.items()}
