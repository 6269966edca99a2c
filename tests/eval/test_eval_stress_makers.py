"""The made sources sound as their scores ask."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from autovoice.eval import harvest
from autovoice.eval.part import cut
from autovoice.eval.stress import made, made_scores
from autovoice.eval.stress.makers import Score
from autovoice.eval.stress.noises import SOUNDS, hiss
from autovoice.eval.stress.score import Noise, Note, perform, pitch_of
from autovoice.eval.stress.tones import RATE_HZ, VOWELS, resonance, sung
from autovoice.types import Audio

SCORES = made_scores()
SUNG = [score for score in SCORES if any(isinstance(event, Note) for event in score.events)]
BY_NAME = {score.name: score for score in SCORES}


@cache
def _sound(score: Score) -> Audio:
    """Make each source once."""
    return made(score).audio


def _named(scores: list[Score] | tuple[Score, ...]) -> dict[str, object]:
    return {"argvalues": scores, "ids": [score.name for score in scores]}


@pytest.mark.parametrize("score", **_named(SCORES))
def test_a_source_is_finite_as_long_as_asked_and_does_not_clip(score: Score) -> None:
    audio = _sound(score)
    assert audio.sample_rate_hz == RATE_HZ
    assert audio.length_samples == round(score.seconds * RATE_HZ)
    assert np.isfinite(audio.samples).all()
    assert 0.01 < np.abs(audio.samples).max() < 0.9


@pytest.mark.parametrize("score", **_named(SUNG))
def test_harvest_hears_the_pitch_that_was_asked_for(score: Score) -> None:
    # Held notes go on as they begin.
    audio = cut(_sound(score), 0.0, 4.0 if score.kind == "held" else score.seconds)
    (heard_hz,) = harvest([(audio.mono(), audio.sample_rate_hz)])
    wanted_hz = pitch_of(score.events, audio.seconds)
    both = (heard_hz > 0) & (wanted_hz > 0)
    assert both.sum() >= 0.99 * (wanted_hz > 0).sum()
    cents = np.abs(1200 * np.log2(heard_hz[both] / wanted_hz[both]))
    assert np.median(cents) < 2.0
    assert np.mean(cents <= 50.0) > 0.98


def test_nothing_whispered_has_a_pitch() -> None:
    audio = _sound(BY_NAME["whispered"])
    (heard_hz,) = harvest([(audio.mono(), audio.sample_rate_hz)])
    assert not heard_hz.any()
    assert not pitch_of(BY_NAME["whispered"].events, 1.0).any()


def test_the_scale_has_every_semitone_from_80_to_1000_hz() -> None:
    pitches = [event.from_hz for event in BY_NAME["scale"].events if isinstance(event, Note)]
    assert pitches[0] == 80.0
    assert np.diff(12 * np.log2(pitches)) == pytest.approx(1.0)
    assert pitches[-1] <= 1000.0 < pitches[-1] * 2 ** (1 / 12)


def test_glides_held_notes_and_vibrato_reach_what_they_name() -> None:
    up, down = (pitch_of(BY_NAME[f"glide_{way}"].events, 8.6) for way in ("up", "down"))
    assert [up[30], up[829]] == pytest.approx([80.0, 1100.0], rel=0.005)
    assert [down[30], down[829]] == pytest.approx([1100.0, 80.0], rel=0.005)
    for pitch_hz in (110.0, 220.0, 440.0, 880.0):
        curve = pitch_of(BY_NAME[f"held_{pitch_hz:g}"].events, 20.6)
        assert (curve > 0).sum() * 0.01 == pytest.approx(20.0, abs=0.011)
        assert curve[curve > 0] == pytest.approx(pitch_hz)
    waving = pitch_of(BY_NAME["vibrato"].events, 3.3)[30:330]
    cents = 1200 * np.log2(waving / 196.0)
    assert [cents.min(), cents.max()] == pytest.approx([-60.0, 60.0], abs=1.0)


def test_the_same_score_gives_the_same_samples() -> None:
    for name in ("sibilants", "whispered"):
        assert np.array_equal(*(made(BY_NAME[name]).audio.samples for _ in range(2)))


@pytest.mark.parametrize("vowel", VOWELS)
def test_level_depends_on_neither_pitch_nor_vowel(vowel: str) -> None:
    for pitch_hz in (80.0, 440.0, 1000.0):
        wave = sung(np.full(RATE_HZ // 2, pitch_hz), vowel)
        assert np.sqrt(np.mean(wave**2)) == pytest.approx(1.0, abs=0.01)


def test_nothing_is_sung_above_the_highest_harmonic() -> None:
    wave = sung(np.full(RATE_HZ, 977.0), "a", tilt_db=0.0)
    power = np.abs(np.fft.rfft(wave * np.hanning(len(wave)))) ** 2
    assert power[10_850:].sum() < 1e-9 * power.sum()
    # Between the harmonics there is nothing either: no folding back.
    near = np.abs(np.arange(len(power)) % 977 - 488.5) > 484.0
    assert power[~near].sum() < 1e-6 * power.sum()


def test_a_vowel_rings_at_its_resonances() -> None:
    hz = np.arange(50.0, 4000.0, 5.0)
    gain = np.abs(resonance(hz, "i"))
    peaks = hz[1:-1][(gain[1:-1] > gain[:-2]) & (gain[1:-1] > gain[2:])]
    assert peaks[:3] == pytest.approx([270.0, 2290.0, 3010.0], abs=20.0)
    assert np.abs(resonance(np.array([800.0]), "i", 800.0)) > 5 * np.abs(
        resonance(np.array([800.0]), "i")
    )


@pytest.mark.parametrize(("sound", "low_hz", "high_hz"), [("s", 4000, 10_000), ("sh", 2000, 7500)])
def test_sibilants_lie_in_their_band(sound: str, low_hz: int, high_hz: int) -> None:
    power = np.abs(np.fft.rfft(hiss(RATE_HZ, sound, 1))) ** 2
    assert power[low_hz:high_hz].sum() > 0.999 * power.sum()


def test_noise_has_its_level_and_changes_with_the_seed() -> None:
    for sound in SOUNDS:
        assert np.sqrt(np.mean(hiss(4800, sound, 3) ** 2)) == pytest.approx(1.0)
    assert not np.allclose(hiss(4800, "s", 1), hiss(4800, "s", 2))


def test_events_lie_where_the_score_puts_them() -> None:
    events = (Note(0.2, 0.5, 200.0, level_db=-20.0), Noise(0.7, 0.9, "s", -30.0))
    samples = perform(events, 1.0).mono()

    def level_db(start_s: float, end_s: float) -> float:
        part = samples[round(start_s * RATE_HZ) : round(end_s * RATE_HZ)].astype(np.float64)
        return 10 * float(np.log10(np.mean(part**2) + 1e-20))

    assert level_db(0.22, 0.48) == pytest.approx(-20.0, abs=0.2)
    assert level_db(0.72, 0.88) == pytest.approx(-30.0, abs=0.5)
    for silent in ((0.0, 0.2), (0.5, 0.7), (0.9, 1.0)):
        assert level_db(*silent) < -190.0
