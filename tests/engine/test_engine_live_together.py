"""Live windows of many sessions in one pass of the real networks: each as if alone."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from standins import voice

from autovoice.analyse.content import ContentEncoder
from autovoice.analyse.resident import Hearing
from autovoice.convert import Converter
from autovoice.engine import Builders, Engine
from autovoice.engine.resident_live import Asked, LiveSinger, Sung, live_singer_of
from autovoice.engine.resident_stages import ResidentBuilders
from autovoice.types import FloatArray
from autovoice.vocode import Vocoder
from autovoice.vocode.live_windows import Plan

pytestmark = pytest.mark.e2e
RATE_HZ = 24_000
PLAN = Plan(frames=16, start=4_800, new=2_400, before=72, after=312, rendered=6_000)


def sung(seconds: float, f0_hz: float, rate_hz: int = RATE_HZ) -> FloatArray:
    """Return a vowel with some breath and vibrato, ``[T]``."""
    time_s = np.arange(round(seconds * rate_hz)) / rate_hz
    phase = 2 * np.pi * (f0_hz * time_s + 0.3 * np.sin(2 * np.pi * 5 * time_s))
    wave = sum(np.sin(k * phase) / k for k in range(1, 20))
    breath = np.random.default_rng(round(f0_hz)).standard_normal(len(time_s)) * 0.002
    return (0.1 * wave + breath).astype(np.float32)


def asked(singer: LiveSinger, f0_hz: float, **others: Any) -> Asked:
    noise = np.random.default_rng(1).standard_normal(PLAN.samples).astype(np.float32)
    told = {"gain": 1.0, "anchor": None, "semitones": 0, "sung_s": 1.0, "heard_s": 1.0, **others}
    sound = sung(PLAN.samples / RATE_HZ, f0_hz)
    return Asked(singer.open(), sound, noise, voice().speaker.style, {}, **told)


@pytest.fixture(scope="module")
def singer() -> LiveSinger:
    made = live_singer_of(Hearing(), ContentEncoder(), Converter(), Vocoder())
    assert made is not None
    return made


def rows(singer: LiveSinger, windows: list[Asked]) -> list[Sung]:
    return singer.tried(lambda: singer._run([(window, PLAN, True) for window in windows]))


def apart(made: FloatArray, wanted: FloatArray) -> float:
    assert made.shape == wanted.shape
    return float(np.abs(made - wanted).max() / np.abs(wanted).max())


def test_what_shares_a_pass_does_not_change_what_comes_out(singer: LiveSinger) -> None:
    kinds: list[tuple[float, dict[str, Any]]] = [
        (200.0, {}), (310.0, {"gain": 2.0, "anchor": 0.3}), (150.0, {"semitones": 12})
    ]  # fmt: skip
    first = [asked(singer, f0_hz, **kind) for f0_hz, kind in kinds]
    together = [rows(singer, first), rows(singer, first)]
    again = [asked(singer, f0_hz, **kind) for f0_hz, kind in kinds]
    for row, window in enumerate(again):
        for turn in (0, 1):  # the second goes on from what the first left in the table
            alone = rows(singer, [window])[0]
            made = together[turn][row]
            assert apart(made.samples, alone.samples) < 1e-3
            assert (made.carries, made.sung_s) == (alone.carries, pytest.approx(alone.sung_s))
            np.testing.assert_allclose(made.pitch_hz, alone.pitch_hz, rtol=1e-4)
            turns = np.angle(np.exp(2j * np.pi * (made.cycles - alone.cycles)))
            assert np.abs(turns).max() < 0.01
    assert [made.carries for made in together[0]] == [True, True, False]
    assert apart(together[1][2].samples, together[0][2].samples) > 1e-3


def test_the_wave_goes_on_where_it_was(singer: LiveSinger) -> None:
    made = [rows(singer, [asked(singer, 200.0, anchor=at)])[0] for at in (0.25, 0.75)]
    half = (made[1].cycles - made[0].cycles) % 1.0
    np.testing.assert_allclose(half, 0.5, atol=1e-6)


def test_a_stream_that_begins_anew_is_as_one_that_begins(singer: LiveSinger) -> None:
    window, other = asked(singer, 200.0, semitones=12), asked(singer, 330.0, semitones=12)
    begun = rows(singer, [window])[0]
    moved = Asked(window.stream, *list(vars(other).values())[1:])
    rows(singer, [moved])
    window.stream.fresh = True
    assert apart(rows(singer, [window])[0].samples, begun.samples) < 1e-5


def test_the_table_grows_and_rows_are_used_again(singer: LiveSinger) -> None:
    window = asked(singer, 200.0, semitones=12)
    rows(singer, [window])
    streams = [singer.open() for _ in range(70)]
    later = asked(singer, 200.0, semitones=12)
    assert later.stream.slot >= 70
    both = rows(singer, [window])[0], rows(singer, [later])[0]
    assert singer._states is not None
    assert len(singer._states) >= 71
    assert apart(both[0].samples, both[1].samples) > 1e-3, "one of them had a window before"
    slots = {stream.slot for stream in streams}
    assert len(slots) == 70
    del streams
    assert singer.open().slot in slots


def test_stages_it_does_not_know_have_no_singer() -> None:
    assert live_singer_of(object(), object(), object(), object()) is None


@pytest.fixture(scope="module")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Engine, Engine]]:
    made = []
    for everywhere in (False, True):
        resident = ResidentBuilders(everywhere=everywhere)
        folder: Path = tmp_path_factory.mktemp("data")
        made.append(Engine("cpu", data_dir=folder, builders=Builders(resident=resident)))
    yield made[0], made[1]


OPTIONS = {"chunk_ms": 200, "context_ms": 300, "warm_up": False, "sample_rate_hz": RATE_HZ}


@pytest.mark.parametrize("semitones", [0, 12])
def test_a_session_is_that_of_the_plain_stages(
    engines: tuple[Engine, Engine], semitones: int
) -> None:
    sound = sung(1.2, 220.0)
    made = []
    for engine in engines:
        with engine.session(voice(), semitones=semitones, **OPTIONS) as live:
            made.append(live.convert_all(sound).astype(np.float64))
    assert np.abs(made[0]).max() > 0.01
    difference = np.mean((made[1] - made[0]) ** 2) / np.mean(made[0] ** 2)
    assert 10 * np.log10(difference) < -50


def test_sessions_share_passes_and_do_not_mix(engines: tuple[Engine, Engine]) -> None:
    engine, sounds = engines[1], [sung(0.8, hz) for hz in (180.0, 260.0, 390.0)]

    def convert(sound: FloatArray) -> FloatArray:
        with engine.session(voice(), semitones=0, **OPTIONS) as live:
            return live.convert_all(sound)

    alone = [convert(sound) for sound in sounds]
    made: dict[int, FloatArray] = {}

    def sing(number: int) -> None:
        made[number] = convert(sounds[number])

    before = engine.batch_sizes.get(2, 0)
    threads = [threading.Thread(target=sing, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    assert engine.batch_sizes.get(2, 0) > before
    for number, wanted in enumerate(alone):
        apart_rms = np.sqrt(np.mean((made[number] - wanted) ** 2) / np.mean(wanted**2))
        assert apart_rms < 3e-3


def test_every_size_of_batch_is_rehearsed(singer: LiveSinger, monkeypatch: Any) -> None:
    sizes: list[int] = []
    monkeypatch.setattr(singer, "_run", lambda batch: sizes.append(len(batch)))
    singer.rehearse(asked(singer, 200.0), PLAN, 6)
    assert sizes == [4, 4, 2, 2, 1, 1]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_on_a_gpu_windows_are_captured_and_say_what_they_say_on_the_cpu(
    singer: LiveSinger,
) -> None:
    stages = (ContentEncoder(device="cuda"), Converter(device="cuda"), Vocoder(device="cuda"))
    fast = live_singer_of(Hearing(device="cuda"), *stages)
    assert fast is not None
    kinds = [(200.0, 0), (310.0, 0), (150.0, 12), (180.0, 12)]
    plain = [asked(singer, hz, semitones=semitones) for hz, semitones in kinds]
    there = [asked(fast, hz, semitones=semitones) for hz, semitones in kinds]
    for turn in range(4):
        wanted, found = rows(singer, plain), rows(fast, there)
        for made, one in zip(found, wanted, strict=True):
            assert made.carries == one.carries
            cents = 1200 * np.log2(made.pitch_hz / one.pitch_hz)
            assert np.abs(cents).max() < 1.0
            difference = np.mean((made.samples - one.samples) ** 2) / np.mean(one.samples**2)
            # half precision of recogniser and decoder
            assert 10 * np.log10(difference) < -15, (turn, made.carries)
    assert len(fast.graphs) == 1
    assert len(fast.hearing.graphs) == 1
    alone = [asked(fast, hz, semitones=semitones) for hz, semitones in kinds]
    batch = [asked(fast, hz, semitones=semitones) for hz, semitones in kinds]
    for _ in range(3):
        together = rows(fast, batch)
        for window, made in zip(alone, together, strict=True):
            one = rows(fast, [window])[0]
            difference = np.mean((made.samples - one.samples) ** 2) / np.mean(one.samples**2)
            assert 10 * np.log10(difference) < -40
