"""What guided fuzzing found stays mended; and it runs for a moment where it is installed.

``scripts/fuzz_heads.py`` says how to run it for longer.
"""

from __future__ import annotations

import importlib.util
import json
import os
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from test_server_fuzz import DATA, fmt, wav

import fuzz_heads
from autovoice.io import guard

ROOT = Path(__file__).resolve().parents[2]
SAID = {
    "container": "WAV", "codec": "PCM_16", "sample_rate_hz": 8000, "channels": 1,
    "claimed_samples": 64, "metadata": {},
}  # fmt: skip


def said(content: bytes, kind: bytes = b"H") -> bytes:
    return struct.pack("<cI", kind, len(content)) + content


def head(**changes: Any) -> bytes:
    return said(json.dumps({**SAID, **changes}).encode())


# By guided fuzzing, or by looking at what it had reached.
FOUND: list[tuple[str, bytes]] = [
    ("chunks", wav(fmt(align=0xFEFD), DATA)),  # a sample larger than the sound
    ("chunks", b"RIFF"),
    ("decoder", said(b'{"container"\x58')),
    ("decoder", said(b"{}")),
    ("decoder", said(b"[" * 5000)),
    ("decoder", said(b"\xff")),
    ("decoder", head(channels="one")),
    ("decoder", head(sample_rate_hz=float("inf"))),
    ("decoder", head(claimed_samples=-1) + said(b"", b"E")),
    ("decoder", head(metadata=[1])),
    ("decoder", head(metadata={"title": 1}) + said(b"abc", b"S")),
    ("decoder", head() + said(bytes(8), b"S") + said(b"\xff", b"X")),
    ("form", b"--b\r\n\r\n\r\n--b--\r\n"),
    ("voice", (1 << 20).to_bytes(8, "little") + b"{}"),
]


@pytest.fixture
def one(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> fuzz_heads.One:
    for name in ("_start", "threading", "SPARES"):  # which the target puts stand-ins for
        monkeypatch.setattr(guard, name, getattr(guard, name))
    return fuzz_heads.TARGETS[request.param]()


@pytest.mark.parametrize(("one", "content"), FOUND, indirect=["one"])
def test_what_was_found_stays_mended(one: fuzz_heads.One, content: bytes) -> None:
    one(content)


@pytest.mark.parametrize(
    ("one", "target"), [(name, name) for name in fuzz_heads.TARGETS], indirect=["one"]
)
def test_what_it_begins_with_is_sound(one: fuzz_heads.One, target: str) -> None:
    contents = list(fuzz_heads.seeds_of(target))
    assert contents
    for content in contents:
        one(content)
        one(content[: len(content) // 2])


def test_a_broken_promise_is_noticed() -> None:
    with pytest.raises(AssertionError, match="what was promised"):
        fuzz_heads._promise(False, "what was promised")


@pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None, reason="atheris is not installed (pip install it)"
)
@pytest.mark.parametrize("target", fuzz_heads.TARGETS)
def test_it_runs_for_a_moment(target: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "fuzz_heads.py"), target, "--seconds", "2",
         "--corpus", str(tmp_path / "corpus")],
        capture_output=True, text=True, check=False,
        env={**os.environ, "AUTOVOICE_DATA_DIR": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert "DONE" in done.stderr
    assert len(list((tmp_path / "corpus").iterdir())) >= len(list(fuzz_heads.seeds_of(target)))


@pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None, reason="atheris is not installed (pip install it)"
)
def test_what_its_parent_has_had_is_not_held_against_it(tmp_path: Path) -> None:
    """Linux hands the most memory that a process had on to what it starts."""
    script = str(ROOT / "scripts" / "fuzz_heads.py")
    words = [
        sys.executable,
        script,
        "sniff",
        "--seconds",
        "1",
        "--corpus",
        str(tmp_path / "corpus"),
    ]
    large = f"import subprocess, sys; b'x' * 2_500_000_000; sys.exit(subprocess.call({words!r}))"
    done = subprocess.run(
        [sys.executable, "-c", large], capture_output=True, text=True, check=False,
        env={**os.environ, "AUTOVOICE_DATA_DIR": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
