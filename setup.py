"""Carry ``models/`` in wheels as ``autovoice/_models/``, and build the CUDA kernels if asked to.

``AUTOVOICE_CUDA``: ``auto`` (default) builds ``csrc/`` where nvcc and PyTorch are, ``0`` never,
``1`` says what is missing. It needs ``--no-build-isolation``: ``scripts/build.sh`` does all of it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
MODELS = ROOT / "models"
ARCHITECTURES = (70, 75, 80, 86, 89, 90, 100, 120)
TARGET = "-DTORCH_TARGET_VERSION=0x020a000000000000"  # the oldest stable ABI that is enough: 2.10


class BuildWithModels(build_py):
    """Copy the models beside the modules."""

    def run(self) -> None:
        """Build, then put the models where ``autovoice.weights`` looks for them."""
        super().run()
        if not self.editable_mode and MODELS.is_dir():
            target = Path(self.build_lib) / "autovoice" / "_models"
            shutil.rmtree(target, ignore_errors=True)  # what an earlier build left
            shutil.copytree(MODELS, target, ignore=shutil.ignore_patterns(".*"))


def toolkit() -> Path | None:
    """Return the folder of the CUDA toolkit that nvcc belongs to."""
    nvcc = Path(shutil.which("nvcc") or "nvcc").resolve()
    places = (os.environ.get("CUDA_HOME", "-"), nvcc.parents[1], "/usr/local/cuda")
    complete = (p for p in map(Path, places) if (p / "include/cuda_runtime.h").exists())
    return next(complete, None)


def architectures(nvcc: Path) -> str:
    """Return those of nvcc's own that are wanted, with PTX of the newest, as PyTorch says it."""
    listed = subprocess.run([nvcc, "--list-gpu-arch"], capture_output=True, text=True, check=True)
    known = {int(number) for number in re.findall(r"compute_(\d+)", listed.stdout)}
    return ";".join(f"{n // 10}.{n % 10}" for n in ARCHITECTURES if n in known) + "+PTX"


def kernels() -> dict[str, Any]:
    """Return what ``setup`` needs to build the kernels; nothing where they are not to be built."""
    home, wish = toolkit(), os.environ.get("AUTOVOICE_CUDA", "auto")
    if wish not in {"auto", "0", "1"}:
        raise SystemExit(f"AUTOVOICE_CUDA: found {wish!r}, expected auto, 0 or 1")
    try:
        from torch.utils import cpp_extension as build
    except ImportError:  # an isolated build: without PyTorch there is nothing to build against
        home = None
    if home is None and wish == "1":
        raise SystemExit(
            "AUTOVOICE_CUDA=1: nvcc or PyTorch is missing; scripts/build.sh says which"
        )
    if home is None or wish == "0":
        return {}
    build.CUDA_HOME = str(home)  # a CPU build looks for no toolkit, and its headers are as good
    os.environ.setdefault("TORCH_CUDA_ARCH_LIST", architectures(home / "bin/nvcc"))
    sources = sorted(f"csrc/{path.name}" for path in ROOT.glob("csrc/*.cu"))
    flags = {"cxx": ["-O2", TARGET], "nvcc": ["-O3", "-std=c++20", "-DUSE_CUDA", TARGET]}
    links = ["-Wl,--no-as-needed", "-ltorch", "-Wl,--allow-shlib-undefined"]
    extension = build.CUDAExtension(
        "autovoice._cuda", sources, py_limited_api=True, extra_compile_args=flags,
        extra_link_args=links,
    )  # fmt: skip
    # libtorch finds its CUDA part when the library is loaded; a CPU build to link with has none.
    extension.libraries = [name for name in extension.libraries if not name.endswith("_cuda")]
    command = build.BuildExtension.with_options(no_python_abi_suffix=True)
    options = {"bdist_wheel": {"py_limited_api": "cp310"}}
    return {"ext_modules": [extension], "cmdclass": {"build_ext": command}, "options": options}


built = kernels()
setup(**built | {"cmdclass": {"build_py": BuildWithModels} | built.get("cmdclass", {})})
