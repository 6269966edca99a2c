"""Carry ``models/`` in wheels as ``autovoice/_models/``, and build the CUDA kernels.

``AUTOVOICE_CUDA``: ``auto`` (default) builds ``csrc/`` where nvcc, a compiler and PyTorch are,
``0`` never, ``1`` or fails. It needs ``--no-build-isolation``: see ``scripts/build.sh``.
"""

import os
import re
import shutil
import subprocess
import zlib
from importlib.util import find_spec
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

MODELS = Path(__file__).resolve().parent / "models"
ARCHITECTURES = (70, 75, 80, 86, 89, 90, 100, 120)
TARGET = "-DTORCH_TARGET_VERSION=0x020a000000000000"  # the oldest stable ABI that is enough: 2.10


class BuildWithModels(build_py):
    """Copy the models beside the modules, where ``autovoice.weights`` looks for them."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode and MODELS.is_dir():
            target = Path(self.build_lib) / "autovoice" / "_models"
            shutil.rmtree(target, ignore_errors=True)  # what an earlier build left
            shutil.copytree(MODELS, target, ignore=shutil.ignore_patterns(".*"))


def toolkit() -> Path | None:
    """Return the folder of the CUDA toolkit: ``CUDA_HOME``, else nvcc's or the usual one."""
    named, nvcc = os.environ.get("CUDA_HOME"), Path(shutil.which("nvcc") or "nvcc").resolve()
    places = [Path(named)] if named else [nvcc.parents[1], Path("/usr/local/cuda")]
    whole = (p for p in places if (p / "bin/nvcc").exists() and (p / "include/cuda.h").exists())
    return next(whole, None)


def architectures(nvcc: Path) -> str:
    """Return those of nvcc's own that are wanted, with PTX of the newest, as PyTorch says it."""
    listed = subprocess.run([nvcc, "--list-gpu-arch"], capture_output=True, text=True, check=True)
    known = {int(number) for number in re.findall(r"compute_(\d+)", listed.stdout)}
    return ";".join(f"{n // 10}.{n % 10}" for n in ARCHITECTURES if n in known) + "+PTX"


def kernels() -> dict[str, object]:
    """Return what ``setup`` needs to build the kernels; nothing where they are not to be built."""
    wish = os.environ.get("AUTOVOICE_CUDA", "auto")
    # An isolated build has no PyTorch, so that there is nothing to build against.
    usable = shutil.which(os.environ.get("CXX", "c++")) and find_spec("torch")
    home = toolkit() if usable else None
    if wish == "0" or (wish == "auto" and home is None):
        return {}
    if home is None or wish not in {"auto", "1"}:
        raise SystemExit(f"AUTOVOICE_CUDA={wish}: expected auto, 0, or 1 and what build.sh checks")
    from torch.utils import cpp_extension as build

    build.CUDA_HOME = str(home)  # a CPU build looks for no toolkit, and its headers are as good
    os.environ.setdefault("TORCH_CUDA_ARCH_LIST", architectures(home / "bin/nvcc"))
    sources, headers = (sorted(map(str, Path("csrc").glob(f"*.{end}"))) for end in ("cu", "h"))
    # ninja is told of headers only by a PyTorch built for CUDA; it does see a new flag.
    flag = f"-DAUTOVOICE_HEADERS={zlib.crc32(b''.join(Path(h).read_bytes() for h in headers))}"
    nvcc = ["-O3", "-std=c++20", "--threads=4", "-DUSE_CUDA", TARGET, flag]
    extension = build.CUDAExtension(
        "autovoice._cuda", sources, depends=headers, py_limited_api=True,
        extra_compile_args={"cxx": ["-O2", TARGET], "nvcc": nvcc},
        extra_link_args=["-Wl,--no-as-needed", "-ltorch", "-Wl,--allow-shlib-undefined"],
    )  # fmt: skip
    # libtorch finds its CUDA part when the library is loaded; a CPU build to link with has none.
    extension.libraries = [name for name in extension.libraries if not name.endswith("_cuda")]
    command = build.BuildExtension.with_options(no_python_abi_suffix=True)
    commands = {"build_py": BuildWithModels, "build_ext": command}
    options = {"bdist_wheel": {"py_limited_api": "cp310"}}
    return {"ext_modules": [extension], "cmdclass": commands, "options": options}


setup(**{"cmdclass": {"build_py": BuildWithModels}} | kernels())
