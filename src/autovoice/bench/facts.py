"""What a figure was measured on and with."""

from __future__ import annotations

import datetime
import platform
from importlib import metadata
from pathlib import Path

from autovoice.engine.machine import cpu_model, usable_cores
from autovoice.eval.protocol import about

ROOT = Path(__file__).resolve().parents[3]


def facts(device: str) -> dict[str, str]:
    """Describe machine, versions and commit."""
    import torch

    found = {
        "machine": f"{cpu_model()}, {usable_cores()} cores",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "versions": f"Python {platform.python_version()}, torch {torch.__version__}, "
        f"autovoice {_version()}",
        "commit": commit(ROOT),
        "date": datetime.datetime.now(datetime.timezone.utc).date().isoformat(),
    }
    if device.startswith("cuda"):
        gpu = torch.cuda.get_device_properties(device)
        found["gpu"] = f"{gpu.name}, {gpu.total_memory / 2**30:.0f} GiB, CUDA {torch.version.cuda}"
    return found


def _version() -> str:
    try:
        return metadata.version("autovoice")
    except metadata.PackageNotFoundError:
        return "from its sources"


def commit(root: Path) -> str:
    """Return the commit, and say where the code that was measured, or measures, differs from it.

    ``unknown`` where ``root`` is not the top of a checkout, as with an installed wheel.
    """
    return about.commit(root, (*about.CODE, "benchmarks"), untracked=True)
