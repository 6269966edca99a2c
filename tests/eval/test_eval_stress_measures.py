"""Every figure of the stress set against outputs with a known fault."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from autovoice.eval.figure import NotApplicable
from autovoice.eval.stress import made, made_scores
from autovoice.eval.stress.columns import COLUMNS, trouble
from autovoice.eval.stress.comb import note_power
from autovoice.eval.stress.figures import measure
from autovoice.eval.stress.gap_level import gap_level_db
from autovoice.eval.stress.heard import Heard, hear
from autovoice.eval.stress.hoarseness import harmonics_change_db, harmonics_db
from autovoice.eval.stress.jitter import added_jitter_cents
from autovoice.eval.stress.kept import unvoiced_kept_db, voiced_kept_db
from autovoice.eval.stress.metallic import flatness_change_db
from autovoice.eval.stress.muted import muted_high_share
from autovoice.eval.stress.octaves import octave_jump_share
from autovoice.eval.stress.score import Noise, Note, perform
from autovoice.eval.stress.shimmer import added_shimmer_db
from autovoice.eval.stress.tones import RATE_HZ
from autovoice.eval.stress.tremor import added_tremor_cents, added_tremor_db
from autovoice.eval.stress.undertone import undertone_share
from autovoice.eval.stress.voicing import added_voice_share, lost_voice_share
from autovoice.types import Audio

# Notes in three of the four bands, with silence between.
NOTES = (Note(0.2, 1.0, 150.0), Note(1.3, 2.1, 500.0, vowel="e"), Note(2.4, 3.2, 800.0))
PHRASE = perform(NOTES, 3.4)
HELD = perform((Note(0.1, 3.1, 220.0),), 3.2)
# Sibilants and a whisper between vowels.
HISSING = (
    Note(0.2, 0.7, 220.0),
    Noise(0.8, 1.1, "s", -26.0),
    Noise(1.2, 1.6, "a", -32.0),
    Note(1.8, 2.3, 220.0),
)
WHISPERING = perform(HISSING, 2.5)


def _times(audio: Audio, gain: Callable[[np.ndarray], np.ndarray]) -> Audio:
    """Multiply with a gain over time, given in seconds."""
    time_s = np.arange(audio.length_samples) / audio.sample_rate_hz
    samples = audio.samples * gain(time_s)
    return Audio(samples.astype(np.float32), audio.sample_rate_hz)


def _between(start_s: float, end_s: float, gain: float) -> Callable[[np.ndarray], np.ndarray]:
    return lambda time_s: np.where((time_s >= start_s) & (time_s < end_s), gain, 1.0)


def _plus_noise(audio: Audio, level_db: float, start_s: float = 0.0, end_s: float = 1e9) -> Audio:
    noise = np.random.default_rng(5).standard_normal(audio.samples.shape) * 10 ** (level_db / 20)
    time_s = np.arange(audio.length_samples) / audio.sample_rate_hz
    inside = (time_s >= start_s) & (time_s < end_s)
    return Audio((audio.samples + noise * inside).astype(np.float32), audio.sample_rate_hz)


SHORT = {score.name: score for score in made_scores() if score.seconds < 11}


@pytest.mark.parametrize("name", ["glide_up", "whispered", "vibrato", "sibilants", "breaths"])
def test_an_untouched_copy_reads_as_perfect(name: str) -> None:
    audio = made(SHORT[name]).audio
    values = {key: figure.value for key, figure in measure(audio, audio).items()}
    assert list(values) == [column.measure.key for column in COLUMNS]
    assert len([value for value in values.values() if value is not None]) >= 4
    for column in COLUMNS:
        value = values[column.measure.key]
        if value is not None:
            assert column.error(value) == pytest.approx(0.0, abs=1e-6), column.measure.key
    assert trouble(values) == pytest.approx(0.0, abs=1e-6)


def test_a_quieter_copy_has_kept_less_and_all_else() -> None:
    heard = hear(_times(PHRASE, lambda time_s: np.full_like(time_s, 0.5)), PHRASE)
    for band in ((0, 200), (400, 700), (700, np.inf)):
        assert voiced_kept_db(heard, *band) == pytest.approx(-6.02, abs=0.01)
    assert muted_high_share(heard) == 0.0
    assert added_shimmer_db(heard) == pytest.approx(0.0, abs=1e-4)
    assert gap_level_db(heard) == -80.0


def test_a_muted_high_note_reads_as_muted_in_its_band_alone() -> None:
    heard = hear(_times(PHRASE, _between(2.3, 3.3, 0.01)), PHRASE)
    assert voiced_kept_db(heard, 700.0, np.inf) == pytest.approx(-40.0, abs=0.1)
    assert voiced_kept_db(heard, 400.0, 700.0) == pytest.approx(0.0, abs=1e-3)
    # Two notes are high and equally long.
    assert muted_high_share(heard) == pytest.approx(0.5, abs=0.01)
    with pytest.raises(NotApplicable, match="found 0 sung frames from 200 to 400 Hz"):
        voiced_kept_db(heard, 200.0, 400.0)
    silent = hear(Audio(np.zeros_like(PHRASE.samples), RATE_HZ), PHRASE)
    assert muted_high_share(silent) == 1.0
    assert lost_voice_share(silent) == 1.0
    assert voiced_kept_db(silent, 700.0, np.inf) == -60.0


def test_bands_and_mutes_are_of_the_pitch_that_is_wanted() -> None:
    moved = [Note(note.start_s, note.end_s, note.from_hz / 2) for note in NOTES]
    heard = hear(perform(moved, 3.4), PHRASE, semitones=-12)
    assert voiced_kept_db(heard, 0.0, 200.0) == pytest.approx(0.0, abs=0.2)
    assert octave_jump_share(heard) == 0.0
    with pytest.raises(NotApplicable, match="over 400 Hz"):
        muted_high_share(hear(HELD, HELD))


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_a_copy_an_octave_off_reads_as_jumps(factor: float) -> None:
    wrong = perform([Note(n.start_s, n.end_s, factor * n.from_hz) for n in NOTES[:2]], 3.4)
    source = perform(NOTES[:2], 3.4)
    assert octave_jump_share(hear(wrong, source)) > 0.97
    one = perform([Note(0.2, 1.0, factor * 150.0), NOTES[1]], 3.4)
    assert octave_jump_share(hear(one, source)) == pytest.approx(0.5, abs=0.02)


def test_a_fifth_is_no_octave() -> None:
    wrong = perform([Note(n.start_s, n.end_s, 1.5 * n.from_hz) for n in NOTES[:2]], 3.4)
    source = perform(NOTES[:2], 3.4)
    assert octave_jump_share(hear(wrong, source)) < 0.02
    assert measure(wrong, source)["pitch_within_50_cents"].value == pytest.approx(0.0, abs=0.02)


@pytest.mark.parametrize("rate_hz", [5.0, 7.0, 10.0])
@pytest.mark.parametrize("cents", [15.0, 60.0])
def test_added_tremor_of_pitch_is_read_within_a_tenth(rate_hz: float, cents: float) -> None:
    note = Note(0.1, 3.1, 220.0, vibrato_hz=rate_hz, vibrato_cents=cents)
    waving = perform((note,), 3.2)
    assert added_tremor_cents(hear(waving, HELD)) == pytest.approx(cents, rel=0.1)
    # The other way round a vibrato was lost.
    assert added_tremor_cents(hear(HELD, waving)) == pytest.approx(-cents, rel=0.1)


def test_vibrato_of_the_source_is_no_tremor() -> None:
    note = Note(0.1, 3.1, 220.0, vibrato_hz=5.5, vibrato_cents=60.0)
    heard = hear(perform((note,), 3.2), perform((note,), 3.2))
    assert added_tremor_cents(heard) == 0.0
    slow = Note(0.1, 3.1, 220.0, vibrato_hz=1.0, vibrato_cents=60.0)
    assert abs(added_tremor_cents(hear(perform((slow,), 3.2), HELD))) < 3.0


@pytest.mark.parametrize("rate_hz", [5.0, 8.0, 11.0])
def test_added_tremor_of_level_is_read_within_a_tenth(rate_hz: float) -> None:
    shaking = _times(HELD, lambda t: 10 ** (3.0 * np.sin(2 * np.pi * rate_hz * t) / 20))
    assert added_tremor_db(hear(shaking, HELD)) == pytest.approx(3.0, rel=0.1)
    assert added_tremor_cents(hear(shaking, HELD)) == pytest.approx(0.0, abs=1.0)


def test_tremor_needs_a_second_of_note() -> None:
    short = perform((Note(0.1, 0.9, 220.0),), 1.0)
    for tremor in (added_tremor_cents, added_tremor_db):
        with pytest.raises(NotApplicable, match="found no stretch of 1 s"):
            tremor(hear(short, short))


def test_jitter_is_the_distance_from_the_middle_of_the_neighbours() -> None:
    still = np.full(300, 220.0)
    shaken = still * 2.0 ** (np.where(np.arange(300) % 2, 10.0, -10.0) / 1200)
    # Up and down by 10 cents: each frame is 20 cents from its neighbours.
    assert added_jitter_cents(_curves(shaken, still)) == pytest.approx(20.0)
    assert added_jitter_cents(_curves(still, shaken)) == pytest.approx(-20.0)
    slid = 220.0 * 2.0 ** (np.arange(300) / 300)
    assert added_jitter_cents(_curves(slid, slid)) == 0.0
    with pytest.raises(NotApplicable, match="needs 20"):
        added_jitter_cents(_curves(np.zeros(300), still))


def test_jitter_is_heard_in_sound() -> None:
    note = Note(0.1, 3.1, 220.0, vibrato_hz=18.0, vibrato_cents=20.0)
    assert added_jitter_cents(hear(perform((note,), 3.2), HELD)) > 2.0


def test_shimmer_of_a_known_size_is_read() -> None:
    depth_db, rate_hz = 1.0, 20.0
    shaking = _times(HELD, lambda t: 10 ** (depth_db * np.sin(2 * np.pi * rate_hz * t) / 20))
    # A sine of 20 Hz through a Hann window of 25 ms, bent between frames of 10 ms.
    through = np.sinc(0.5) / (1 - 0.5**2)
    bent = depth_db * through * (1 - np.cos(2 * np.pi * rate_hz * 0.01)) * 2 / np.pi
    assert added_shimmer_db(hear(shaking, HELD)) == pytest.approx(bent, rel=0.1)


@pytest.mark.parametrize("pitch_hz", [110.0, 220.0, 440.0, 880.0])
@pytest.mark.parametrize("ratio_db", [5.0, 10.0, 20.0])
def test_hoarseness_is_the_ratio_of_harmonics_to_noise(pitch_hz: float, ratio_db: float) -> None:
    clear = perform((Note(0.1, 2.1, pitch_hz),), 2.2)
    hoarse = _plus_noise(clear, -20.0 - ratio_db)
    f0_hz = np.full(221, pitch_hz)
    frames = np.zeros(221, dtype=bool)
    frames[20:200] = True
    found = harmonics_db(hoarse, f0_hz, frames)
    assert found.shape == (180,)
    assert np.mean(found) == pytest.approx(ratio_db, abs=1.5)
    # A clear tone reads the limit, 25 dB.
    assert harmonics_change_db(hear(hoarse, clear)) == pytest.approx(ratio_db - 25.0, abs=1.5)


@pytest.mark.parametrize("vowel", ["a", "i", "u"])
def test_a_note_that_became_a_whisper_has_lost_its_voice(vowel: str) -> None:
    whisper = perform((NOTES[0], Noise(1.3, 2.1, vowel, -20.0), NOTES[2]), 3.4)
    heard = hear(whisper, PHRASE)
    assert lost_voice_share(heard) == pytest.approx(1 / 3, abs=0.03)
    assert lost_voice_share(hear(PHRASE, PHRASE)) == 0.0


def test_noise_does_not_hide_high_notes() -> None:
    """Harvest hears no pitch in four of five of these frames."""
    high = perform((Note(0.1, 2.1, 880.0),), 2.2)
    heard = hear(_plus_noise(high, -35.0), high)
    assert np.mean(heard.output_hz[heard.sung] > 0) < 0.2
    assert lost_voice_share(heard) == 0.0
    assert muted_high_share(heard) == 0.0
    assert voiced_kept_db(heard, 700.0, np.inf) == pytest.approx(0.0, abs=0.1)


def test_noise_and_a_hum_in_the_place_of_a_note_are_no_note() -> None:
    high = perform((Note(0.1, 2.1, 880.0),), 2.2)
    hum = perform(
        (Note(0.1, 2.1, 880.0, level_db=-50.0), Note(0.1, 2.1, 160.0, tilt_db=-24.0)), 2.2
    )
    heard = hear(hum, high)
    assert voiced_kept_db(heard, 700.0, np.inf) < -20.0
    assert muted_high_share(heard) > 0.9
    assert undertone_share(heard) > 0.9
    hiss = perform((Noise(0.1, 2.1, "s", -20.0),), 2.2)
    assert voiced_kept_db(hear(hiss, high), 700.0, np.inf) < -10.0


@pytest.mark.parametrize("pitch_hz", [110.0, 440.0, 880.0])
def test_the_power_of_a_note_is_found_in_noise(pitch_hz: float) -> None:
    clear = perform((Note(0.1, 2.1, pitch_hz),), 2.2)
    frames = np.zeros(221, dtype=bool)
    frames[20:200] = True
    for audio in (clear, _plus_noise(clear, -25.0)):
        power = note_power(audio, np.full(221, pitch_hz), frames)
        assert 10 * np.log10(power.note.mean()) == pytest.approx(-20.0, abs=0.3)
    assert 10 * np.log10(power.whole.mean()) == pytest.approx(-18.8, abs=0.4)


def test_a_hum_under_the_note_has_its_share() -> None:
    hum = perform((Note(0.1, 3.1, 220.0), Note(0.1, 3.1, 80.0, level_db=-23.0, tilt_db=-40.0)), 3.2)
    assert undertone_share(hear(hum, HELD)) == pytest.approx(1 / 3, abs=0.03)
    assert undertone_share(hear(HELD, HELD)) == 0.0
    with pytest.raises(NotApplicable, match="sound in the output"):
        undertone_share(hear(Audio(np.zeros_like(HELD.samples), RATE_HZ), HELD))


def test_noise_that_became_a_hum_has_got_a_voice() -> None:
    humming = perform((*HISSING[:2], Note(1.2, 1.6, 220.0, level_db=-32.0), HISSING[3]), 2.5)
    heard = hear(humming, WHISPERING)
    # 0.4 of 0.7 s, less 30 ms at their ends.
    assert added_voice_share(heard) == pytest.approx(0.57, abs=0.06)
    assert added_voice_share(hear(WHISPERING, WHISPERING)) == 0.0
    with pytest.raises(NotApplicable, match="unvoiced sounding frames"):
        added_voice_share(hear(HELD, HELD))


def test_quieter_noise_is_read() -> None:
    quiet = _times(WHISPERING, _between(0.75, 1.7, 0.1))
    assert unvoiced_kept_db(hear(quiet, WHISPERING)) == pytest.approx(-20.0, abs=0.3)


def test_noise_that_rings_is_less_flat() -> None:
    buzz = perform(
        (*HISSING[:1], *(Note(a, b, 300.0, vowel="e", level_db=-28.0, tilt_db=0.0)
                         for a, b in ((0.8, 1.1), (1.2, 1.6))), HISSING[3]), 2.5,
    )  # fmt: skip
    assert flatness_change_db(hear(buzz, WHISPERING)) < -5.0
    with pytest.raises(NotApplicable, match="sound in the output"):
        flatness_change_db(hear(_times(WHISPERING, _between(0.75, 1.7, 0.0)), WHISPERING))


def test_other_noise_of_the_same_kind_is_as_flat() -> None:
    def hissing(silent: int) -> Audio:
        begun = [Noise(0.0, 0.01, "s", -150.0)] * silent  # the number of an event is its seed
        return perform(
            [*begun, HISSING[0], Noise(0.8, 1.8, "s", -26.0), Noise(1.9, 2.9, "a", -32.0)], 3.0
        )

    changes = [flatness_change_db(hear(hissing(seed), hissing(0))) for seed in range(1, 5)]
    assert np.abs(changes).max() < 0.6


@pytest.mark.parametrize("level_db", [-60.0, -50.0, -30.0])
def test_noise_in_gaps_is_found_with_its_level(level_db: float) -> None:
    noisy = _plus_noise(PHRASE, -20.0 + level_db, 1.05, 1.25)
    figures = measure(noisy, PHRASE)
    # The gaps: 0 to 0.15, 1.05 to 1.25, 2.15 to 2.35 and 3.25 to 3.4 s.
    share = 0.2 / 0.7
    wanted = level_db + 10 * np.log10(share)
    assert figures["gap_level_db"].value == pytest.approx(wanted, abs=1.0)
    heard = share if level_db > -50.0 else 0.0
    if level_db != -50.0:
        assert figures["gap_noise_share"].value == pytest.approx(heard, abs=0.05)


def test_what_cannot_be_laid_side_by_side_gives_a_reason_for_every_figure() -> None:
    short = Audio(PHRASE.samples[:, :RATE_HZ], RATE_HZ)
    figures = measure(short, PHRASE)
    assert all("at most 0.5 s apart" in (figure.why_not or "") for figure in figures.values())
    silence = Audio(np.zeros((1, RATE_HZ), np.float32), RATE_HZ)
    assert "source is silent" in (measure(short, silence)["jitter_cents"].why_not or "")


def test_rates_and_channels_may_differ() -> None:
    doubled = np.tile(np.repeat(PHRASE.samples, 2, axis=1), (2, 1))
    figures = measure(Audio(doubled, 2 * RATE_HZ), PHRASE)
    assert figures["kept_over_700_db"].value == pytest.approx(0.0, abs=0.3)
    assert figures["octave_jump_share"].value == 0.0
    assert figures["pitch_within_50_cents"].value == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize("cents", [40.0, 60.0])
def test_a_slide_that_is_out_of_tune_is_not_taken_for_a_late_one(cents: float) -> None:
    source = perform((Note(0.2, 2.2, 200.0, 800.0),), 2.4)
    factor = 2.0 ** (cents / 1200.0)
    output = perform((Note(0.2, 2.2, 200.0 * factor, 800.0 * factor),), 2.4)
    share = measure(output, source)["pitch_within_50_cents"].value
    assert share == pytest.approx(float(cents < 50.0), abs=0.05)


def _curves(output_hz: np.ndarray, wanted_hz: np.ndarray) -> Heard:
    """Return a pair of which only the pitch matters."""
    silence, level = Audio(np.zeros((1, 1), np.float32), RATE_HZ), np.zeros_like(wanted_hz)
    return Heard(silence, silence, output_hz, wanted_hz, wanted_hz, level, level)
