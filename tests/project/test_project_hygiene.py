"""What git tracks is short, plain and free of leftovers."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

import check_file_length

ROOT = Path(__file__).resolve().parents[2]
LARGEST_FILE_BYTES = 50 * 2**20
LARGEST_TOTAL_BYTES = 90 * 2**20
TEXT = frozenset(
    [
        ".py",
        ".pyi",
        ".md",
        ".toml",
        ".yml",
        ".yaml",
        ".txt",
        ".json",
        ".csv",
        ".sh",
        ".cfg",
        ".h",
        ".cpp",
        ".cu",
        ".ts",
        ".css",
        ".html",
        ".svg",
    ]
)
# Written apart so that this file does not find itself.
LEFTOVERS = re.compile(
    r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X|HA" + r"CK|NotImplemented" + r"Error)\b"
)
MACHINE = re.compile(
    r"/(?:wo" + r"rk|fa" + r"rm|ro" + r"ot|o" + r"pt|home/\w+|Users/\w+)/"
    r"|(?:extra-)?index" + r"-url|find" + r"-links|python" + r"hosted|py" + r"pi\.org"
)
TEMPORARY = re.compile(r"(?<!\w)/t" + r"mp/")


def tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    return [path for name in listed.split("\0") if name and (path := ROOT / name).is_file()]


def texts() -> list[tuple[str, str]]:
    files = [path for path in tracked() if path.suffix in TEXT or path.name in {"Makefile", "run"}]
    return [(str(p.relative_to(ROOT)), p.read_text(encoding="utf-8")) for p in files]


def matches(pattern: re.Pattern[str], files: list[tuple[str, str]]) -> list[str]:
    return [
        f"{name}:{number}: {line.strip()[:100]}"
        for name, text in files
        for number, line in enumerate(text.splitlines(), start=1)
        if pattern.search(line)
    ]


def test_files_and_functions_are_short(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    assert check_file_length.main([]) == 0, capsys.readouterr().err


def test_nothing_is_left_for_later() -> None:
    assert matches(LEFTOVERS, texts()) == []


def test_nothing_names_a_machine_or_an_index() -> None:
    assert matches(MACHINE, texts()) == []
    outside_tests = [(name, text) for name, text in texts() if not name.startswith("tests/")]
    assert matches(TEMPORARY, outside_tests) == []


def test_the_library_does_not_print() -> None:
    call = re.compile(r"^\s*print\(")
    library = [
        (name, text)
        for name, text in texts()
        if name.startswith("src/") and name.endswith(".py") and "/cli/" not in name
    ]
    assert matches(call, library) == []


def test_no_file_is_too_large_for_git() -> None:
    sizes = {path: path.stat().st_size for path in tracked()}
    assert [path for path, size in sizes.items() if size > LARGEST_FILE_BYTES] == []
    models = sum(size for path, size in sizes.items() if (ROOT / "models") in path.parents)
    assert models < LARGEST_TOTAL_BYTES


def test_nothing_that_can_run_code_is_stored_as_a_weight() -> None:
    unsafe = {".pth", ".pt", ".ckpt", ".pkl", ".pickle", ".bin", ".so"}
    assert [path for path in tracked() if path.suffix in unsafe] == []
