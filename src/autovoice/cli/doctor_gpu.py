"""What ``autovoice doctor`` says of PyTorch, the GPUs, and the kernels compiled for them."""

from __future__ import annotations

import ctypes.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from autovoice.cli.finding import Finding, gigabytes

# Where a checkout keeps the sources of the kernels; an installed package has none.
SOURCES = Path(__file__).resolve().parents[3] / "csrc"
BUILD_ADVICE = "run scripts/build.sh in a checkout, or install a wheel with kernels"


def check_torch() -> Iterator[Finding]:
    """Look at PyTorch, the GPUs it sees and the device that will be used."""
    import torch

    build = f"CUDA {torch.version.cuda}" if torch.version.cuda else "CPU build"
    yield Finding("torch", "ok", f"{torch.__version__} ({build})")
    yield Finding("threads", "ok", f"{torch.get_num_threads()} of torch")
    yield from _gpus()


def _gpus() -> Iterator[Finding]:
    import torch

    driver = shutil.which("nvidia-smi") or ctypes.util.find_library("cuda")
    if torch.version.cuda is None:
        if driver:
            advice = "install a CUDA build of PyTorch to use the NVIDIA GPU"
            yield Finding("gpu", "note", "an NVIDIA driver is there, PyTorch cannot use it", advice)
        return
    if not torch.cuda.is_available():
        advice = "install or update the NVIDIA driver" if driver is None else "see nvidia-smi"
        yield Finding("gpu", "note", "none that works", advice)
        return
    for index in range(torch.cuda.device_count()):
        card = torch.cuda.get_device_properties(index)
        found = f"{card.name}, {gigabytes(card.total_memory)}, sm_{card.major}{card.minor}"
        yield Finding(f"gpu cuda:{index}", "ok", found)
    yield Finding("gpu driver", "ok", _driver_version())


def _driver_version() -> str:
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return "unknown"
    question = [tool, "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        answer = subprocess.run(question, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        return f"unknown ({type(error).__name__})"
    return answer.stdout.partition("\n")[0].strip() or "unknown"


def check_device() -> Iterator[Finding]:
    """Tell which device ``--device auto`` takes, and why."""
    from autovoice.engine import devices

    choice = devices.choose("auto")
    yield Finding("device", "ok", f"{choice.device}: {choice.reason}")


def check_kernels() -> Iterator[Finding]:
    """Look for the compiled kernels, and whether they were compiled for the GPUs that are here."""
    import torch

    from autovoice.kernels import fatbin, library

    file = library.compiled_file()
    works = torch.version.cuda is not None and torch.cuda.is_available()
    if file is None:
        found = "not compiled: PyTorch's own operations are used"
        yield Finding("kernels", "note" if works else "ok", found, BUILD_ADVICE if works else "")
        return
    try:
        code = fatbin.read(file)
    except (OSError, ValueError) as error:
        yield Finding("kernels", "broken", str(error), f"delete {file.name}, then {BUILD_ADVICE}")
        return
    found = f"{file.name}, {file.stat().st_size / 1e6:.1f} MB: {code}"
    advice = "run make kernels: the sources are newer" if _outdated(file) else ""
    yield Finding("kernels", "note" if advice else "ok", found, advice)
    if works:
        for index in range(torch.cuda.device_count()):
            yield _kernels_on(index, code.fit(torch.cuda.get_device_capability(index)))


def _outdated(file: Path) -> bool:
    sources = [path for path in SOURCES.glob("*") if path.suffix in {".cu", ".h"}]
    return any(path.stat().st_mtime > file.stat().st_mtime for path in sources)


def _kernels_on(index: int, fit: str) -> Finding:
    import torch

    from autovoice.vocode.accelerated import can_accelerate

    topic = f"kernels cuda:{index}"
    if fit == "none":
        return Finding(topic, "note", "no code for this GPU: the references run", BUILD_ADVICE)
    used, reason = can_accelerate(torch.device("cuda", index))
    if not used:
        return Finding(topic, "note", reason)
    how = "" if fit == "sass" else "; the driver compiles PTX for it at first use"
    return Finding(topic, "ok", reason + how)


def check_ops() -> Iterator[Finding]:
    """Say which implementation each op gets on a CUDA device, and why."""
    from autovoice.kernels import library

    for found in library.implementations():
        yield Finding(f"op {found.op}", "ok", f"{found.kind}: {found.reason}")


def check_toolkit() -> Iterator[Finding]:
    """Look for nvcc, which only compiling the kernels needs."""
    named = os.environ.get("CUDA_HOME")
    folders = [Path(named, "bin")] if named else [None, Path("/usr/local/cuda/bin")]
    tool = next(filter(None, (shutil.which("nvcc", path=folder) for folder in folders)), None)
    if tool is None:
        yield Finding("nvcc", "ok", "none, needed only to compile the kernels")
        return
    try:
        said = subprocess.run(
            [tool, "--version"], capture_output=True, text=True, timeout=10, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError) as error:
        yield Finding("nvcc", "note", f"{tool} does not run ({type(error).__name__})")
        return
    release = re.search(r"release ([\d.]+)", said)
    yield Finding("nvcc", "ok", f"{release[1] if release else 'unknown version'} ({tool})")
