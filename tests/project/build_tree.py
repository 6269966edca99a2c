"""A copy of what a package is built of, and builds in it: nothing is built in the checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "LICENSE", "NOTICE",
           "THIRD_PARTY.md", "src", "csrc", "scripts", "models")  # fmt: skip
NVCC = shutil.which("nvcc") or shutil.which("nvcc", path="/usr/local/cuda/bin")
needs_nvcc = pytest.mark.skipif(NVCC is None, reason="no nvcc: nothing can be compiled here")
BUILD = """
import sys
for name in {blocked!r}:
    sys.modules[name] = None
from setuptools import build_meta
print(build_meta.build_{what}({out!r}))
"""


def copied(folder: Path, without: Sequence[str] = ()) -> Path:
    """Copy the sources into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    leave = shutil.ignore_patterns("__pycache__", "*.egg-info", "*.so")
    for name in SOURCES:
        if name in without:
            continue
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=leave)
        else:
            shutil.copy(ROOT / name, folder / name)
    return folder


def build(
    what: str, tree: Path, out: Path, *, cuda: str, blocked: Sequence[str] = ()
) -> subprocess.CompletedProcess[str]:
    """Run the build backend as pip does, without a network.

    Args:
        what: ``wheel``, ``editable`` or ``sdist``.
        tree: where ``copied`` put the sources.
        out: folder for the result.
        cuda: ``AUTOVOICE_CUDA``.
        blocked: modules that cannot be imported, as in an isolated build.
    """
    code = BUILD.format(blocked=list(blocked), what=what, out=str(out))
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=tree,
        env={**os.environ, "AUTOVOICE_CUDA": cuda},
        capture_output=True,
        text=True,
        check=False,
    )


def built(what: str, tree: Path, out: Path, *, cuda: str, blocked: Sequence[str] = ()) -> Path:
    """Return the file that ``build`` made."""
    done = build(what, tree, out, cuda=cuda, blocked=blocked)
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    return out / done.stdout.splitlines()[-1]
