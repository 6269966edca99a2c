"""What a figure was measured on and with."""

from __future__ import annotations

import datetime
import platform
from importlib import metadata

from autovoice.engine.machine import cpu_model, usable_cores


def facts(device: str) -> dict[str, str]:
    """Describe machine and versions."""
    import torch

    found = {
        "machine": f"{cpu_model()}, {usable_cores()} cores",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "versions": f"Python {platform.python_version()}, torch {torch.__version__}, "
        f"autovoice {_version()}",
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
