"""Live windows of many sessions in one pass of the real networks: each as if alone."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from standins import voice

from autovoice import io, weights
from autovoice.analyse.content import ContentEncoder
from autovoice.analyse.resident import Hearing
from autovoice.bench.gate import MOST_MEL_DB, mel_apart_db
from autovoice.convert import Converter
from autovoice.engine import Builders, Engine
from autovoice.engine.live import converter
from autovoice.engine.resident_live import Asked, LiveSinger, Sung, live_singer_of
from autovoice.engine.resident_stages import ResidentBuilders
from autovoice.nn.decoder import Generator
from autovoice.nn.decoder_window import DecoderWindow
from autovoice.nn.harmonic_source import HarmonicSource
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


class Excited:
    """A decoder whose sound is its excitation at the level of all so far, so that it is quick, and
    does not jump where its input changes by a rounding."""

    device = torch.device("cpu")

    def __init__(self) -> None:
        source = HarmonicSource().requires_grad_(False)
        source.l_linear.weight.fill_(1.0)
        source.l_linear.bias.zero_()
        self.network = SimpleNamespace(generator=SimpleNamespace(m_source=source))

    def wear(self, adapter: Any) -> None:
        assert not adapter

    def window(self, given: DecoderWindow) -> torch.Tensor:
        source = self.network.generator.m_source(given.f0_hz, given.noise, given.start_phase)
        words = 1 + given.asr.mean((1, 2))[:, None] + given.style.mean(1, keepdim=True)
        _, variance = given.memory.of(source[:, None] * given.energy.mean(1)[:, None, None])
        return given.end(0.1 * words * source / (0.1 + variance[:, 0].sqrt()))


@pytest.fixture(scope="module")
def singer() -> LiveSinger:
    excited: Any = Excited()
    return LiveSinger(Hearing(), ContentEncoder(), Converter(), excited)


def louder(window: Asked) -> Asked:
    """Return another window of a stream."""
    return replace(window, sound=4 * window.sound)


def rows(singer: LiveSinger, windows: list[Asked]) -> list[Sung]:
    return singer.tried(lambda: singer._run([(window, PLAN) for window in windows]))


def apart(made: FloatArray, wanted: FloatArray) -> float:
    assert made.shape == wanted.shape
    return float(np.abs(made - wanted).max() / np.abs(wanted).max())


def test_what_shares_a_pass_does_not_change_what_comes_out(singer: LiveSinger) -> None:
    kinds: list[tuple[float, dict[str, Any]]] = [
        (200.0, {}), (310.0, {"gain": 2.0, "anchor": 0.3}), (150.0, {"semitones": 12})
    ]  # fmt: skip
    first = [asked(singer, f0_hz, **kind) for f0_hz, kind in kinds]
    together = [rows(singer, first), rows(singer, [louder(one) for one in first])]
    again = [asked(singer, f0_hz, **kind) for f0_hz, kind in kinds]
    for row, window in enumerate(again):
        for turn in (0, 1):  # the second goes on from what the first left in the table
            alone = rows(singer, [louder(window) if turn else window])[0]
            made = together[turn][row]
            assert apart(made.samples, alone.samples) < 1e-4
            assert (made.carries, made.sung_s) == (alone.carries, pytest.approx(alone.sung_s))
            np.testing.assert_allclose(made.pitch_hz, alone.pitch_hz, rtol=1e-4)
            turns = np.angle(np.exp(2j * np.pi * (made.cycles - alone.cycles)))
            assert np.abs(turns).max() < 0.01
    assert [made.carries for made in together[0]] == [True, True, False]
    begun = rows(singer, [louder(asked(singer, 150.0, semitones=12))])[0]
    assert apart(together[1][2].samples, begun.samples) > 1e-3, "what came before counts"


def test_the_wave_goes_on_where_it_was(singer: LiveSinger) -> None:
    made = [rows(singer, [asked(singer, 200.0, anchor=at)])[0] for at in (0.25, 0.75)]
    half = (made[1].cycles - made[0].cycles) % 1.0
    np.testing.assert_allclose(half, 0.5, atol=1e-6)


def test_a_stream_that_begins_anew_is_as_one_that_begins(singer: LiveSinger) -> None:
    window, other = asked(singer, 200.0, semitones=12), asked(singer, 330.0, semitones=12)
    begun = rows(singer, [window])[0]
    rows(singer, [replace(other, stream=window.stream)])
    assert apart(rows(singer, [louder(window)])[0].samples, begun.samples) > 1e-3
    window.stream.fresh = True
    assert apart(rows(singer, [window])[0].samples, begun.samples) < 1e-5


def test_the_table_grows_and_rows_are_used_again(singer: LiveSinger) -> None:
    window = asked(singer, 200.0, semitones=12)
    rows(singer, [window])
    streams = [singer.open() for _ in range(70)]
    later = asked(singer, 200.0, semitones=12)
    assert later.stream.slot >= 70
    both = rows(singer, [louder(window)])[0], rows(singer, [louder(later)])[0]
    assert singer._states is not None
    assert len(singer._states) >= 71
    assert apart(both[0].samples, both[1].samples) > 1e-3, "one of them had a window before"
    slots = {stream.slot for stream in streams}
    assert len(slots) == 70
    del streams
    assert singer.open().slot in slots


def test_stages_it_does_not_know_have_no_singer() -> None:
    assert live_singer_of(object(), object(), object(), object()) is None


OPTIONS = {"chunk_ms": 200, "context_ms": 300, "warm_up": False, "sample_rate_hz": RATE_HZ}


def engine(folder: Path, **resident: Any) -> Engine:
    builders = Builders(resident=ResidentBuilders(everywhere=True, **resident))
    return Engine("cpu", data_dir=folder, builders=builders)


def converted(engine: Engine, sound: FloatArray, semitones: int) -> FloatArray:
    with engine.session(voice(), semitones=semitones, **OPTIONS) as live:
        return live.convert_all(sound)


@pytest.fixture
def _no_angle(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the decoder not read the angle of its excitation, which turns over by the last bit."""
    whole = Generator._analyse

    def magnitude(generator: Generator, source: torch.Tensor) -> torch.Tensor:
        size, angle = whole(generator, source).chunk(2, 1)
        return torch.cat([size, torch.zeros_like(angle)], 1)

    monkeypatch.setattr(Generator, "_analyse", magnitude)


@pytest.mark.usefixtures("_no_angle")
@pytest.mark.parametrize("semitones", [0, 12])
def test_a_session_is_that_of_the_plain_stages(
    tmp_path: Path, semitones: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(converter, "whole_windows", lambda _stages: True)
    song = io.read(weights.file("demo-song", "audio_example.mp3"))
    sound = io.resample(song.mono()[None], song.sample_rate_hz, RATE_HZ)[0][48_000:67_200]
    wanted = converted(Engine("cpu", data_dir=tmp_path), sound, semitones)
    found = converted(engine(tmp_path), sound, semitones)
    assert np.abs(wanted).max() > 0.01
    difference = np.mean((found - wanted) ** 2) / np.mean(wanted**2)
    assert 10 * np.log10(difference) < -60


def test_windows_have_one_length_from_the_first_chunk_on(
    tmp_path: Path, singer: LiveSinger, monkeypatch: pytest.MonkeyPatch
) -> None:
    plans = set()
    sing = singer.sing

    def noted(window: Asked, plan: Plan) -> Any:
        plans.add((plan, len(window.sound)))
        return sing(window, plan)

    monkeypatch.setattr(singer, "sing", noted)
    made_of = engine(tmp_path, live=lambda *_: singer)
    singer.scheduler = made_of.stages.scheduler
    sound = sung(0.8, 200.0)
    with made_of.session(voice(), **OPTIONS) as live:
        for at in range(0, len(sound), live.options.chunk_samples):
            live.convert(sound[at : at + live.options.chunk_samples])
    assert len(plans) == 1
    plan, length = next(iter(plans))
    assert length == plan.samples >= 0.3 * 24_000  # all of ``context_ms`` in the first one too


def test_sessions_share_passes_and_do_not_mix(tmp_path: Path, singer: LiveSinger) -> None:
    made_of = engine(tmp_path, live=lambda *_: shared)
    excited: Any = Excited()
    shared = LiveSinger(singer.hearing, singer.encoder, singer.converter, excited)
    shared.scheduler = made_of.stages.scheduler
    sounds = [sung(0.8, hz) for hz in (180.0, 260.0, 390.0)]
    alone = [converted(made_of, sound, 0) for sound in sounds]
    made: dict[int, FloatArray] = {}

    def sing(number: int) -> None:
        made[number] = converted(made_of, sounds[number], 0)

    assert set(made_of.batch_sizes) == {1}
    threads = [threading.Thread(target=sing, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    assert made_of.batch_sizes[2] > 0
    for number, wanted in enumerate(alone):
        assert apart(made[number], wanted) < 1e-3
    assert apart(made[0], alone[1]) > 0.1


def test_every_size_of_batch_is_rehearsed(singer: LiveSinger, monkeypatch: Any) -> None:
    sizes: list[int] = []
    monkeypatch.setattr(singer, "_run", lambda batch: sizes.append(len(batch)))
    singer.rehearse(asked(singer, 200.0), PLAN, 6)
    assert sizes == [4, 4, 2, 2, 1, 1]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_on_a_gpu_windows_are_captured_and_say_what_they_say_on_the_cpu() -> None:
    singer = live_singer_of(Hearing(), ContentEncoder(), Converter(), Vocoder())
    assert singer is not None
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
    apart_db: list[float] = []
    for _ in range(3):
        together = rows(fast, batch)
        for window, made in zip(alone, together, strict=True):
            one = rows(fast, [window])[0]
            assert np.abs(1200 * np.log2(made.pitch_hz / one.pitch_hz)).max() < 0.01
            # Samples are no closer in any arithmetic: the decoder reads angles, and a last bit of
            # the pitch writes one next to pi as -pi (-35 dB in float32 throughout).
            both = (torch.from_numpy(window.samples)[None] for window in (made, one))
            apart_db.append(float(mel_apart_db(*both).mean()))
            difference = np.mean((made.samples - one.samples) ** 2) / np.mean(one.samples**2)
            assert 10 * np.log10(difference) < -30
    assert max(apart_db) < MOST_MEL_DB, apart_db
    assert np.mean(apart_db) < MOST_MEL_DB / 4, apart_db
