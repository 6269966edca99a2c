"""What a run was made on and with: a figure without it means nothing."""

from __future__ import annotations

import datetime
import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[4]
PACKAGES = ("autovoice", "torch", "numpy", "ctranslate2")


def about_run(device: str, command: str, root: Path = _ROOT) -> dict[str, str]:
    """Describe machine, versions, commit, date, and the command that repeats a run.

    Args:
        device: where the networks ran, such as ``cpu`` or ``cuda:0``.
        command: what was typed.
        root: folder of the source code; installed packages have no commit.
    """
    return {
        "machine": f"{_processor(device)}, {_cores()} cores, {platform.system()}",
        "device": device,
        "versions": ", ".join([f"Python {platform.python_version()}", *map(_version, PACKAGES)]),
        "commit": commit(root),
        "date": datetime.datetime.now(datetime.timezone.utc).date().isoformat(),
        "command": command,
    }


def commit(root: Path = _ROOT) -> str:
    """Return the commit of the source code, and say where it differs; ``unknown`` without git."""
    if not (root / ".git").exists():
        return "unknown"
    head = _git(root, "rev-parse", "--short", "HEAD")
    if not head:
        return "unknown"
    changed = _git(root, "status", "--porcelain", "--untracked-files=no", "--", "src", "models")
    return f"{head} with changes" if changed else head


def _git(root: Path, *words: str) -> str:
    try:
        done = subprocess.run(
            ["git", *words], cwd=root, capture_output=True, text=True, check=False, timeout=30
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _version(package: str) -> str:
    try:
        return f"{package} {metadata.version(package)}"
    except metadata.PackageNotFoundError:
        return f"no {package}"


def _processor(device: str, info: Path = Path("/proc/cpuinfo")) -> str:
    if device.startswith("cuda"):
        import torch

        return str(torch.cuda.get_device_name(device))
    try:
        lines = info.read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, "") or platform.processor() or platform.machine()


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
