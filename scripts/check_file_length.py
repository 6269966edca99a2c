"""Refuse source files over 400 lines and Python functions over 50.

Usage: ``python scripts/check_file_length.py [FILE ...]``; without files, all that git tracks.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 50
SUFFIXES = frozenset({".py", ".pyi", ".cpp", ".cu", ".cuh", ".h", ".js", ".ts", ".css", ".sh"})


def tracked_files(root: Path) -> list[Path]:
    """Return the source files that git tracks under ``root`` and that are there."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=root, check=True, capture_output=True, text=True
    ).stdout
    paths = (root / name for name in listed.split("\0") if name)
    return [path for path in paths if path.suffix in SUFFIXES and path.is_file()]


def long_functions(source: str) -> Iterator[tuple[int, str, int]]:
    """Yield line, name and length of each function that is too long, decorators not counted."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > MAX_FUNCTION_LINES:
                yield node.lineno, node.name, lines


def problems(path: Path) -> Iterator[str]:
    """Yield one line for each limit that ``path`` breaks."""
    source = path.read_text(encoding="utf-8")
    lines = len(source.splitlines())
    if lines > MAX_FILE_LINES:
        yield f"{path}:1: {lines} lines, at most {MAX_FILE_LINES}: split the file"
    if path.suffix == ".py":
        for line, name, length in long_functions(source):
            yield f"{path}:{line}: {name} has {length} lines, at most {MAX_FUNCTION_LINES}"


def main(arguments: Sequence[str]) -> int:
    """Print every problem; return 1 where there is one."""
    paths = [Path(name) for name in arguments] or tracked_files(Path.cwd())
    found = [line for path in paths if path.suffix in SUFFIXES for line in problems(path)]
    for line in found:
        print(line, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
