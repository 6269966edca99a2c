"""Songs spread over engines; the engines stand in."""

from __future__ import annotations

import gc
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from standins import builders, song, voice

from autovoice.engine import Engine, EnginePool
from autovoice.errors import InputError, VoiceError
from autovoice.types import Audio


class Fake:
    """An engine that works until it is let go."""

    def __init__(self, device: str, **options: Any) -> None:
        self.device, self.options = device, options
        self.store = f"voices of {device}"
        self.gone = threading.Event()
        self.calls: list[str] = []

    def convert(self, song: Any, voice: Any, **options: Any) -> str:
        self.calls.append("convert")
        assert self.gone.wait(5)
        if voice == "nobody":
            raise VoiceError("nobody")
        return self.device

    def warm_up(self, seconds: Any, *, most: int) -> dict[str, float]:
        return {f"{most} x {each:g} s": 0.5 for each in seconds}

    def speak_stream(self, text: Any, voice: Any, **options: Any) -> Any:
        self.calls.append("speak_stream")
        if voice == "nobody":
            raise VoiceError("nobody")
        return (word for word in text.split())


def _pool(*names: str) -> Any:
    return EnginePool(names, make=Fake, vram_bytes="4G")  # type: ignore[arg-type]


def _audio(seconds: float) -> Audio:
    return Audio(np.zeros((1, round(seconds * 1000)), np.float32), 1000)


def _finish(pool: Any) -> None:
    for engine in pool.engines:
        engine.gone.set()


def test_songs_go_where_there_is_least_to_do() -> None:
    pool = _pool("cuda:0", "cuda:1")
    with ThreadPoolExecutor(4) as threads:
        asked = []
        for seconds in (100, 30, 30, 30):
            before = sum(len(engine.calls) for engine in pool.engines)
            asked.append(threads.submit(pool.convert, _audio(seconds), "kumo"))
            while sum(len(engine.calls) for engine in pool.engines) == before:
                pass
        assert pool.load_s() == [100, 90]
        _finish(pool)
        assert [each.result(5) for each in asked] == ["cuda:0", "cuda:1", "cuda:1", "cuda:1"]
    assert pool.load_s() == [0, 0]


def test_a_failed_song_leaves_no_load() -> None:
    pool = _pool("cuda:0", "cuda:1")
    _finish(pool)
    with pytest.raises(VoiceError):
        pool.convert(_audio(5), "nobody")
    with pytest.raises(VoiceError):
        pool.speak_stream("a text", "nobody")
    assert pool.load_s() == [0, 0]


def test_a_text_counts_until_it_is_let_go_of() -> None:
    pool = _pool("cuda:0", "cuda:1")
    talk = pool.speak_stream("two words", "kumo")
    assert list(talk) == ["two", "words"]
    assert pool.load_s() == [10, 0]
    del talk
    gc.collect()
    assert pool.load_s() == [0, 0]


def test_options_reach_every_engine_and_devices_are_named() -> None:
    pool = _pool("cuda:0", "cuda:1")
    assert [engine.options for engine in pool.engines] == [{"vram_bytes": "4G"}] * 2
    assert pool.devices == ["cuda:0", "cuda:1"]
    assert pool.device == "cuda:0, cuda:1"
    assert pool.store == "voices of cuda:0"


def test_every_engine_warms_up() -> None:
    pool = _pool("cuda:0", "cuda:1")
    assert pool.warm_up([1.0, 30.0], most=4) == dict.fromkeys(
        ["cuda:0: 4 x 1 s", "cuda:0: 4 x 30 s", "cuda:1: 4 x 1 s", "cuda:1: 4 x 30 s"], 0.5
    )


def test_passes_of_every_engine_are_counted() -> None:
    pool = _pool("cuda:0", "cuda:1")
    pool.engines[0].batch_sizes = {1: 3, 2: 1}  # type: ignore[misc]
    pool.engines[1].batch_sizes = {2: 4}  # type: ignore[misc]
    assert pool.batch_sizes == {1: 3, 2: 5}


def test_a_pool_has_what_an_engine_has() -> None:
    """What measures one engine alone is left out."""
    public = {name for name in vars(Engine) if not name.startswith("_")} - {"stages"}
    assert public <= set(dir(_pool("cpu")))


@pytest.mark.parametrize("names", [[], ["cuda:0", "cuda:0"]])
def test_no_device_or_one_twice_is_refused(names: list[str]) -> None:
    with pytest.raises(InputError, match="expected one or more, each once"):
        _pool(*names)


def test_every_working_gpu_is_used_and_else_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("autovoice.engine.devices.working_gpus", lambda: [2, 0])
    assert EnginePool(make=Fake).devices == ["cuda:2", "cuda:0"]  # type: ignore[arg-type]
    monkeypatch.setattr("autovoice.engine.devices.working_gpus", list)
    assert EnginePool(make=Fake).devices == ["cpu"]  # type: ignore[arg-type]


def test_a_pool_of_one_does_what_an_engine_does(tmp_path: Path) -> None:
    pool = EnginePool(["cpu"], data_dir=tmp_path, builders=builders())
    engine = Engine("cpu", data_dir=tmp_path, builders=builders())
    source = song(1.0)
    made, wanted = (each.convert(source, voice()) for each in (pool, engine))
    np.testing.assert_array_equal(made.audio.samples, wanted.audio.samples)
    spoken = pool.speak("it was cold.", voice())
    np.testing.assert_array_equal(spoken.samples, engine.speak("it was cold.", voice()).samples)
    assert pool.voice(voice()).name == "tester"
    with pytest.raises(VoiceError):
        pool.voice("nobody")
    assert pool.load_s() == [0]
