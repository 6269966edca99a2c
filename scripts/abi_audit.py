"""Check what the compiled kernels ask of other libraries: ``python scripts/abi_audit.py FILE``.

One file serves many releases of PyTorch and Python only while it uses nothing of theirs but
PyTorch's stable C functions. So every symbol that is left open must be one of those, of the CUDA
runtime, or of the C and C++ libraries. ``torch-abi-audit``, where installed, adds the oldest
PyTorch that has them. Needs ``nm`` and ``readelf``, which come with every compiler.
"""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Kind of an open symbol: the first pattern that matches its whole name, version included.
KINDS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("leak", re.compile(r"_Z\w*(?<!\d)(2at|3c10|5torch)(?=[A-Z\d])\w*")),  # at::, c10::, torch::
    ("torch", re.compile(r"(aoti_torch|torch)_\w+")),
    ("cuda", re.compile(r"(__)?cuda[A-Z]\w+(@libcudart\.so\.\d+)?")),
    ("c", re.compile(r"\w+@GLIBC_[\d.]+|_Unwind_\w+@GCC_[\d.]+|_ITM_\w+|__gmon_start__")),
    ("c++", re.compile(r"\w+@(GLIBCXX|CXXABI)_[\d.]+|_Z[A-Z]*(S[atbsiod]|N[VKRO]*S[tabsiod])\w*")),
)
LIBRARIES = frozenset({
    "libc10.so", "libtorch.so", "libtorch_cpu.so", "libcudart.so", "libstdc++.so", "libgcc_s.so",
    "libc.so", "libm.so", "libpthread.so", "libdl.so", "librt.so", "ld-linux-x86-64.so",
})  # fmt: skip
OLDEST_TORCH = (2, 10)


@dataclass(frozen=True)
class Audit:
    """What was found in a library.

    Args:
        symbols: number of open symbols by kind.
        leaks: open symbols of no allowed kind.
        libraries: names of the libraries it needs.
        strangers: those of them that are not expected.
        oldest: of the C and C++ libraries, the newest version that is asked for.
        torch: the oldest PyTorch, if ``torch-abi-audit`` is there to tell.
    """

    symbols: dict[str, int]
    leaks: tuple[str, ...]
    libraries: tuple[str, ...]
    strangers: tuple[str, ...]
    oldest: dict[str, str]
    torch: tuple[int, ...] | None

    def problems(self) -> list[str]:
        """Return what must be mended, one line each."""
        found = [f"open symbol that is no stable function: {name}" for name in self.leaks]
        found += [f"needs {name}, which is not expected" for name in self.strangers]
        if self.torch is not None and self.torch[:2] > OLDEST_TORCH:
            wanted, least = (".".join(map(str, v)) for v in (OLDEST_TORCH, self.torch))
            found.append(f"needs PyTorch {least}, expected {wanted}")
        return found


def kind(symbol: str) -> str:
    """Return the kind of an open symbol, ``leak`` where no kind is allowed."""
    return next((name for name, pattern in KINDS if pattern.fullmatch(symbol)), "leak")


def open_symbols(path: Path) -> list[str]:
    """Return the symbols that other libraries must bring, with their versions."""
    return [line.split()[-1] for line in _output("nm", "-D", "--undefined-only", str(path))]


def needed(path: Path) -> list[str]:
    """Return the libraries that the loader must find."""
    lines = _output("readelf", "-dW", str(path))
    return [line.split("[")[1].rstrip("]") for line in lines if "(NEEDED)" in line]


def newest(symbols: Iterable[str], family: str) -> str:
    """Return the newest version of a family of versions, such as ``GLIBC``, that is asked for."""
    pattern = re.compile(rf"@{family}_([\d.]+)$")
    found = [match[1] for symbol in symbols if (match := pattern.search(symbol))]
    return max(found, key=_numbers, default="none")


def audit(path: Path) -> Audit:
    """Look at a library.

    Raises:
        subprocess.CalledProcessError: the file is no library.
    """
    symbols, libraries = open_symbols(path), needed(path)
    plain = {name: re.sub(r"(?<=\.so)[\d.]+$", "", name) for name in libraries}
    kinds = [kind(symbol) for symbol in symbols]
    return Audit(
        symbols={name: kinds.count(name) for name, _ in KINDS if name != "leak"},
        leaks=tuple(s for s, found in zip(symbols, kinds, strict=True) if found == "leak"),
        libraries=tuple(libraries),
        strangers=tuple(name for name in libraries if plain[name] not in LIBRARIES),
        oldest={name: newest(symbols, name) for name in ("GLIBC", "GLIBCXX")},
        torch=oldest_torch(path),
    )


def oldest_torch(path: Path) -> tuple[int, ...] | None:
    """Return the oldest PyTorch with all functions that are used, if the tool for it is there."""
    try:
        tool: Any = importlib.import_module("torch_abi_audit")
    except ImportError:
        return None
    verdict = tool.inspect_extension(path).torch
    if verdict.min_torch_version is None:
        return None
    return _numbers(str(verdict.min_torch_version))


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _output(*command: str) -> list[str]:
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def main(arguments: Sequence[str]) -> int:
    """Print what was found; return 1 where something must be mended, 2 for wrong usage."""
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        found = audit(Path(arguments[0]))
    except (OSError, subprocess.CalledProcessError) as error:
        detail = getattr(error, "stderr", None) or error
        print(f"{arguments[0]}: {str(detail).strip()}", file=sys.stderr)
        return 2
    print("open symbols:", ", ".join(f"{count} {name}" for name, count in found.symbols.items()))
    print("libraries:", ", ".join(found.libraries))
    print("newest versions asked for:", ", ".join(f"{k} {v}" for k, v in found.oldest.items()))
    least = ".".join(map(str, found.torch)) if found.torch else "unknown, install torch-abi-audit"
    print(f"oldest PyTorch: {least}")
    for line in found.problems():
        print(f"PROBLEM: {line}", file=sys.stderr)
    return 1 if found.problems() else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
