"""Phrases found between known pauses, and faults put into one of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from autovoice import io, weights
from autovoice.eval import dio
from autovoice.eval.card import Melody
from autovoice.eval.phrases import FIGURES, find_phrases, phrase_cards
from autovoice.eval.pitch import melody
from autovoice.types import Audio

RATE = 16_000
LENGTH_S = 6.0
# Three notes and the pauses between them.
NOTES = ((0.5, 1.5, 220.0), (2.0, 3.5, 262.0), (4.0, 5.5, 330.0))
SPANS = [(start, end) for start, end, _ in NOTES]
EVAL = Path(__file__).parents[3] / "shared" / "eval"
Curve = NDArray[np.float64]


def _sung(
    gains: tuple[float, ...] = (1.0, 1.0, 1.0), cents: tuple[float, ...] = (0, 0, 0)
) -> Audio:
    time_s = np.arange(round(LENGTH_S * RATE)) / RATE
    sound = np.zeros_like(time_s)
    for (start, end, f0_hz), gain, off in zip(NOTES, gains, cents, strict=True):
        phase = 2 * np.pi * f0_hz * 2 ** (off / 1200) * time_s
        note = sum(np.sin(k * phase) / k for k in range(1, 9))
        sound += gain * note * ((time_s >= start) & (time_s < end))
    return Audio((0.1 * sound)[None].astype(np.float32), RATE)


def _curve(cents: tuple[float, ...] = (0, 0, 0)) -> Curve:
    time_s = np.arange(round(LENGTH_S * 100) + 1) / 100
    f0_hz = np.zeros_like(time_s)
    for (start, end, note_hz), off in zip(NOTES, cents, strict=True):
        f0_hz[(time_s >= start) & (time_s < end)] = note_hz * 2 ** (off / 1200)
    return f0_hz


def _melody(output_hz: Curve | None = None) -> Melody:
    return Melody(_curve(), _curve(), _curve() if output_hz is None else output_hz)


def test_phrases_lie_between_the_pauses() -> None:
    found = find_phrases(_sung())
    assert len(found) == 3
    np.testing.assert_allclose(found, SPANS, atol=0.03)


def test_short_pauses_are_none_and_short_sounds_are_left_out() -> None:
    assert len(find_phrases(_sung(), least_gap_s=0.6)) == 1
    assert len(find_phrases(_sung(), least_s=1.2)) == 2
    assert find_phrases(_sung(), least_s=2.0) == []


def test_long_phrases_are_divided_where_it_is_quietest() -> None:
    audio = _sung()
    found = find_phrases(audio, least_gap_s=0.6, most_s=4.0)
    # From 0.5 to 5.5 s; of the two pauses both lie in the middle half.
    assert len(found) == 2
    assert 1.5 < found[0][1] == found[1][0] < 4.0
    level = np.abs(audio.samples[0, int(found[0][1] * RATE) - 200 :][:400]).max()
    assert level < 1e-3
    steady = Audio(np.random.default_rng(0).normal(0, 0.1, (1, 30 * RATE)).astype(np.float32), RATE)
    parts = find_phrases(steady)
    assert len(parts) >= 3
    assert all(0.4 <= end - start <= 12.0 for start, end in parts)
    assert parts[0][0] == 0.0
    assert parts[-1][1] == pytest.approx(30.0, abs=0.01)
    assert [end for _, end in parts[:-1]] == [start for start, _ in parts[1:]]


@pytest.mark.parametrize("samples", [0, 1, 100, RATE])
def test_silence_and_nothing_have_no_phrases(samples: int) -> None:
    assert find_phrases(Audio(np.zeros((1, samples), np.float32), RATE)) == []


def test_a_perfect_copy_has_perfect_phrases() -> None:
    phrases = phrase_cards(_sung(), _sung(), _melody(), SPANS)
    assert [(phrase.start_s, phrase.end_s) for phrase in phrases] == SPANS
    for phrase in phrases:
        assert set(phrase.figures) == set(FIGURES)
        for name, figure in phrase.figures.items():
            assert figure.value == pytest.approx(0.0, abs=1e-9), name


def test_faults_are_seen_in_their_phrase_alone() -> None:
    output_hz = _curve((0, 80, 0))
    output_hz[400:475] = 0
    output = _sung(gains=(0.5, 0.5, 0.25), cents=(0, 80, 0))
    one, two, three = phrase_cards(output, _sung(), _melody(output_hz), SPANS)
    medians = [phrase.figures["median_cents"].value for phrase in (one, two, three)]
    assert medians == pytest.approx([0.0, 80.0, 0.0], abs=1e-6)
    beyond = [phrase.figures["beyond_50_cents"].value for phrase in (one, two, three)]
    assert beyond == [0.0, 1.0, 0.0]
    voicing = [phrase.figures["voicing_error"].value for phrase in (one, two, three)]
    assert voicing == pytest.approx([0.0, 0.0, 0.5])
    # The whole is 6 dB softer, which is taken out; the third phrase is 6 dB softer than that.
    levels = [phrase.figures["level_db"].value for phrase in (one, two, three)]
    assert levels == pytest.approx([0.0, 0.0, -6.02], abs=0.05)


def test_spectra_are_compared_with_their_levels_matched() -> None:
    source = _sung()
    noise = np.random.default_rng(0).normal(0, 0.05, source.samples.shape).astype(np.float32)
    noise[:, : round(3.7 * RATE)] = 0
    output = Audio(source.samples / np.float32(4) + noise / np.float32(4), RATE)
    distances = [
        phrase.figures["spectral_db"].value
        for phrase in phrase_cards(output, source, _melody(), SPANS)
    ]
    assert distances[:2] == pytest.approx([0.0, 0.0], abs=1e-3)
    assert distances[2] is not None
    assert distances[2] > 5.0


def test_a_phrase_that_went_mute_shows() -> None:
    output_hz = _curve()
    output_hz[:200] = 0
    phrase, *_ = phrase_cards(_sung(gains=(0.0, 1.0, 1.0)), _sung(), _melody(output_hz), SPANS)
    assert phrase.figures["voicing_error"].value == pytest.approx(1.0)
    assert phrase.figures["level_db"].value == -60.0
    assert phrase.figures["median_cents"].value is None
    assert phrase.figures["median_cents"].why_not == (
        "found 0 frames voiced in both, needs 10 (10 ms each)"
    )
    assert phrase.figures["spectral_db"].why_not == "the output is silent here, sound is needed"


def test_where_nothing_can_be_judged_each_figure_says_why() -> None:
    quiet = Melody(np.zeros(601), np.zeros(601), np.zeros(601))
    silence = Audio(np.zeros_like(_sung().samples), RATE)
    (phrase,) = phrase_cards(silence, _sung(), quiet, SPANS[:1])
    assert all(figure.value is None and figure.why_not for figure in phrase.figures.values())
    assert phrase.figures["voicing_error"].why_not == "found no voiced frame in either, needs one"
    assert "the output is silent" in str(phrase.figures["level_db"].why_not)
    long = Audio(np.tile(_sung().samples, 2), RATE)
    (phrase,) = phrase_cards(long, _sung(), _melody(), SPANS[:1])
    assert phrase.figures["median_cents"].value == 0.0
    assert "at most 0.5 s apart" in str(phrase.figures["spectral_db"].why_not)


def test_spans_outside_or_in_silence_say_why() -> None:
    outside, pause, tiny = phrase_cards(
        _sung(), _sung(), _melody(), [(9.0, 10.0), (1.6, 1.9), (0.6, 0.65)]
    )
    assert outside.figures["level_db"].why_not == "found 0 frames in both, needs 10"
    assert "found 0.00 s of both here" in str(outside.figures["spectral_db"].why_not)
    assert "source is silent" in str(pause.figures["level_db"].why_not)
    assert "is silent here" in str(pause.figures["spectral_db"].why_not)
    assert "found 0.05 s of both here" in str(tiny.figures["spectral_db"].why_not)
    assert "found 5 frames" in str(tiny.figures["median_cents"].why_not)
    assert phrase_cards(_sung(), _sung(), _melody(), []) == ()


def test_curves_and_sound_of_the_same_performance_agree() -> None:
    output, source = _sung(cents=(0, 0, -90)), _sung()
    _, curves = melody(output, source, tracker=dio)
    medians = [
        phrase.figures["median_cents"].value
        for phrase in phrase_cards(output, source, curves, find_phrases(source))
    ]
    assert medians == pytest.approx([0.0, 0.0, 90.0], abs=3.0)


def test_a_song_has_phrases_of_which_every_figure_is_finite() -> None:
    song = io.read(weights.file("demo-song", "audio_example.mp3"))
    spans = find_phrases(song, most_s=4.0)
    assert len(spans) >= 2
    assert all(0.0 <= start < end <= song.seconds for start, end in spans)
    flat = Melody(*(np.full(round(song.seconds * 100), 200.0) for _ in range(3)))
    for phrase in phrase_cards(song, song, flat, spans):
        assert all(figure.value == 0.0 for figure in phrase.figures.values())


@pytest.mark.skipif(not EVAL.is_dir(), reason=f"the evaluation audio is not in {EVAL}")
def test_the_phrases_of_a_real_singer_cover_the_singing() -> None:
    song = io.read(EVAL / "vocadito_1_acap.flac")
    spans = find_phrases(song)
    assert 6 <= len(spans) <= 16
    assert sum(end - start for start, end in spans) > 0.7 * song.seconds
