"""Between arrays and a device: through page-locked memory, one copy each way for a pass.

A copy from ordinary memory makes the processor wait for all that the device was asked before, and
every copy costs some microseconds, however small. So all that goes up lies in one buffer, and all
that comes back in another. On the CPU nothing is copied that need not be.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from autovoice.nn import residence
from autovoice.nn.graphs import GraphCache, Works
from autovoice.types import FloatArray

# Parts of a buffer begin at multiples of so many words of 4 bytes, as kernels read whole lines.
_ALIGNED = 64
_ARRAYS: dict[torch.dtype, type[np.generic]] = {
    torch.float32: np.float32,
    torch.float64: np.float64,
    torch.int32: np.int32,
    torch.int64: np.int64,
}


@dataclass(frozen=True, eq=False)
class Rows:
    """Arrays of one shape as one tensor, filled up with zeros at their ends.

    Args:
        rows: ``[..., n]`` float32 each, at least one.
        length: of the tensor's last axis, at least ``n``.
    """

    rows: Sequence[FloatArray]
    length: int

    @property
    def kind(self) -> tuple[torch.dtype, tuple[int, ...]]:
        """Type and shape of the tensor, ``[B, ..., length]``."""
        return torch.float32, (len(self.rows), *self.rows[0].shape[:-1], self.length)

    def write(self, values: NDArray[Any]) -> None:
        """Write all to an array of the tensor's shape."""
        for value, row in zip(values, self.rows, strict=True):
            if row.shape == value.shape:
                value[...] = row
            else:
                value[..., : row.shape[-1]] = row
                value[..., row.shape[-1] :] = 0

    def kept(self, device: torch.device) -> Tensor | None:
        """Return the tensor where all rows are on the device already."""
        found = [residence.of(row, device) for row in self.rows]
        there = [row for row in found if row is not None]
        if len(there) < len(found):
            return None
        if any(row.shape[-1] < self.length for row in there):
            there = [F.pad(row, (0, self.length - row.shape[-1])) for row in there]
        return torch.stack(there)


@dataclass(frozen=True, eq=False)
class Numbers:
    """A few numbers as a tensor, ``[N]``."""

    values: Sequence[int] | Sequence[float]
    dtype: torch.dtype

    @property
    def kind(self) -> tuple[torch.dtype, tuple[int, ...]]:
        """Type and shape of the tensor."""
        return self.dtype, (len(self.values),)

    def write(self, values: NDArray[Any]) -> None:
        """Write all to an array of the tensor's shape."""
        values[:] = self.values

    def kept(self, _device: torch.device) -> Tensor | None:
        """Return nothing: numbers are nowhere."""
        return None


Part = Rows | Numbers


@dataclass(frozen=True)
class Place:
    """Where a tensor lies in a buffer of 4-byte words; ``first`` None: not in it."""

    first: int | None
    dtype: torch.dtype
    shape: tuple[int, ...]

    @property
    def words(self) -> int:
        """How many words it takes."""
        return -(-math.prod(self.shape) * self.dtype.itemsize // 4)

    def of(self, buffer: Tensor) -> Tensor:
        """Return it as a view of the buffer."""
        first = self.first or 0
        words = buffer[first : first + self.words]
        typed = words if self.dtype == buffer.dtype else words.view(self.dtype)
        return typed.view(self.shape)

    def within(self, words: NDArray[np.float32]) -> NDArray[Any]:
        """Return it as a view of a buffer's array: several times quicker than by tensors."""
        first = self.first or 0
        return words[first : first + self.words].view(_ARRAYS[self.dtype]).reshape(self.shape)


@dataclass(frozen=True)
class Passed:
    """What a pass left on its device.

    Args:
        tensors: its results.
        buffer: one tensor that holds them all, where there is one.
        places: of the results in that.
    """

    tensors: tuple[Tensor, ...]
    buffer: Tensor | None = None
    places: tuple[Place, ...] = ()

    def arrays(self) -> tuple[NDArray[Any], ...]:
        """Return the results as arrays of their own memory, after a single wait."""
        # Copies: page-locked memory is dear, and who holds a song must not hold it.
        return tuple(view.copy() for view in self.views())

    def views(self) -> tuple[NDArray[Any], ...]:
        """Return the results as arrays, after a single wait; who keeps a part copies that."""
        if not apart(self.tensors[0].device):
            return tuple(tensor.numpy() for tensor in self.tensors)
        buffer, places = self.buffer, self.places
        if buffer is None:
            buffer, places = packed(self.tensors)
        words = _down(buffer).numpy()
        return tuple(place.within(words) for place in places)


def uploaded(device: torch.device, *parts: Part) -> tuple[Tensor, ...]:
    """Return parts as tensors on a device; what is not there yet goes up in one copy."""
    places, kept = _placed(parts, device)
    buffer = _filled(parts, places, device)
    return _views(buffer, places, kept)


def stacked(rows: Sequence[FloatArray], length: int, device: torch.device) -> Tensor:
    """Return arrays of one shape as one tensor on a device, see ``Rows``."""
    return uploaded(device, Rows(rows, length))[0]


def through(
    graphs: GraphCache, name: str, work: Works, device: torch.device, *parts: Part
) -> Passed:
    """Run work on parts: one copy up, one graph, and one copy down when its arrays are asked for.

    Args:
        graphs: of the stage; see there what work may do.
        name: of the work; one name, one work.
        work: tensors on the device, one for each part, to a tuple of tensors.
        device: where.
        parts: what it works on.
    """
    if not apart(device):
        return Passed(graphs.several(name, work, *uploaded(device, *parts)))
    places, kept = _placed(parts, device)
    buffer = _filled(parts, places, device)
    # One name has many shapes, and each lies otherwise in the buffer.
    key = (name, places)

    def whole(buffer: Tensor, *there: Tensor) -> tuple[Tensor]:
        joined, found = packed(work(*_views(buffer, places, there)))
        # A graph that is replayed does not come here again: its results lie as they did.
        graphs.results[key] = found
        return (joined,)

    (made,) = graphs.several(key, whole, buffer, *kept)
    found: tuple[Place, ...] = graphs.results[key]
    return Passed(tuple(place.of(made) for place in found), made, found)


def packed(tensors: Sequence[Tensor]) -> tuple[Tensor, tuple[Place, ...]]:
    """Return tensors of 4 and 8-byte numbers as one of 4-byte words, and where each lies in it.

    Raises:
        ValueError: numbers of another size.
    """
    first, firsts = 0, {}
    # The wide ones first, so that all lie at multiples of their size.
    order = sorted(range(len(tensors)), key=lambda index: -tensors[index].dtype.itemsize)
    for index in order:
        if tensors[index].dtype.itemsize not in (4, 8):
            raise ValueError(f"transfer: found {tensors[index].dtype}, expected 4 or 8 bytes")
        firsts[index] = first
        first += tensors[index].numel() * tensors[index].dtype.itemsize // 4
    words = [tensors[index].contiguous().view(-1).view(torch.float32) for index in order]
    places = tuple(
        Place(firsts[index], tensor.dtype, tuple(tensor.shape))
        for index, tensor in enumerate(tensors)
    )
    return torch.cat(words), places


def fetched(*tensors: Tensor) -> tuple[NDArray[Any], ...]:
    """Return tensors of one device as arrays of their own memory, after a single wait."""
    return Passed(tensors).arrays()


def _placed(
    parts: Sequence[Part], device: torch.device
) -> tuple[tuple[Place, ...], tuple[Tensor, ...]]:
    """Return where each part goes in a buffer, and those that are on the device already."""
    first, places, there = 0, [], []
    for part in parts:
        kept = part.kept(device) if apart(device) else None
        place = Place(None if kept is not None else first, *part.kind)
        if kept is None:
            first += _aligned(place.words)
        else:
            there.append(kept)
        places.append(place)
    return tuple(places), tuple(there)


def _filled(parts: Sequence[Part], places: Sequence[Place], device: torch.device) -> Tensor:
    """Return the buffer of all parts that have a place in it, on the device."""
    size = sum(_aligned(place.words) for place in places if place.first is not None)
    staged = torch.empty(size, pin_memory=device.type == "cuda")
    words = staged.numpy()
    for part, place in zip(parts, places, strict=True):
        if place.first is not None:
            part.write(place.within(words))
    return _up(staged, device) if apart(device) and size else staged


def _aligned(words: int) -> int:
    return -(-words // _ALIGNED) * _ALIGNED


def _views(buffer: Tensor, places: Sequence[Place], kept: Sequence[Tensor]) -> tuple[Tensor, ...]:
    there = iter(kept)
    return tuple(next(there) if place.first is None else place.of(buffer) for place in places)


def apart(device: torch.device) -> bool:
    """Whether a device has memory of its own."""
    return device.type != "cpu"


def _up(staged: Tensor, device: torch.device) -> Tensor:
    """Copy to a device, without waiting."""
    return staged.to(device, non_blocking=True)


def _down(buffer: Tensor) -> Tensor:
    """Copy from a device and wait for it."""
    staged = torch.empty(buffer.shape, dtype=buffer.dtype, pin_memory=buffer.is_cuda)
    staged.copy_(buffer, non_blocking=True)
    if buffer.is_cuda:
        torch.cuda.current_stream(buffer.device).synchronize()
    return staged
