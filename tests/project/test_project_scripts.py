"""The project's own scripts do what they say."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

import check_file_length
import show_score

ROOT = Path(__file__).resolve().parents[2]
RESULT = {
    "output": "demo/cover.wav",
    "seconds": 10.0,
    "semitones": -3,
    "voice": "kumo",
    "device": "cpu",
    "timings": {"separate": 2.0, "convert": 6.0},
    "score": {
        "pitch_error_cents": 4.56,
        "pitch_within_50_cents": 0.951,
        "similarity_target": 0.71,
        "similarity_floor": 0.5,
        "similarity_source": None,
        "length_error_samples": 0,
    },
}


def write_function(path: Path, lines: int) -> None:
    """Write a file with one function of ``lines`` lines."""
    path.write_text("def f():\n" + "    x = 1\n" * (lines - 1), encoding="utf-8")


def test_short_files_pass(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_function(tmp_path / "short.py", check_file_length.MAX_FUNCTION_LINES)
    assert check_file_length.main([str(tmp_path / "short.py")]) == 0
    assert capsys.readouterr().err == ""


def test_a_long_function_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_function(tmp_path / "long.py", check_file_length.MAX_FUNCTION_LINES + 1)
    assert check_file_length.main([str(tmp_path / "long.py")]) == 1
    assert "long.py:1: f has 51 lines" in capsys.readouterr().err


def test_a_long_method_with_decorator_is_measured_from_its_def(tmp_path: Path) -> None:
    body = "".join("        x = 1\n" for _ in range(50))
    source = "class C:\n    @property\n    async def f(self):\n" + body
    assert list(check_file_length.long_functions(source)) == [(3, "f", 51)]


def test_a_long_file_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for suffix in (".py", ".cu"):
        path = tmp_path / f"long{suffix}"
        path.write_text("// 1\n".replace("//", "#") * 401, encoding="utf-8")
        assert check_file_length.main([str(path)]) == 1
        assert "401 lines, at most 400" in capsys.readouterr().err


def test_other_files_are_not_measured(tmp_path: Path) -> None:
    (tmp_path / "notes.md").write_text("line\n" * 1000, encoding="utf-8")
    assert check_file_length.main([str(tmp_path / "notes.md")]) == 0


def test_the_score_is_shown_in_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "score.json"
    path.write_text(json.dumps(RESULT), encoding="utf-8")
    assert show_score.main([str(path)]) == 0
    shown = capsys.readouterr().out
    assert "demo/cover.wav: 10.0 s sung by kumo" in shown
    assert "8.0 s on cpu (0.80 x real time)" in shown
    assert "shift: -3 semitones" in shown
    assert "median pitch error: 4.6 cents" in shown
    assert "similarity to the first singer: not measured" in shown


def test_a_total_is_not_counted_twice() -> None:
    timed = {**RESULT, "timings": {"separate": 2.0, "convert": 6.0, "total": 9.0}}
    lines = list(show_score.summary(timed))
    assert "8.0 s on cpu" in lines[1]
    assert "total" not in lines[2]


def test_the_score_wants_one_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert show_score.main([]) == 2
    assert "Usage" in capsys.readouterr().err


@pytest.mark.parametrize(
    "command",
    [
        ["make", "--no-print-directory", "--eval", "show:; @env", "show"],
        ["bash", "-c", "exec() { env; }; . scripts/run_e2e_tests.sh --list"],
    ],
    ids=["make", "run_e2e_tests.sh"],
)
def test_bytecode_is_kept_whatever_the_environment_says(command: list[str]) -> None:
    """Without it every process compiles PyTorch's sources anew, 3 s each."""
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "SHOWN": "yes"}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    names = {line.partition("=")[0] for line in done.stdout.splitlines()}
    assert "SHOWN" in names
    assert "PYTHONDONTWRITEBYTECODE" not in names


def test_threads_that_wait_do_not_spin() -> None:
    """On two busy cores four tests took 25.5 s of processor time spinning, 10.9 s without."""
    told = subprocess.run(
        ["make", "--no-print-directory", "-n", "test", "speed"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    lines = [line for line in told.splitlines() if "-m pytest" in line]
    assert len(lines) == 2
    assert all("OMP_WAIT_POLICY=PASSIVE" in line for line in lines)
    script = ["bash", "-c", "exec() { env; }; . scripts/run_e2e_tests.sh --list"]
    environment = {k: v for k, v in os.environ.items() if k != "OMP_WAIT_POLICY"}
    found = subprocess.run(
        script, cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    ).stdout
    assert "OMP_WAIT_POLICY=PASSIVE" in found.splitlines()
