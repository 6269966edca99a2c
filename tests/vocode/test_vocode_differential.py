"""The source's excitation with another colour: against sounds whose spectra are known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import signal

from autovoice.errors import InputError
from autovoice.types import FloatArray, Pitch
from autovoice.vocode import differential
from autovoice.vocode.differential import DifferentialOptions, carry_excitation, strength_for

RATE_HZ = 24_000
HOP_S = 0.008


def _pitch(f0_hz: FloatArray) -> Pitch:
    return Pitch(f0_hz.astype(np.float32), np.ones(len(f0_hz), np.float32), HOP_S)


def _steady(hz: float, seconds: float) -> Pitch:
    return _pitch(np.full(round(seconds / HOP_S) + 1, hz))


def _voice(hz: float, seconds: float, harmonics: int = 120) -> FloatArray:
    at = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    orders = [k for k in range(1, harmonics + 1) if k * hz < 0.9 * RATE_HZ / 2]
    waves = sum(np.cos(2 * np.pi * k * hz * at + k * k) / k for k in orders)
    return (0.05 * waves).astype(np.float32)


def _coloured(sound: FloatArray, db: float = 12.0) -> FloatArray:
    """Boost around 1.5 kHz by ``db``, with no delay."""
    hz = np.fft.rfftfreq(len(sound), 1 / RATE_HZ)
    curve_db = db * np.exp(-0.5 * (np.log2(np.maximum(hz, 1) / 1_500) / 0.5) ** 2)
    return np.fft.irfft(np.fft.rfft(sound) * 10 ** (curve_db / 20), len(sound)).astype(np.float32)


def _band_db(sound: FloatArray, low_hz: float, high_hz: float) -> float:
    hz, power = signal.welch(sound[2_400:-2_400], RATE_HZ, nperseg=4_096)
    return float(10 * np.log10(power[(hz >= low_hz) & (hz < high_hz)].sum()))


@pytest.mark.parametrize("hz", [90.0, 220.0, 700.0])
def test_its_own_colour_changes_nothing(hz: float) -> None:
    source = _voice(hz, 1.0)
    made = carry_excitation(source, source, _steady(hz, 1.0))
    assert np.abs(made - source).max() < 1e-4


@pytest.mark.parametrize("hz", [110.0, 220.0, 440.0])
def test_the_colour_comes_and_the_waveform_stays(hz: float) -> None:
    source = _voice(hz, 1.0)
    wanted = _coloured(source)
    made = carry_excitation(source, wanted, _steady(hz, 1.0))
    level_db = _band_db(made, 3_000, 6_000) - _band_db(wanted, 3_000, 6_000)
    for low_hz, high_hz in ((300, 700), (1_000, 2_000), (6_000, 8_000)):
        apart_db = _band_db(made, low_hz, high_hz) - _band_db(wanted, low_hz, high_hz)
        assert apart_db == pytest.approx(level_db, abs=1.5)
    # No delay, no other phase: it correlates with what a filter without delay would have made.
    middle = slice(2_400, -2_400)
    assert np.corrcoef(made[middle], wanted[middle])[0, 1] > 0.97


def test_what_has_no_pitch_is_the_source_at_the_given_level() -> None:
    chance = np.random.default_rng(5)
    source = (0.02 * chance.standard_normal(RATE_HZ)).astype(np.float32)
    other = (0.10 * chance.standard_normal(RATE_HZ)).astype(np.float32)
    f0_hz = np.zeros(126)
    np.testing.assert_allclose(
        carry_excitation(source, other, _pitch(f0_hz), gain=3.0), 3.0 * source, rtol=1e-6
    )
    f0_hz[:40] = 200.0  # the rest stays as it is, a few hops after the note
    options = DifferentialOptions(unvoiced_share=0.0)
    made = carry_excitation(source, other, _pitch(f0_hz), gain=3.0, options=options)
    after = round(0.36 * RATE_HZ)
    np.testing.assert_allclose(made[after:], 3.0 * source[after:], atol=1e-4)
    assert np.abs(made[:after] - 3.0 * source[:after]).max() > 0.01


def test_breath_gets_the_mean_colour_above_the_tails() -> None:
    note, breath = _voice(220.0, 1.0), 0.01 * np.random.default_rng(6).standard_normal(RATE_HZ)
    source = np.concatenate([note, breath]).astype(np.float32)
    wanted = np.concatenate([_coloured(note), np.zeros(RATE_HZ)]).astype(np.float32)
    f0_hz = np.concatenate([np.full(125, 220.0), np.zeros(126)])
    made = carry_excitation(source, wanted, _pitch(f0_hz))[RATE_HZ:]

    def gained(low_hz: float, high_hz: float) -> float:
        return _band_db(made, low_hz, high_hz) - _band_db(source[RATE_HZ:], low_hz, high_hz)

    coloured_db = gained(1_300, 1_700) - gained(8_000, 11_000)
    assert coloured_db == pytest.approx(0.8 * 12.0, abs=1.5)
    assert gained(50, 240) == pytest.approx(0.0, abs=0.2)


def test_a_louder_decoder_does_not_set_the_voice_against_the_breath() -> None:
    note, breath = _voice(220.0, 1.0), 0.01 * np.random.default_rng(6).standard_normal(RATE_HZ)
    source = np.concatenate([note, breath]).astype(np.float32)
    f0_hz = np.concatenate([np.full(125, 220.0), np.zeros(126)])
    options = DifferentialOptions(strength=1.4)
    made = carry_excitation(source, 5 * source, _pitch(f0_hz), options=options)
    for part in (slice(RATE_HZ), slice(RATE_HZ, None)):
        gained_db = _band_db(made[part], 600, 8_000) - _band_db(source[part], 600, 8_000)
        assert gained_db == pytest.approx(0.0, abs=0.3)


def test_blocks_give_what_the_whole_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    source = _voice(180.0, 3.0)
    wanted = _coloured(source)
    whole = carry_excitation(source, wanted, _steady(180.0, 3.0))
    monkeypatch.setattr(differential, "BLOCK_HOPS", 130)
    blocks = carry_excitation(source, wanted, _steady(180.0, 3.0))
    apart = np.abs(whole - blocks).max() / np.abs(whole).max()
    assert 20 * np.log10(apart + 1e-12) < -60


@pytest.mark.parametrize("samples", [1, 119, 121, 513, 24_001])
def test_any_length_comes_back_finite(samples: int) -> None:
    source = _voice(200.0, 1.1)[:samples]
    made = carry_excitation(source, 0 * source, _steady(200.0, 1.1))
    assert made.shape == source.shape
    assert np.isfinite(made).all()


def test_the_filter_keeps_to_its_bounds() -> None:
    source = _voice(200.0, 1.0)
    options = DifferentialOptions(most_gain_db=3.0, least_gain_db=-3.0, smooth_hops=1)
    made = carry_excitation(source, _coloured(source, 30.0), _steady(200.0, 1.0), options=options)
    boosted, cut = (
        _band_db(made, *band) - _band_db(source, *band) for band in ((1_300, 1_700), (6_000, 9_000))
    )
    assert boosted == pytest.approx(3.0, abs=0.1)
    assert cut == pytest.approx(-3.0, abs=0.1)


def test_two_lengths_are_refused() -> None:
    with pytest.raises(InputError, match="one length"):
        carry_excitation(np.zeros(10, np.float32), np.zeros(9, np.float32), _steady(200.0, 0.1))


def test_no_pitch_at_all_is_the_source() -> None:
    source = _voice(200.0, 0.2)
    empty = Pitch(np.zeros(0, np.float32), np.zeros(0, np.float32), HOP_S)
    np.testing.assert_array_equal(carry_excitation(source, 0 * source, empty), source)


def test_strangers_are_told_apart_more_clearly_than_they_are_decoded() -> None:
    assert strength_for(0.5) == strength_for(0.78) == pytest.approx(1.4)
    assert strength_for(0.88) == strength_for(1.0) == 1.0
    assert 1.0 < strength_for(0.83) < 1.4
    source = _voice(220.0, 1.0)
    wanted = _coloured(source, 6.0)
    plain, strong = (
        carry_excitation(
            source, wanted, _steady(220.0, 1.0), options=DifferentialOptions(strength=strength)
        )
        for strength in (1.0, 1.4)
    )
    high, low = (
        _band_db(strong, *band) - _band_db(plain, *band)
        for band in ((1_300, 1_700), (6_000, 9_000))
    )
    gained = high - low
    assert gained == pytest.approx(0.4 * 6.0, abs=0.8)


@pytest.mark.parametrize("hz", [0.0, 200.0])
def test_it_writes_where_it_is_told(hz: float) -> None:
    source = _voice(200.0, 0.3)
    wanted = _coloured(source)
    out = np.zeros_like(source)
    made = carry_excitation(source, wanted, _steady(hz, 0.3), out=out)
    assert made is out
    np.testing.assert_array_equal(out, carry_excitation(source, wanted, _steady(hz, 0.3)))


def _late(sound: FloatArray, db: float) -> FloatArray:
    """Boost the second half around 1.5 kHz: what a decoder gets wrong in one vowel."""
    half = np.clip((np.arange(len(sound)) / len(sound) - 0.5) * 100 + 0.5, 0, 1)
    return ((1 - half) * sound + half * _coloured(sound, db)).astype(np.float32)


def _step_db(sound: FloatArray) -> float:
    """How much more there is around 1.5 kHz in the second half, against 4 kHz."""
    first, second = np.split(sound, 2)
    steps = [
        _band_db(second, low_hz, high_hz) - _band_db(first, low_hz, high_hz)
        for low_hz, high_hz in ((1_300, 1_700), (4_000, 6_000))
    ]
    return steps[0] - steps[1]


def test_what_the_decoder_gets_wrong_in_both_voices_falls_out() -> None:
    source, pitch = _voice(220.0, 2.0), _steady(220.0, 2.0)
    converted, own = _late(_coloured(source, 6.0), 9.0), _late(source, 9.0)
    assert _step_db(carry_excitation(source, converted, pitch)) > 6
    assert abs(_step_db(carry_excitation(source, converted, pitch, own=own))) < 0.5


def test_the_mean_colour_is_that_of_the_converted_vocal_whatever_the_own_voice() -> None:
    source, pitch = _voice(220.0, 2.0), _steady(220.0, 2.0)
    converted = _coloured(source, 9.0)
    wanted = carry_excitation(source, converted, pitch)
    for own in (source, _coloured(source, -12.0)):
        made = carry_excitation(source, converted, pitch, own=own)
        inner = slice(4_800, -4_800)  # at the edges the sound itself changes over time
        assert np.abs(made - wanted)[inner].max() < 2e-3 * np.abs(wanted).max()


def test_long_vocals_hear_their_own_voice_in_blocks_as_in_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source, pitch = _voice(220.0, 2.0), _steady(220.0, 2.0)
    converted, own = _late(_coloured(source, 6.0), 9.0), _late(source, 4.0)
    whole = carry_excitation(source, converted, pitch, own=own)
    monkeypatch.setattr(differential, "BLOCK_HOPS", 90)
    made = carry_excitation(source, converted, pitch, own=own)
    assert np.abs(made - whole).max() < 1e-5


def test_an_own_voice_of_another_length_is_refused() -> None:
    source = _voice(220.0, 0.5)
    with pytest.raises(InputError, match="of one length"):
        carry_excitation(source, source, _steady(220.0, 0.5), own=source[:-1])


def test_strangers_are_measured_against_the_recording() -> None:
    shares = [differential.own_share_for(nearness) for nearness in (0.5, 0.78, 0.83, 0.88, 1.0)]
    assert shares == pytest.approx([0, 0, 0.5, 1, 1])
    source, pitch = _voice(220.0, 1.0), _steady(220.0, 1.0)
    converted, own = _late(_coloured(source, 6.0), 9.0), _late(source, 9.0)
    none = DifferentialOptions(own_share=0.0)
    made = carry_excitation(source, converted, pitch, own=own, options=none)
    np.testing.assert_allclose(made, carry_excitation(source, converted, pitch), atol=1e-6)
