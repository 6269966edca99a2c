"""What this process runs on."""

from __future__ import annotations

import os
import platform
from pathlib import Path


def usable_cores() -> int:
    """Return how many cores this process and its children may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cpu_model(info: Path = Path("/proc/cpuinfo")) -> str:
    """Return the processor's name as its maker writes it.

    Args:
        info: where Linux tells it; elsewhere the platform's own word is taken.
    """
    try:
        lines = info.read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, "") or platform.processor() or platform.machine()
