"""Live sessions: as much out as in, at a fixed delay, without seams, in bounded memory."""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from live_desk import Halving, live_builders
from standins import song, voice

from autovoice.engine import Engine, LiveSession
from autovoice.engine.live.host import HOST
from autovoice.engine.live.shift import LiveShift
from autovoice.errors import InputError, VoiceError
from autovoice.types import FloatArray
from autovoice.voices import Voice

QUICK = {"context_ms": 300, "lookahead_ms": 20, "semitones": 0, "warm_up": False}


@pytest.fixture
def halving() -> Halving:
    return Halving()


@pytest.fixture
def engine(tmp_path: Path, halving: Halving) -> Engine:
    return Engine("cpu", data_dir=tmp_path, builders=live_builders(halving))


def low(name: str = "low") -> Voice:
    """Return a voice that the stand-in turns upside down."""
    found = voice(name)
    return Voice(
        found.header.model_copy(update={"f0_median_hz": 90.0, "f0_low_hz": 80.0}),
        found.style,
        found.embedding,
    )


def tone(seconds: float, rate: int, hz: float = 440.0) -> FloatArray:
    return (0.4 * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)).astype(
        np.float32
    )


def through(session: LiveSession, sound: FloatArray, sizes: list[int]) -> FloatArray:
    """Send sound in chunks of the given sizes, over and over."""
    out, at, index = [], 0, 0
    while at < len(sound):
        cut = sound[at : at + sizes[index % len(sizes)]]
        made = session.convert(cut)
        assert len(made) == len(cut)
        out.append(made)
        at, index = at + len(cut), index + 1
    return np.concatenate(out)


@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 22_050, 24_000, 44_100, 47_999, 48_000])
def test_sound_comes_out_a_fixed_time_later(engine: Engine, rate: int) -> None:
    sound = tone(1.5, rate)
    with engine.session(voice(), sample_rate_hz=rate, **QUICK) as live:
        made = through(live, sound, [live.options.chunk_samples])
    late = live.latency_samples
    assert np.abs(made[: late - rate // 100]).max(initial=0.0) < 1e-3
    body = slice(late + rate // 10, None)
    expected = 0.5 * sound[rate // 10 : len(sound) - late]
    assert np.abs(made[body] - expected).max() < 1e-3


@pytest.mark.parametrize("sizes", [[480], [1, 17, 333, 960, 5], [4_800], [44_100]])
def test_any_cut_gives_the_same_sound(engine: Engine, sizes: list[int]) -> None:
    sound = tone(1.2, 44_100) if sizes != [1, 17, 333, 960, 5] else tone(0.3, 44_100)
    with engine.session(voice(), sample_rate_hz=44_100, **QUICK) as live:
        whole = through(live, sound, [4_410])
    with engine.session(voice(), sample_rate_hz=44_100, **QUICK) as live:
        cut = through(live, sound, sizes)
    assert np.abs(whole - cut).max() < 1e-3


def test_ten_minutes_do_not_drift(engine: Engine) -> None:
    rate, seconds = 11_025, 600
    with engine.session(voice(), sample_rate_hz=rate, chunk_ms=2_000, **QUICK) as live:
        size = live.options.chunk_samples
        for at in range(0, rate * (seconds - 2), size):
            sound = 0.4 * np.sin(2 * np.pi * 440 * np.arange(at, at + size) / rate)
            made = live.convert(sound.astype(np.float32))
            assert len(made) == size
        late = np.arange(at, at + size) - live.latency_samples
        assert np.abs(made - 0.2 * np.sin(2 * np.pi * 440 * late / rate)).max() < 0.01
        assert live.stats.seconds == pytest.approx(seconds, abs=4)
        kept = live._ready.nbytes + live._inward._kept.nbytes + live._outward._kept.nbytes
        assert kept < 4 * 4 * size
        assert len(live._converter.shift._heard) == 0


def test_flush_gives_the_end(engine: Engine) -> None:
    sound = tone(0.7, 48_000)
    with engine.session(voice(), **QUICK) as live:
        made = live.convert_all(sound)
    assert made.shape == sound.shape
    assert np.abs(made[2_000:-2_000] - 0.5 * sound[2_000:-2_000]).max() < 1e-3


def test_silence_is_cheap_and_silent(engine: Engine, halving: Halving) -> None:
    sound = np.concatenate([tone(0.5, 48_000), np.zeros(96_000, np.float32), tone(0.5, 48_000)])
    with engine.session(voice(), **QUICK) as live:
        made = live.convert_all(sound)
    assert live.stats.silent_chunks >= 14
    assert len(halving.calls) < live.stats.chunks - 13
    assert not made[48_000:110_000].any()
    assert np.abs(made[122_000:-3_000] - 0.5 * sound[122_000:-3_000]).max() < 1e-3


def test_a_hot_change_of_voice_fades(engine: Engine) -> None:
    sound = np.full(48_000, 0.4, np.float32)
    with engine.session(voice(), search_ms=0, **QUICK) as live:
        first = live.convert(sound[:24_000])
        live.change_voice(low())
        second = live.convert(sound[:24_000])
        assert live.voice.name == "low"
        with pytest.raises(VoiceError, match="nobody"):
            live.change_voice("nobody")
    assert first[-1] == pytest.approx(0.2, abs=1e-3)
    assert second[-1] == pytest.approx(-0.2, abs=1e-3)
    made = np.concatenate([first, second])[6_000:]
    assert np.abs(np.diff(made)).max() < 0.4 / 200  # 10 ms are 480 samples


def test_the_seam_keeps_noise_and_phase(engine: Engine, halving: Halving) -> None:
    with engine.session(voice(), sample_rate_hz=24_000, **QUICK) as live:
        live.convert(tone(0.6, 24_000))
    first, second = halving.noises[-2:]
    assert np.array_equal(first[2_400:], second[: len(first) - 2_400])
    sample, cycles = halving.anchors[-1]
    assert sample == len(second) - live._converter.look - 2_400
    assert cycles == pytest.approx((len(first) - live._converter.look) / 100 % 1.0)


def test_the_octave_settles_and_follows_the_voice(tmp_path: Path) -> None:
    stages = live_builders(fit=lambda pitch, speaker: 12 if speaker.f0_median_hz > 100 else -12)
    engine = Engine("cpu", data_dir=tmp_path, builders=stages)
    with engine.session(voice(), **{**QUICK, "semitones": "auto"}) as live:
        live.convert(tone(0.1, 48_000))
        assert live.stats.semitones == 0
        live.convert(tone(1.0, 48_000))
        assert (live.stats.semitones, live._converter.shift.settled) == (12, False)
        live.convert(tone(3.0, 48_000))
        assert live._converter.shift.settled
        live.change_voice(low())
        assert live.stats.semitones == -12


def test_guesses_are_a_quarter_of_a_second_of_singing_apart() -> None:
    melodies: list[int] = []
    shift = LiveShift("auto", lambda pitch, speaker: melodies.append(len(pitch.f0_hz)) or 12)
    for chunk in range(80):
        shift.add(np.full(10, 220.0 * (chunk % 2), np.float32), 0.01, voice().speaker)
    assert melodies == [30, 60, 90, 120, 150, 180, 210, 240, 270, 300]
    assert (shift.semitones, shift.settled) == (12, True)
    assert LiveShift(3, lambda pitch, speaker: 0).settled


def test_hostile_samples_are_made_safe(engine: Engine) -> None:
    hostile = np.array([np.nan, np.inf, -np.inf, 1e38, -1e38] * 960, np.float32)
    with engine.session(voice(), **QUICK) as live:
        made = np.concatenate([live.convert(hostile) for _ in range(3)])
        assert np.isfinite(made).all()
        assert np.abs(made).max() <= 1
        assert live.convert(np.zeros(0, np.float32)).shape == (0,)
        assert live.convert(np.zeros((2, 480), np.float32)).shape == (1, 480)
        with pytest.raises(InputError, match=r"\[T\] or \[C, T\]"):
            live.convert(np.zeros((1, 1, 4), np.float32))
    with pytest.raises(InputError, match="closed"):
        live.convert(np.zeros(4, np.float32))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"chunk_ms": 5}, "chunk_ms"),
        ({"lookahead_ms": 5}, "at least fade_ms"),
        ({"sample_rate_hz": 96_000}, "sample_rate_hz"),
        ({"semitones": 99}, "semitones"),
        ({"speed": 2}, "unknown"),
        ({"chunk_ms": 10, "fade_ms": 12, "lookahead_ms": 30}, "at most chunk_ms"),
    ],
)
def test_bad_options_are_named(engine: Engine, options: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        engine.session(voice(), **options)


def test_a_slow_machine_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, halving: Halving
) -> None:
    class Slow(Halving):
        def render(self, *given: Any, **named: Any) -> Any:
            time.sleep(0.02)
            return super().render(*given, **named)

    engine = Engine("cpu", data_dir=tmp_path, builders=live_builders(Slow()))
    options = {**QUICK, "warm_up": True}
    with caplog.at_level(logging.WARNING), engine.session(voice(), chunk_ms=15, **options) as live:
        assert "will not keep up" in live.notes[0]
        assert "will not keep up" in caplog.text
        live.convert(tone(0.3, 48_000))
        assert live.stats.underruns == live.stats.chunks == 20
        assert live.stats.realtime_factor > 1
        assert live.stats.compute_p50_ms > 20
    quick = Engine("cpu", data_dir=tmp_path, builders=live_builders(halving))
    assert quick.session(voice(), chunk_ms=1_000, **options).notes == ()


def test_sessions_in_threads_do_not_mix(tmp_path: Path) -> None:
    engine = Engine("cpu", data_dir=tmp_path, builders=live_builders())
    results: dict[int, FloatArray] = {}

    def sing(number: int) -> None:
        sound = tone(0.6, 24_000, 200.0 + 100 * number)
        with engine.session(voice(), sample_rate_hz=24_000, **QUICK) as live:
            results[number] = live.convert_all(sound) - 0.5 * sound

    threads = [threading.Thread(target=sing, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
    assert len(results) == 4
    assert max(np.abs(off[1_000:-1_000]).max() for off in results.values()) < 1e-3


def test_nobody_waits_for_a_session_whose_networks_run(tmp_path: Path) -> None:
    """Neither then nor after an error is the turn of the others taken."""

    class Failing(Halving):
        fails = False

        def render(self, *given: Any, **named: Any) -> Any:
            assert HOST.acquire(timeout=5)
            HOST.release()
            if self.fails:
                raise RuntimeError("no such network")
            return super().render(*given, **named)

    halving = Failing()
    engine = Engine("cpu", data_dir=tmp_path, builders=live_builders(halving))
    with engine.session(voice(), **{**QUICK, "warm_up": True, "context_ms": 300}) as live:
        halving.fails = True
        with pytest.raises(RuntimeError, match="no such network"):
            live.convert(tone(0.1, 48_000))
        assert not HOST.locked()
        halving.fails = False
        assert len(live.convert(tone(0.1, 48_000))) == 4_800


def test_a_song_gives_way_to_live_sound(tmp_path: Path) -> None:
    """A session that opens while a song is converted does not wait for its end."""
    engine = Engine("cpu", data_dir=tmp_path, builders=live_builders())
    order: list[str] = []
    began = threading.Event()

    def heard(report: Any) -> None:
        began.set()
        time.sleep(0.005)

    def convert() -> None:
        engine.convert(song(80.0, 8_000, 1), voice(), separate=False, semitones=1, progress=heard)
        order.append("song")

    thread = threading.Thread(target=convert)
    thread.start()
    assert began.wait(10)
    with engine.session(voice(), **QUICK) as live:
        live.convert(tone(0.2, 48_000))
        order.append("live")
    thread.join(timeout=30)
    assert order == ["live", "song"]
