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


def cpu_fields(info: Path = Path("/proc/cpuinfo")) -> dict[str, str]:
    """Return what Linux tells of the first processor by name; nothing elsewhere.

    Args:
        info: where it is told.
    """
    try:
        lines = info.read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    told: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        told.setdefault(name.strip(), value.strip())
    return told


def cpu_model(info: Path = Path("/proc/cpuinfo")) -> str:
    """Return the processor's name as its maker writes it.

    Args:
        info: where Linux tells it; elsewhere the platform's own word is taken.
    """
    return cpu_fields(info).get("model name") or platform.processor() or platform.machine()
