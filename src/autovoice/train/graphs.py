"""Replay a training step as one CUDA graph.

A step is some ten thousand small kernels: launched one by one they keep the device waiting for
the processor (measured: 180 ms a step of which 60 ms were kernels). Captured once, they are
launched together.

What is captured must always do the same: shapes, branches and host numbers are frozen. Chance
comes from generators that the graph knows; whatever changes comes in through the inputs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any, TypeVar

import torch
from torch import Tensor

Inputs = TypeVar("Inputs")
Step = Callable[..., dict[str, Tensor]]
WARM_UPS = 3


class GraphedStep:
    """A step that was captured with example inputs.

    Args:
        step: takes dataclasses of tensors, returns scalars by name. It may back-propagate into
            gradients that exist already and step an optimiser that is ``capturable``.
        examples: inputs of the shapes that will come.
        chance: a generator that the step draws from, besides the device's own.
        pool: memory shared with other steps that never run at the same time. Default: its own.

    Raises:
        RuntimeError: the step asks the device something, which a graph cannot hold.
    """

    def __init__(
        self, step: Step, *examples: Any, chance: torch.Generator, pool: Any = None
    ) -> None:
        self.inputs = [_copied(example) for example in examples]
        beside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        beside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(beside):
            for _ in range(WARM_UPS):
                step(*self.inputs)
        torch.cuda.current_stream().wait_stream(beside)
        torch.cuda.synchronize()
        torch.cuda.empty_cache()  # the graph's memory is its own
        self.graph = torch.cuda.CUDAGraph()
        self.graph.register_generator_state(chance)
        # Other threads (NCCL's watchdog) may ask the device things while this one captures.
        with torch.cuda.graph(self.graph, pool=pool, capture_error_mode="thread_local"):
            self.losses = step(*self.inputs)

    def __call__(self, *values: Any) -> dict[str, Tensor]:
        """Run the step on other inputs of the same shapes."""
        for kept, value in zip(self.inputs, values, strict=True):
            for field in fields(kept):
                getattr(kept, field.name).copy_(getattr(value, field.name))
        self.graph.replay()
        # Copies, since another step may use the memory that these lie in.
        return {name: value.clone() for name, value in self.losses.items()}


def _copied(example: Inputs) -> Inputs:
    copies = {field.name: getattr(example, field.name).clone() for field in fields(example)}  # type: ignore[arg-type]
    return replace(example, **copies)  # type: ignore[type-var]
