"""Hear every op that PyTorch runs, and know which of them make the processor wait for a device."""

from __future__ import annotations

from torch.utils._python_dispatch import TorchDispatchMode

# What asks the device, and would stop a capture.
ASKING = ("_local_scalar_dense", "item", "nonzero", "masked_select", "is_nonzero", "unique")


class HeardOps(TorchDispatchMode):
    """Hear every op."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        self.names.append(func.overloadpacket.__name__)
        return func(*args, **(kwargs or {}))
