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
    if library is None:
        try:
            library = importlib.import_module("pynvml")
        except ImportError:
            return ()
    try:
        library.nvmlInit()
        return [_read(library, index) for index in range(library.nvmlDeviceGetCount())]
    except library.NVMLError:
        return ()


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
