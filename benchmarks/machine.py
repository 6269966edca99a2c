"""What a measurement was made on and with: a figure without it means nothing."""

from __future__ import annotations

import datetime
import os
import platform
from importlib import metadata
from pathlib import Path

from autovoice.bench.facts import commit
from autovoice.engine.machine import cpu_model, usable_cores

ROOT = Path(__file__).resolve().parents[1]


def about(command: str, root: Path = ROOT) -> dict[str, str]:
    """Describe machine, versions, commit, date, and the command that repeats a measurement.

    Torch is asked for its version without being imported, so that this process stays small:
    the memory of a child is measured from that of its parent upwards.
    """
    return {
        "machine": f"{cpu_model()}, {usable_cores()} cores used, {memory_gb():.0f} GB of memory",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "versions": f"Python {platform.python_version()}, torch {metadata.version('torch')}, "
        f"autovoice {metadata.version('autovoice')}",
        "commit": commit(root),
        "date": datetime.datetime.now(datetime.timezone.utc).date().isoformat(),
        "command": f"`{command}`",
    }


def use_cores(wanted: int) -> None:
    """Keep this process and its children to the first ``wanted`` cores, where that is possible."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:wanted])


def memory_gb() -> float:
    """Return the machine's memory in GB (1e9 bytes)."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
