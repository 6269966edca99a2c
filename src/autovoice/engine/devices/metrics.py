"""What NVIDIA's management library tells of the GPUs; nothing where there is none."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class GpuReading:
    """One GPU now; ``utilisation`` is a share, 0 to 1."""

    index: int
    memory_used_bytes: float
    memory_bytes: float
    utilisation: float
    temperature_celsius: float
    power_watts: float


def gpu_readings(library: Any = None) -> Sequence[GpuReading]:
    """Read all GPUs.

    Args:
        library: ``pynvml``, or what stands for it. Default: the installed one.
    """
    library = library or _installed()
    if library is None:
        return ()
    try:
        library.nvmlInit()
        return [_read(library, index) for index in range(library.nvmlDeviceGetCount())]
    except library.NVMLError:
        return ()


def free_bytes_of(uuid: str, library: Any = None) -> int | None:
    """Return the free memory of one GPU; None where that cannot be told.

    Args:
        uuid: ``GPU-...``: numbers of the driver are not those of CUDA.
        library: see ``gpu_readings``.
    """
    library = library or _installed()
    if library is None:
        return None
    try:
        library.nvmlInit()
        handle = library.nvmlDeviceGetHandleByUUID(uuid)
        return int(library.nvmlDeviceGetMemoryInfo(handle).free)
    except library.NVMLError:
        return None


def _installed() -> Any:
    """Return NVIDIA's library where it is installed (``pip install nvidia-ml-py``)."""
    try:
        return importlib.import_module("pynvml")
    except ImportError:
        return None


def _read(library: Any, index: int) -> GpuReading:
    handle = library.nvmlDeviceGetHandleByIndex(index)
    memory = library.nvmlDeviceGetMemoryInfo(handle)
    return GpuReading(
        index=index,
        memory_used_bytes=float(memory.used),
        memory_bytes=float(memory.total),
        utilisation=library.nvmlDeviceGetUtilizationRates(handle).gpu / 100,
        temperature_celsius=float(
            library.nvmlDeviceGetTemperature(handle, library.NVML_TEMPERATURE_GPU)
        ),
        power_watts=library.nvmlDeviceGetPowerUsage(handle) / 1000,
    )
