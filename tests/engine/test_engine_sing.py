from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from choir import NOTES, Humming, Speaking, choir, tune
from standins import voice

import autovoice
from autovoice import io
from autovoice.config import SingOptions
from autovoice.engine import Engine, Performance, Progress
from autovoice.engine.progress import Reporter
from autovoice.engine.singing import Singing, perform
from autovoice.engine.stages import Stages
from autovoice.errors import Cancelled, InputError, ResourceError
from autovoice.types import Audio

RATE = 24_000


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return Engine("cpu", data_dir=tmp_path, builders=choir())


def hz(samples: np.ndarray, begin_s: float, end_s: float) -> float:
    """Return the frequency by counting turns."""
    part = samples[round(begin_s * RATE) : round(end_s * RATE)]
    turns = np.flatnonzero((part[:-1] < 0) & (part[1:] >= 0))
    return float((len(turns) - 1) / (turns[-1] - turns[0]) * RATE)


def test_a_score_is_sung(engine: Engine, tmp_path: Path) -> None:
    found = engine.sing(tune(tmp_path), voice(), language="it", semitones=0)
    assert isinstance(found, autovoice.Audio)
    assert isinstance(found, autovoice.Performance)
    assert (found.title, found.part, found.voice, found.phrases) == ("Luna", "Voice", "tester", 2)
    assert found.samples.shape == (1, round((5.0 + 0.5) * RATE))
    assert hz(found.samples[0], 0.3, 0.9) == pytest.approx(261.6, rel=0.01)
    assert hz(found.samples[0], 1.3, 1.9) == pytest.approx(293.7, rel=0.01)
    assert hz(found.samples[0], 3.2, 4.5) == pytest.approx(440.0, rel=0.01)
    assert not found.samples[0, round(2.1 * RATE) : round(2.6 * RATE)].any()
    assert found.vocal is not None
    assert {"score", "words", "load", "prosody", "vocode", "join", "total"} <= set(found.timings)


def test_notes_begin_where_the_score_says(engine: Engine, tmp_path: Path) -> None:
    found = engine.sing(tune(tmp_path), voice(), language="it", semitones=0)
    loud = np.abs(found.samples[0]) > 0.05
    onset = (np.flatnonzero(loud[round(2.2 * RATE) :])[0] + round(2.2 * RATE)) / RATE
    # The m of "mar" is sung before the beat of 3.0 s.
    assert onset == pytest.approx(3.0 - 0.075, abs=0.03)


def test_the_melody_moves_to_the_voice_and_says_so(engine: Engine, tmp_path: Path) -> None:
    deep = tune(tmp_path, (("C", 2, 4, "single", "mar"),))
    found = engine.sing(deep, voice(), language="it")
    assert found.semitones == 12
    assert any("+12 semitones" in note for note in found.notes)
    assert hz(found.samples[0], 0.5, 1.8) == pytest.approx(130.8, rel=0.01)
    assert found.range.semitones == 12
    asked = engine.sing(deep, voice(), language="it", semitones=3)
    assert (asked.semitones, hz(asked.samples[0], 0.5, 1.8)) == (3, pytest.approx(77.8, rel=0.01))


def test_what_stays_out_of_range_is_told(engine: Engine, tmp_path: Path) -> None:
    wide = (("C", 3, 4, "single", "mar"), ("D", 6, 4, "single", "mar"))
    found = engine.sing(tune(tmp_path, wide), voice(), language="it")
    assert any("out of the voice's comfortable range" in note for note in found.notes)
    low = engine.sing(tune(tmp_path), voice(), language="it", semitones=0)
    assert not any("above 1050 Hz" in note for note in low.notes)
    high = engine.sing(tune(tmp_path, wide), voice(), language="it", semitones=0)
    assert any("50% of the melody is above 1050 Hz" in note for note in high.notes)


def test_the_decoder_hears_how_the_words_are_spoken(tmp_path: Path) -> None:
    humming = Humming()
    engine = Engine("cpu", data_dir=tmp_path, builders=choir(speech_vocoder=lambda device: humming))
    engine.sing(tune(tmp_path), voice(), language="it")
    assert len(humming.manners) == 2
    assert all(manner.asr.shape[0] == 512 for manner in humming.manners)


def test_a_backing_track_is_mixed_in(engine: Engine, tmp_path: Path) -> None:
    noise = np.random.default_rng(1).standard_normal((2, 8 * 44_100)) * 0.05
    backing = Audio(noise.astype(np.float32), 44_100)
    reports: list[Progress] = []
    found = engine.sing(
        tune(tmp_path), voice(), language="it", backing=backing, progress=reports.append
    )
    assert (found.sample_rate_hz, found.samples.shape) == (44_100, (2, 8 * 44_100))
    assert found.vocal is not None
    assert found.vocal.samples.shape == (1, round(5.5 * RATE))
    assert {report.stage for report in reports} == {"sing", "mix"}
    assert reports[-1].overall == pytest.approx(1.0)
    path = found.save(tmp_path / "mix.flac")
    assert io.read(path).seconds == pytest.approx(8.0)


def test_other_words(engine: Engine, tmp_path: Path) -> None:
    found = engine.sing(tune(tmp_path), voice(), language="it", lyrics="santa re", semitones=-12)
    assert found.notes == ()
    more = engine.sing(tune(tmp_path), voice(), language="it", lyrics="mar")
    assert any("2 notes have no words" in note for note in more.notes)
    with pytest.raises(InputError, match="expected at most 1000000"):
        engine.sing(tune(tmp_path), voice(), lyrics="a " * 500_001)


def test_a_seed_gives_the_same(engine: Engine, tmp_path: Path) -> None:
    one, same, other = (
        engine.sing(tune(tmp_path), voice(), language="it", seed=seed).samples for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


def test_the_cpu_takes_over(tmp_path: Path) -> None:
    def perform_on(device: str, full: str) -> Performance:
        stages = Stages(device, choir(speech=partial(Speaking, full=full)))
        options = SingOptions(language="it")
        singing = Singing(stages, voice().speaker, Reporter(("sing",)), options=options)
        return perform(singing, tune(tmp_path), None, text=None, lexicon=None)

    found = perform_on("cuda:0", "cuda")
    assert "cuda:0 ran out of memory: went on on the CPU" in found.notes
    assert found.phrases == 2
    with pytest.raises(ResourceError, match="out of memory"):
        perform_on("cpu", "cpu")


def test_it_can_be_stopped(engine: Engine, tmp_path: Path) -> None:
    asked: list[int] = []

    def cancel() -> bool:
        asked.append(1)
        return len(asked) > 8

    with pytest.raises(Cancelled):
        engine.sing(tune(tmp_path), voice(), language="it", cancel=cancel)


def test_silence_is_never_passed_off_as_singing(tmp_path: Path) -> None:
    class Mute(Humming):
        def synthesise(
            self, features: Any, speaker: Any, manner: Any = None, *, seed: int = 0
        ) -> Audio:
            made = super().synthesise(features, speaker)
            return Audio(made.samples * np.float32(0), RATE)

    engine = Engine("cpu", data_dir=tmp_path, builders=choir(speech_vocoder=lambda device: Mute()))
    with pytest.raises(InputError, match="'luna' gave no sound"):
        engine.sing(tune(tmp_path), voice(), language="it")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"semitones": 25}, "semitones: found 25"),
        ({"vibrato_cents": -1.0}, "vibrato_cents"),
        ({"vibrato_hz": 20.0}, "vibrato_hz"),
        ({"portamento_ms": 9e9}, "portamento_ms"),
        ({"tempo": 0.0}, "tempo: found 0"),
        ({"tempo": float("nan")}, "tempo"),
        ({"verse": 0}, "verse"),
        ({"verse": 2, "part": "Tuba"}, "part: found 'Tuba'"),
        ({"language": "tlh"}, "language: found 'tlh'"),
        ({"device": "cpu"}, "belongs to Engine"),
        ({"volume": 11}, "'volume' is unknown"),
    ],
)
def test_bad_options_are_told(
    engine: Engine, tmp_path: Path, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        engine.sing(tune(tmp_path), voice(), **options)


def test_the_public_function_sings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def make(device: str, vram_bytes: object) -> Engine:
        return Engine(device, data_dir=tmp_path, builders=choir())

    monkeypatch.setattr("autovoice.engine.Engine", make)
    found = autovoice.sing(tune(tmp_path, NOTES), voice(), device="cpu", language="it")
    assert found.phrases == 2
    assert set(found.to_json()) >= {"seconds", "voice", "semitones", "notes", "range", "timings"}
