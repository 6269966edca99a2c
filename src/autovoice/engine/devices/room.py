"""Memory of a device: how much is free, how to stay under a cap, what to do when it is full."""

from __future__ import annotations

import logging

from autovoice.config import format_bytes
from autovoice.engine.devices.metrics import free_bytes_of
from autovoice.errors import InputError, ResourceError

log = logging.getLogger(__name__)
LEAST_VRAM_BYTES = 1 << 30
# Under less, passes need what graphs would hold for themselves.
LEAST_WITH_GRAPHS_BYTES = 2 << 30
# Of the free memory, so much may be counted on: pieces of it are too small to be used.
_USABLE = 0.8
# On the CPU larger batches are not faster, so that this is enough.
_CPU_ROOM_BYTES = 1 << 30


def free_bytes(index: int) -> int | None:
    """Return the free memory of a GPU; None where nobody tells.

    NVML is asked first: unlike CUDA it takes no memory on a GPU only to ask.
    """
    import torch

    try:
        uuid = getattr(torch.cuda.get_device_properties(index), "uuid", None)
        free = None if uuid is None else free_bytes_of(f"GPU-{uuid}")
        return torch.cuda.mem_get_info(index)[0] if free is None else free
    except (RuntimeError, AssertionError) as error:
        log.debug("the free memory of cuda:%d is not known: %s", index, error)
        return None


def room_bytes(device: str) -> int:
    """Return what the next pass may take on a device, without a cap."""
    if not device.startswith("cuda"):
        return _CPU_ROOM_BYTES
    import torch

    free, _ = torch.cuda.mem_get_info(device)
    # What PyTorch holds and does not use is free to the next pass.
    held = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return round(_USABLE * (free + held))


def cap_memory(device: str, vram_bytes: int | None) -> None:
    """Hold this process under ``vram_bytes`` of GPU memory; nothing to do on the CPU.

    The cap is on what PyTorch allocates. CUDA's own context comes on top. Under a cap of less than
    2 GiB nothing is captured in graphs any more.

    Raises:
        InputError: the cap is under what the models alone need.
    """
    if vram_bytes is None or not device.startswith("cuda"):
        return
    if vram_bytes < LEAST_VRAM_BYTES:
        raise InputError(
            f"vram: found {format_bytes(vram_bytes)}, expected at least "
            f"{format_bytes(LEAST_VRAM_BYTES)}; use --device cpu instead"
        )
    import torch

    total = torch.cuda.get_device_properties(device).total_memory
    torch.cuda.set_per_process_memory_fraction(min(1.0, vram_bytes / total), device)
    if vram_bytes < LEAST_WITH_GRAPHS_BYTES:
        from autovoice.nn import graphs

        graphs.forbid(torch.device(device))


def out_of_memory(error: BaseException) -> bool:
    """Tell whether an error of a stage means that its device has too little memory left."""
    from autovoice.nn.shortage import is_out_of_memory

    return isinstance(error, ResourceError) or is_out_of_memory(error)


def release(device: str) -> None:
    """Give back GPU memory that is cached and not in use: after a failed try, after building."""
    if device.startswith("cuda"):
        import torch

        torch.cuda.empty_cache()


def make_current(device: str) -> None:
    """Let a GPU be the one that this thread's own streams and graphs are made on."""
    if device.startswith("cuda"):
        import torch

        torch.cuda.set_device(device)
