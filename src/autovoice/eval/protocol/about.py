"""What a run was made on and with: a figure without it means nothing."""

from __future__ import annotations

import datetime
import hashlib
import json
import platform
import subprocess
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from autovoice import weights
from autovoice.engine.machine import cpu_model, usable_cores
from autovoice.weights.files import sha256_of

_ROOT = Path(__file__).resolve().parents[4]
# Of these a change makes another program.
CODE = ("src", "models")
PACKAGES = ("autovoice", "torch", "numpy", "ctranslate2")


def about_run(device: str, command: str, root: Path = _ROOT) -> dict[str, str]:
    """Describe machine, versions, commit, date, and the command that repeats a run.

    Args:
        device: where the networks ran, such as ``cpu`` or ``cuda:0``.
        command: what was typed.
        root: folder of the source code; installed packages have no commit.
    """
    return {
        "machine": f"{_processor(device)}, {usable_cores()} cores, {platform.system()}",
        "device": device,
        "versions": ", ".join([f"Python {platform.python_version()}", *map(_version, PACKAGES)]),
        "commit": commit(root),
        "date": datetime.datetime.now(datetime.timezone.utc).date().isoformat(),
        "command": command,
    }


def made_with(device: str) -> str:
    """Return sixteen hex digits that change with the device and with any model in use.

    Bundled models are read, which takes a part of a second; of fetched ones the listed sums count.

    Args:
        device: where the networks run, such as ``cpu`` or ``cuda:0``.

    Raises:
        WeightsError: a bundled model is missing.
    """
    known = weights.registry()
    fetched = {*weights.needed_by("convert"), *weights.needed_by("eval")}
    bundled = sorted(weights.bundled_index())
    return short_digest(
        device,
        *(f"{name} {sha256_of(weights.bundled(name))}" for name in bundled),
        *(f"{name} {known[name].content_key}" for name in sorted(fetched)),
    )


def short_digest(*parts: str) -> str:
    """Return sixteen hex digits that change with any of the parts."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def commit(root: Path = _ROOT, folders: Sequence[str] = CODE, *, untracked: bool = False) -> str:
    """Return the commit of the source code, and say where it differs.

    Args:
        root: its folder; what is not the top of a checkout, such as an installed wheel, is
            ``unknown``, as all is without git.
        folders: in which a change counts.
        untracked: whether files that git does not know count.
    """
    if not (root / ".git").exists():
        return "unknown"
    head = _git(root, "rev-parse", "--short", "HEAD")
    if not head:
        return "unknown"
    files = f"--untracked-files={'normal' if untracked else 'no'}"
    changed = _git(root, "status", "--porcelain", files, "--", *folders)
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


def _processor(device: str) -> str:
    if device.startswith("cuda"):
        import torch

        return str(torch.cuda.get_device_name(device))
    return cpu_model()
