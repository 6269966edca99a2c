"""The cache: by content, whole or not at all, never in the way."""

from __future__ import annotations

import logging
import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autovoice.eval.cache import Cache, content_hash
from autovoice.types import Audio


def _sound(seed: int = 1, rate: int = 16_000, channels: int = 2) -> Audio:
    numbers = np.random.default_rng(seed).standard_normal((channels, 5000))
    return Audio(numbers.astype(np.float32), rate)


class _Made:
    """Give a value and count how often it was asked for."""

    def __init__(self, value: Any) -> None:
        self.value, self.calls = value, 0

    def __call__(self) -> Any:
        self.calls += 1
        return self.value


def test_the_hash_is_of_the_sound_alone() -> None:
    sound = _sound()
    tagged = Audio(np.asfortranarray(sound.samples), sound.sample_rate_hz, {"title": "x"})
    assert content_hash(tagged) == content_hash(sound)
    others = [
        _sound(2),
        _sound(rate=16_001),
        Audio(sound.samples.reshape(1, -1), 16_000),
        Audio(sound.samples[:, :-1], 16_000),
    ]
    assert len({content_hash(each) for each in [sound, *others]}) == 5
    assert len(content_hash(Audio(np.zeros((1, 0), np.float32), 8000))) == 64


@pytest.mark.parametrize(
    "value",
    [
        4.125,
        None,
        {"text": "Grüße, 你好", "language": "de"},
        [1.5, 2.5],
        np.linspace(0, 1, 7),
        np.ones((2, 3), np.float32),
    ],
)
def test_what_is_kept_comes_back_without_being_made_again(tmp_path: Path, value: Any) -> None:
    make = _Made(value)
    first = Cache(tmp_path).value("sound", "metric", "1", make)
    again = Cache(tmp_path).value("sound", "metric", "1", make)
    assert make.calls == 1
    np.testing.assert_equal(again, first)
    if isinstance(value, np.ndarray):
        assert again.dtype == value.dtype
    assert not list(tmp_path.glob(".partial-*"))


def test_sound_metric_and_version_are_told_apart(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    keys = [("a", "m", "1"), ("b", "m", "1"), ("a", "n", "1"), ("a", "m", "2")]
    for place, key in enumerate(keys):
        cache.value(*key, _Made(place))
    assert [cache.value(*key, _Made(-1)) for key in keys] == [0, 1, 2, 3]


@pytest.mark.parametrize("damage", ["empty", "cut", "flipped", "folder"])
def test_a_damaged_entry_is_made_again(tmp_path: Path, damage: str) -> None:
    Cache(tmp_path).value("sound", "metric", "1", _Made(np.arange(100.0)))
    (entry,) = tmp_path.iterdir()
    content = bytearray(entry.read_bytes())
    if damage == "empty":
        content.clear()
    elif damage == "cut":
        del content[-9:]
    else:
        content[-3] ^= 0x40
    entry.write_bytes(content)
    if damage == "folder":
        entry.unlink()
        entry.mkdir()
    make = _Made(np.arange(100.0))
    found = Cache(tmp_path).value("sound", "metric", "1", make)
    np.testing.assert_array_equal(found, np.arange(100.0))
    assert make.calls == 1


def test_an_error_is_not_kept(tmp_path: Path) -> None:
    def fail() -> float:
        raise RuntimeError("no figure")

    with pytest.raises(RuntimeError, match="no figure"):
        Cache(tmp_path).value("sound", "metric", "1", fail)
    assert Cache(tmp_path).value("sound", "metric", "1", _Made(3.0)) == 3.0


def test_a_figure_that_is_no_number_cannot_be_kept(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        Cache(tmp_path).value("sound", "metric", "1", _Made(float("nan")))


def test_what_was_not_used_for_longest_goes_first(tmp_path: Path) -> None:
    cache = Cache(tmp_path, most_bytes=30_000)
    for place in range(5):
        cache.value(f"s{place}", "curve", "1", _Made(np.full(700, float(place))))
        os.utime(max(tmp_path.iterdir(), key=lambda path: path.stat().st_mtime_ns), (place, place))
    cache.value("s0", "curve", "1", _Made(None))
    cache.value("s5", "curve", "1", _Made(np.full(700, 5.0)))
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 30_000
    old, used = _Made(np.zeros(1)), _Made(np.zeros(1))
    cache.value("s0", "curve", "1", used)
    cache.value("s1", "curve", "1", old)
    assert (used.calls, old.calls) == (0, 1)


def test_more_than_the_budget_is_not_kept(tmp_path: Path) -> None:
    make = _Made(np.zeros(5000))
    cache = Cache(tmp_path, most_bytes=10_000)
    assert len(cache.value("s", "curve", "1", make)) == 5000
    assert len(cache.value("s", "curve", "1", make)) == 5000
    assert make.calls == 2


def test_a_folder_that_cannot_be_written_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "taken").write_text("a file")
    cache = Cache(tmp_path / "taken" / "eval")
    with caplog.at_level(logging.WARNING, "autovoice"):
        assert [cache.value("s", "m", "1", _Made(place)) for place in range(3)] == [0, 1, 2]
    assert len(caplog.records) == 1
    assert "cannot be written" in caplog.text


def test_the_folder_is_the_users_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOVOICE_CACHE_DIR", str(tmp_path))
    assert Cache().folder == tmp_path / "eval"


def test_threads_share_a_cache(tmp_path: Path) -> None:
    cache = Cache(tmp_path, most_bytes=20_000)
    wrong: list[int] = []

    def work(seed: int) -> None:
        for place in range(20):
            found = cache.value(f"{place % 5}", "m", "1", _Made([place % 5] * 200))
            if found != [place % 5] * 200:
                wrong.append(seed)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert not list(tmp_path.glob(".partial-*"))
