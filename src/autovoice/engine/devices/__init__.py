"""Devices: which to use, how much memory there is, how they are doing."""

from __future__ import annotations

from autovoice.engine.devices.choose import Choice, choose, working_gpus
from autovoice.engine.devices.metrics import GpuReading, gpu_readings
from autovoice.engine.devices.room import (
    LEAST_VRAM_BYTES,
    cap_memory,
    free_bytes,
    make_current,
    out_of_memory,
    release,
    room_bytes,
)

__all__ = [
    "LEAST_VRAM_BYTES",
    "Choice",
    "GpuReading",
    "cap_memory",
    "choose",
    "free_bytes",
    "gpu_readings",
    "make_current",
    "out_of_memory",
    "release",
    "room_bytes",
    "working_gpus",
]
