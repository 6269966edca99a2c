from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from sung_lines import Front, line, speaker

from autovoice.note_names import midi_hz
from autovoice.speak.score import Score
from autovoice.speak.sung.front import BEFORE_S, SungFeatures, score_pitch, sung_features
from autovoice.speak.sung.melody import Expression, melody
from autovoice.speak.sung.phrases import Phrase, phrases
from autovoice.speak.sung.timing import token_spans
from autovoice.speak.sung.tokens import tokens

PLAIN = Expression(0.0, 5.5, 0.0)


def phrase_of(score: Score) -> Phrase:
    (phrase,) = phrases(score, language="it").phrases
    return phrase


def spans(score: Score, each_s: float = 0.075) -> list[tuple[str, float, float]]:
    phrase = phrase_of(score)
    found = tokens(phrase)
    times = token_spans(phrase, found, np.full(len(found), each_s))
    return [(t.symbol, *map(float, span)) for t, span in zip(found, times, strict=True)]


def test_vowels_begin_on_the_beat_and_consonants_before_it() -> None:
    found = spans(line((1, 2, 60, "san-"), (2, 3, 62, "-ta")))
    by = {symbol: (begin, end) for symbol, begin, end in found if symbol in "snt"}
    assert by["s"] == pytest.approx((0.925, 1.0))
    assert by["t"] == pytest.approx((1.925, 2.0))
    assert by["n"] == pytest.approx((1.85, 1.925))
    vowels = [(begin, end) for symbol, begin, end in found if symbol == "a"]
    assert vowels == [pytest.approx((1.0, 1.85)), pytest.approx((2.0, 3.0))]


def test_sounds_follow_one_another_without_gaps() -> None:
    found = spans(line((1, 1.1, 60, "stran-"), (1.1, 1.2, 62, "-dro"), (1.3, 2, 62, "mar")))
    for (_, _, end), (_, begin, _) in pairwise(found):
        assert begin == pytest.approx(end)
    assert all(end >= begin for _, begin, end in found)
    vowels = [end - begin for symbol, begin, end in found if symbol in "ao"]
    assert min(vowels) > 0.05


def test_nothing_is_sung_before_the_score_begins() -> None:
    found = spans(line((0, 1, 60, "sta")))
    assert found[0][1] == 0.0
    assert found[-1][1] == pytest.approx(0.15)


def test_plain_notes_have_their_pitch() -> None:
    notes = line((0, 1, 60, "a"), (1, 2, 72, "a")).notes
    times = np.arange(160) / 80 + 1 / 160
    keys = melody(notes, times, PLAIN, 0)
    assert np.abs(keys[:80] - 60).max() < 0.3
    assert np.abs(keys[80:] - 72).max() < 0.3
    np.testing.assert_array_equal(keys, melody(notes, times, PLAIN, 0))
    assert not np.array_equal(keys, melody(notes, times, PLAIN, 1))


def test_a_glide_goes_from_note_to_note_mostly_before_the_beat() -> None:
    notes = line((0, 1, 60, "a"), (1, 2, 72, "a")).notes
    times = np.arange(1600) / 800
    keys = melody(notes, times, Expression(0.0, 5.5, 200.0), 0)
    assert abs(keys[int(0.8 * 800)] - 60) < 0.4
    assert 60.5 < keys[int(0.95 * 800)] < 71.5
    assert abs(keys[int(1.3 * 800)] - 72) < 0.4
    assert keys.max() < 72.6


def test_vibrato_grows_in_on_long_notes_only() -> None:
    notes = line((0, 3, 60, "a"), (3, 3.5, 60, "a")).notes
    times = np.arange(280) / 80
    found = melody(notes, times, Expression(40.0, 5.5, 0.0), 3) - melody(notes, times, PLAIN, 3)
    assert np.abs(found[: int(0.4 * 80)]).max() < 1e-9
    assert np.abs(found[80:230]).max() == pytest.approx(0.4, abs=0.02)
    assert np.abs(found[240:]).max() < 1e-9
    turns = np.count_nonzero(np.diff(np.sign(found[80:230])) > 0)
    assert turns == pytest.approx(5.5 * 150 / 80, abs=1)


def features(score: Score, semitones: float = 0.0) -> SungFeatures:
    return sung_features(
        Front(), phrase_of(score), speaker(), semitones=semitones, expression=PLAIN
    )


def test_features_are_shaped_for_the_decoder() -> None:
    found = features(line((1, 2, 60, "san-"), (2, 3, 62, "-ta")), semitones=12)
    frames = found.asr.shape[1]
    assert found.asr.shape == (512, frames)
    assert found.f0_hz.shape == found.energy.shape == (2 * frames,)
    assert {a.dtype for a in (found.asr, found.f0_hz, found.energy)} == {np.dtype(np.float32)}
    assert found.begin_s == pytest.approx(0.925 - BEFORE_S)
    spoken = found.manner
    assert spoken.f0_hz.shape == spoken.energy.shape == (2 * spoken.asr.shape[1],)
    at = round((1.5 - found.begin_s) * 80)
    assert found.f0_hz[at] == pytest.approx(midi_hz(72), rel=0.01)
    assert found.vowels_s + found.begin_s == pytest.approx(np.array([[1.0, 1.85], [2.0, 3.0]]))


def test_what_has_no_voice_has_no_pitch() -> None:
    found = features(line((1, 2, 60, "san-"), (2, 3, 62, "-ta")))
    times = found.begin_s + (np.arange(len(found.f0_hz)) + 0.5) / 80
    for begin, end, voiced in ((0.0, 0.92, 0), (0.93, 0.99, 0), (1.0, 1.92, 1), (1.93, 1.99, 0)):
        inside = (times > begin) & (times < end)
        assert ((found.f0_hz[inside] > 0) == bool(voiced)).all()
    # In speech: 2 vowels and an n of 75 ms each, and the marks before them.
    assert 3 * 6 <= (found.manner.f0_hz > 0).sum() <= 5 * 6


def test_held_vowels_do_not_die() -> None:
    found = features(line((1, 21, 60, "la")))
    times = found.begin_s + np.arange(len(found.energy)) / 80
    inside = found.energy[(times > 1.1) & (times < 20.9)]
    assert inside.min() == pytest.approx(inside.max())


def test_pitches_stay_where_a_decoder_can_follow() -> None:
    found = features(line((1, 2, 108, "a"), (2.2, 3, 21, "a")))
    high, low = (found.f0_hz[round((at - found.begin_s) * 80)] for at in (1.5, 2.8))
    assert high == pytest.approx(midi_hz(84), rel=0.01)
    # A0 is 27.5 Hz: two octaves up it is 110 Hz, the first above 60.
    assert low == pytest.approx(midi_hz(45), rel=0.01)


def test_the_melody_of_a_score_has_rests() -> None:
    found = score_pitch(line((0, 1, 69, "a"), (2, 3, 57, "a")).notes)
    assert found.f0_hz[50] == pytest.approx(440)
    assert found.f0_hz[150] == 0
    assert found.f0_hz[250] == pytest.approx(220)
