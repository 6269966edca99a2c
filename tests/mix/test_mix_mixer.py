from __future__ import annotations

import numpy as np
import pytest

from autovoice.errors import InputError
from autovoice.mix import MixOptions, mix, mixdown, place_vocal
from autovoice.mix.loudness import integrated_lufs
from autovoice.mix.stereo import pan_gains
from autovoice.types import Audio, Stems

RATE_HZ = 44100


def voice(seconds: float, rate_hz: int, f0_hz: float = 220.0, level: float = 0.2) -> np.ndarray:
    """Return a buzz in phrases of 0.7 s with pauses of 0.3 s."""
    time_s = np.arange(round(seconds * rate_hz)) / rate_hz
    wave = sum(np.sin(2 * np.pi * f0_hz * k * time_s) / k for k in range(1, 8))
    return (level * wave * (time_s % 1.0 < 0.7)).astype(np.float32)


def song(gains: tuple[float, ...], seconds: float = 4.0, backing: float = 0.05) -> Stems:
    vocal = np.outer(gains, voice(seconds, RATE_HZ)).astype(np.float32)
    noise = np.random.default_rng(0).standard_normal(vocal.shape).astype(np.float32)
    return Stems(Audio(vocal, RATE_HZ), Audio(backing * noise, RATE_HZ, {"title": "song"}))


def new_voice(level: float, seconds: float = 4.0) -> Audio:
    return Audio(voice(seconds, 24000, 330.0, level)[None], 24000)


@pytest.mark.parametrize("level", [0.003, 0.05, 0.9])
@pytest.mark.parametrize("follow", [0.0, 1.0])
def test_loudness_is_that_of_the_source(level: float, follow: float) -> None:
    stems = song((0.5, 0.5))
    placed = place_vocal(new_voice(level), stems, MixOptions(follow_dynamics=follow))
    wanted = integrated_lufs(stems.vocals.samples, RATE_HZ)
    assert integrated_lufs(placed.samples, RATE_HZ) == pytest.approx(wanted, abs=0.5)


def test_vocal_gain_is_added() -> None:
    stems = song((0.3, 0.3))
    plain, louder = (
        place_vocal(new_voice(0.1), stems, MixOptions(vocal_gain_db=db)).samples for db in (0, 3)
    )
    np.testing.assert_allclose(louder, plain * 10 ** (3 / 20), atol=1e-6)


def test_a_vocal_on_the_left_stays_on_the_left() -> None:
    placed = place_vocal(new_voice(0.1), song((0.8, 0.0))).samples
    assert np.abs(placed[0]).max() > 0.1
    assert not placed[1].any()


def test_a_half_panned_vocal_keeps_its_ratio_and_phase() -> None:
    placed = place_vocal(new_voice(0.1), song((0.6, 0.3))).samples
    rms = np.sqrt(np.mean(placed**2, axis=1))
    assert rms[0] / rms[1] == pytest.approx(2.0, rel=0.01)
    assert np.corrcoef(placed)[0, 1] > 0.999


def test_a_vocal_that_changes_sides_is_followed() -> None:
    vocal = voice(8.0, RATE_HZ)
    left = np.arange(vocal.size) < vocal.size // 2
    stems = Stems(
        Audio(np.stack([vocal * left, vocal * ~left]), RATE_HZ),
        Audio(np.zeros((2, vocal.size), np.float32), RATE_HZ),
    )
    placed = place_vocal(new_voice(0.1, 8.0), stems).samples
    powers = np.square(placed).reshape(2, 8, -1).mean(axis=2)
    assert powers[0, :3].min() > 50 * powers[1, :3].max()
    assert powers[1, 5:].min() > 50 * powers[0, 5:].max()


def test_pan_gains_neither_add_nor_lose_power() -> None:
    powers = np.random.default_rng(1).random((3, 40))
    np.testing.assert_allclose(np.square(pan_gains(powers)).sum(axis=0), 1.0)
    np.testing.assert_allclose(pan_gains(np.zeros((4, 5))), 0.5)
    assert pan_gains(np.zeros((2, 0))).shape == (2, 0)


def test_loud_and_soft_phrases_are_those_of_the_source() -> None:
    shape = np.repeat([1.0, 0.5], 4 * RATE_HZ).astype(np.float32)
    vocal = voice(8.0, RATE_HZ) * shape
    stems = Stems(
        Audio(vocal[None], RATE_HZ), Audio(np.zeros((1, vocal.size), np.float32), RATE_HZ)
    )
    halves = [
        np.sqrt(np.mean(half**2))
        for half in np.split(place_vocal(new_voice(0.1, 8.0), stems).samples[0], 2)
    ]
    assert 20 * np.log10(halves[0] / halves[1]) == pytest.approx(6.0, abs=0.7)


@pytest.mark.parametrize("channels", [1, 2, 8])
@pytest.mark.parametrize("length", [1, 441, 44101, 99999])
@pytest.mark.parametrize("seconds", [0.0, 1.7, 3.0])
def test_the_mix_is_as_long_as_the_song(channels: int, length: int, seconds: float) -> None:
    rng = np.random.default_rng(length)
    stems = Stems(
        *(
            Audio((0.3 * rng.standard_normal((channels, length))).astype(np.float32), RATE_HZ)
            for _ in range(2)
        )
    )
    done = mixdown(new_voice(0.1, seconds), stems)
    for audio in (done.mix, done.vocal):
        assert audio.samples.shape == (channels, length)
        assert audio.sample_rate_hz == RATE_HZ
        assert np.all(np.isfinite(audio.samples))
        assert np.abs(audio.samples).max() <= 10 ** (-1 / 20)


def test_a_quiet_mix_is_the_sum_and_keeps_the_tags() -> None:
    stems = song((0.2, 0.2))
    done = mixdown(new_voice(0.1), stems)
    np.testing.assert_allclose(
        done.mix.samples, done.vocal.samples + stems.backing.samples, atol=1e-6
    )
    assert done.mix.metadata == {"title": "song"}
    np.testing.assert_array_equal(mix(new_voice(0.1), stems).samples, done.mix.samples)


def test_a_hot_mix_is_limited() -> None:
    done = mix(new_voice(0.1), song((1.0, 1.0), backing=0.4))
    assert np.abs(done.samples).max() <= 10 ** (-1 / 20)


def test_silence_stays_silent() -> None:
    silent = Audio(np.zeros((2, 50_000), np.float32), RATE_HZ)
    assert not mix(new_voice(0.1), Stems(silent, silent)).samples.any()
    stems = song((0.5, 0.5))
    nothing = Audio(np.zeros((1, 96_000), np.float32), 24000)
    assert not place_vocal(nothing, stems).samples.any()
    assert not mix(nothing, Stems(silent, silent)).samples.any()


def test_noise_in_the_pauses_of_the_source_is_not_raised() -> None:
    vocal = voice(8.0, RATE_HZ)
    vocal[3 * RATE_HZ : 6 * RATE_HZ] = 0
    stems = Stems(
        Audio(vocal[None], RATE_HZ), Audio(np.zeros((1, vocal.size), np.float32), RATE_HZ)
    )
    hiss = 0.01 * np.random.default_rng(2).standard_normal(8 * 24000).astype(np.float32)
    sung = voice(8.0, 24000) * (np.arange(8 * 24000) // 24000 % 8 < 3)
    placed = place_vocal(Audio((sung + hiss)[None], 24000), stems).samples[0]
    pause = placed[4 * RATE_HZ : 5 * RATE_HZ]
    assert np.sqrt(np.mean(pause**2)) < 0.01


def test_a_converted_vocal_that_is_not_finite_is_mended(caplog: pytest.LogCaptureFixture) -> None:
    broken = new_voice(0.1).samples.copy()
    broken[0, 5000:5010] = [np.nan, np.inf] * 5
    done = mix(Audio(broken, 24000), song((0.5, 0.5)))
    assert np.all(np.isfinite(done.samples))
    assert "NaN" in caplog.text


def test_a_vocal_that_stops_early_does_not_click() -> None:
    flat = Audio(np.full((1, 24000), 0.5, np.float32), 24000)
    placed = place_vocal(flat, song((0.5, 0.5))).samples
    assert np.abs(np.diff(placed[0, 40_000:50_000])).max() < 0.02


def test_stems_that_do_not_match_are_refused() -> None:
    stems = song((0.5, 0.5))
    shorter = Audio(stems.backing.samples[:, :-1], RATE_HZ)
    with pytest.raises(InputError, match="same shape and rate"):
        mix(new_voice(0.1), Stems(stems.vocals, shorter))


@pytest.mark.parametrize(
    "options", [{"follow_dynamics": 1.1}, {"vocal_gain_db": 40.0}, {"ceiling_dbtp": 1.0}]
)
def test_options_out_of_range_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(InputError, match=next(iter(options))):
        MixOptions(**options)
