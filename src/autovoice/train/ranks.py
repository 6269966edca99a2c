"""Several GPUs of one machine as one: each draws its own batches, the gradients are averaged.

    torchrun --standalone --nproc-per-node 4 -m autovoice.train.loop --data DATA --out OUT ...

Every process holds the whole model and takes the same step, so only what is random differs.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

# Draws of different processes start so far apart.
_SEED_STRIDE = 1_000_003


@dataclass(frozen=True)
class Ranks:
    """Who takes part in a training.

    Args:
        rank: of this process, 0 to ``count`` - 1; the first one reports and saves.
        count: of processes.
        host: a group that meets on the CPU, so that a number can be agreed on without asking the
            device for it.
    """

    rank: int = 0
    count: int = 1
    host: Any = field(default=None, repr=False)

    @property
    def first(self) -> bool:
        """Whether this process speaks for all."""
        return self.rank == 0

    @property
    def seed_offset(self) -> int:
        """Return what to add to a seed, so that processes draw differently."""
        return self.rank * _SEED_STRIDE

    def agree(self, value: float) -> float:
        """Return the first process' value."""
        if self.count == 1:
            return value
        told = torch.tensor([value], dtype=torch.float64)
        torch.distributed.broadcast(told, 0, group=self.host)
        return float(told)

    def average(self, tensors: Iterable[Tensor]) -> None:
        """Replace each tensor by its mean over the processes, all in one message."""
        kept = list(tensors)
        if self.count == 1 or not kept:
            return
        flat = torch.cat([value.flatten() for value in kept])
        torch.distributed.all_reduce(flat)
        flat /= self.count
        means = torch.split(flat, [value.numel() for value in kept])
        torch._foreach_copy_(kept, [m.view_as(v) for m, v in zip(means, kept, strict=True)])

    def close(self) -> None:
        """Leave the group, once everybody is through: the first may still be writing."""
        if self.count > 1:
            torch.distributed.barrier(group=self.host)
            torch.distributed.destroy_process_group()


def join(device: str) -> tuple[Ranks, str]:
    """Join the processes that torchrun started, and return this one's device.

    Without torchrun there is one process, and the device is the one asked for.
    """
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        return Ranks(), device
    cuda = device.startswith("cuda")
    if cuda:
        device = f"cuda:{int(os.environ['LOCAL_RANK'])}"
        torch.cuda.set_device(device)
    torch.distributed.init_process_group("nccl" if cuda else "gloo")
    host = torch.distributed.new_group(backend="gloo")
    return Ranks(torch.distributed.get_rank(), count, host), device
