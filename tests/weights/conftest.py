"""The fixture of a small world of fake weights."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from fake_weights import (
    CONVERTER,
    NET,
    PART_1,
    PART_2,
    CopyDownloader,
    World,
    make_wheel,
    member,
    model,
    sha,
)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    index = tmp_path / "index"
    index.mkdir()
    package = tmp_path / "fake_converters"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "net.py").write_text(CONVERTER)
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("fake_converters", "fake_converters.net"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    a, b, c = (f"fake_{x}-1.0-py3-none-any.whl" for x in "abc")
    wheels = {
        a: make_wheel(index / a, {"fake_a/net.bin": NET, "fake_a/song.mp3": b"la la"}),
        b: make_wheel(index / b, {"fake_b/half.bin": PART_1, "fake_b/words.json": b"{}"}),
        c: make_wheel(index / c, {"fake_c/half.bin": PART_2}),
    }
    joined = {"name": "whole.bin", "parts": ["part1", "part2"], "bytes": len(PART_1 + PART_2)}
    joined.update(sha256=sha(PART_1 + PART_2), keep=False)
    parts = [
        member("part1", b, "fake_b/half.bin", PART_1),
        member("part2", c, "fake_c/half.bin", PART_2),
        member("words.json", b, "fake_b/words.json", b"{}", keep=True),
    ]
    models = [
        model("net", "net", [member("net.bin", a, "fake_a/net.bin", NET)]),
        model("song", None, [member("song.mp3", a, "fake_a/song.mp3", b"la la", keep=True)]),
        model("cut", None, parts, joined=[joined]),
    ]
    registry = {"format": 1, "wheels": wheels, "models": models}
    names = dict(zip("abc", wheels, strict=True))
    return World(tmp_path, registry, CopyDownloader(index), names)
