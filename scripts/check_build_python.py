"""Say whether this Python can build the kernels: ``check_build_python.py [CUDA_VERSION]``.

Part of ``scripts/build.sh``. Prints one line and returns 0, or says what is wrong and returns 1.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

OLDEST_TORCH = (2, 10)
OLDEST_SETUPTOOLS = (77,)
HEADER = "include/torch/csrc/stable/library.h"


def numbers(version: str) -> tuple[int, ...]:
    """Return the leading numbers of a version."""
    return tuple(int(part) for part in re.findall(r"\d+", version.partition("+")[0])[:3])


def problem(torch: str, torch_cuda: str | None, folder: Path, tools: str, cuda: str) -> str | None:
    """Return what is wrong.

    Args:
        torch: version of PyTorch.
        torch_cuda: version of CUDA that it is built for; none for a CPU build.
        folder: of PyTorch.
        tools: version of setuptools.
        cuda: version of nvcc; empty where there is none.
    """
    if numbers(torch) < OLDEST_TORCH:
        return f"found torch {torch}, expected 2.10 or newer: its stable ABI is what is used"
    if not (folder / HEADER).is_file():
        return f"torch {torch} has no {HEADER}: install it from its wheel"
    if cuda and torch_cuda and numbers(cuda)[0] != numbers(torch_cuda)[0]:
        return (
            f"torch {torch} is built for CUDA {torch_cuda}, nvcc is of {cuda}: "
            f"what is built would not load; use a toolkit {numbers(torch_cuda)[0]}.x"
        )
    if numbers(tools) < OLDEST_SETUPTOOLS:
        return f"found setuptools {tools}, expected 77 or newer: pip install -U setuptools"
    return None


def main(arguments: Sequence[str]) -> int:
    """Print the line."""
    python = ".".join(map(str, sys.version_info[:3]))
    try:
        import torch
    except (ImportError, OSError) as error:
        print(f"torch cannot be imported by {sys.executable} ({error})")
        return 1
    try:
        tools = metadata.version("setuptools")
    except metadata.PackageNotFoundError:
        print("found no setuptools, expected 77 or newer: pip install setuptools")
        return 1
    cuda = arguments[0] if arguments else ""
    folder = Path(torch.__file__).parent
    wrong = problem(torch.__version__, torch.version.cuda, folder, tools, cuda)
    if wrong:
        print(wrong)
        return 1
    note = "" if torch.version.cuda else "; the kernels will run only under a build for CUDA"
    print(f"{python}, torch {torch.__version__}, setuptools {tools}{note}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
