"""Arrays that were made on a device and still lie there: the next pass need not send them up.

Only what its maker names is kept, until it is let go of or nobody holds the array any more, and
only the last few tens of megabytes.
"""

from __future__ import annotations

import threading
import weakref
from collections import OrderedDict
from typing import TYPE_CHECKING

from autovoice.types import FloatArray

if TYPE_CHECKING:
    import torch
    from torch import Tensor

# What 64 stems of 1 s in stereo take, three times over.
MOST_BYTES = 64 << 20


class Residence:
    """Tensors by the arrays that hold the same; safe to use from several threads.

    Args:
        most_bytes: beyond that the oldest go.
    """

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self.most_bytes = most_bytes
        self._kept: OrderedDict[int, Tensor] = OrderedDict()
        self._bytes = 0
        self._lock = threading.RLock()

    def __len__(self) -> int:
        return len(self._kept)

    def keep(self, array: FloatArray, tensor: Tensor) -> None:
        """Remember where an array lies on a device.

        Args:
            array: nobody may write to it until it is let go of.
            tensor: the same values; memory of its own.
        """
        size = tensor.numel() * tensor.element_size()
        if size > self.most_bytes:
            return
        number = id(array)
        # Let go of with the array, before another one can have its number.
        weakref.finalize(array, self.forget, number).atexit = False
        with self._lock:
            self.forget(number)
            self._kept[number] = tensor
            self._bytes += size
            while self._bytes > self.most_bytes:
                self.forget(next(iter(self._kept)))

    def of(self, array: FloatArray, device: torch.device) -> Tensor | None:
        """Return the tensor of an array, where it lies on a device."""
        with self._lock:
            tensor = self._kept.get(id(array))
        return tensor if tensor is not None and same(tensor.device, device) else None

    def release(self, array: FloatArray) -> None:
        """Let go of an array, which then may be written to again; one that is not kept is fine."""
        self.forget(id(array))

    def forget(self, number: int) -> None:
        """Let go of what lies there for the array with an ``id``."""
        with self._lock:
            tensor = self._kept.pop(number, None)
            if tensor is not None:
                self._bytes -= tensor.numel() * tensor.element_size()


def same(one: torch.device, other: torch.device) -> bool:
    """Tell whether two names mean one device; ``cuda`` is the current one."""
    if one.type != other.type:
        return False
    if one.type == "cpu" or one.index == other.index:
        return True
    import torch  # here, so that a process without networks can import the engine

    current = torch.cuda.current_device()
    return (current if one.index is None else one.index) == (
        current if other.index is None else other.index
    )


_RESIDENCE = Residence()
keep, of, release = _RESIDENCE.keep, _RESIDENCE.of, _RESIDENCE.release
