"""Print which GPUs a compiled library has code for: ``python scripts/fatbin.py FILE [--json]``.

``cuobjdump`` of the CUDA toolkit is asked where it is installed; elsewhere the file itself is read.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from autovoice.kernels import fatbin
from autovoice.kernels.fatbin import GpuCode

FILE_LINE = re.compile(r"^(?:ELF|PTX) file\s+\d+: .*\bsm_(\d+)", re.MULTILINE)


def listed(tool: str, path: Path) -> GpuCode:
    """Return what ``cuobjdump`` lists."""

    def numbers(option: str) -> tuple[int, ...]:
        done = subprocess.run([tool, option, path], capture_output=True, text=True, check=True)
        return tuple(sorted({int(number) for number in FILE_LINE.findall(done.stdout)}))

    return GpuCode(sass=numbers("--list-elf"), ptx=numbers("--list-ptx"))


def main(arguments: Sequence[str]) -> int:
    """Print the list; return 0, 1 where a file cannot be read, 2 for wrong usage."""
    names = [word for word in arguments if word != "--json"]
    if len(names) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    path, tool = Path(names[0]), shutil.which("cuobjdump")
    try:
        code = listed(tool, path) if tool else fatbin.read(path)
    except (OSError, ValueError, subprocess.CalledProcessError) as error:
        print(f"{path}: {error}", file=sys.stderr)
        return 1
    source = "cuobjdump" if tool else "headers"
    if "--json" in arguments:
        print(json.dumps({"file": path.name, "source": source, **asdict(code)}))
    else:
        print(f"{path.name}: {code} (read from {source})")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
