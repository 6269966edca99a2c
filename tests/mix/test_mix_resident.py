from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.heard_ops import ASKING, HeardOps

from autovoice.errors import InputError
from autovoice.mix import MixOptions, limiter, mixdown
from autovoice.mix.resident import ResidentMixer
from autovoice.mix.resident.mixer import LONGEST_S, mixed
from autovoice.types import Audio, Stems

RATE_HZ = 44_100
MOST_DB = -120.0


def phrases(seconds: float, rate_hz: int, f0_hz: float, level: float) -> np.ndarray:
    time_s = np.arange(round(seconds * rate_hz)) / rate_hz
    wave = sum(np.sin(2 * np.pi * f0_hz * k * time_s + k * k) / k for k in range(1, 40))
    return (level * wave * (time_s % 0.8 < 0.6)).astype(np.float32)


def case(
    length: int, gains: tuple[float, ...] = (0.6, 0.3), backing: float = 0.05, new: float = 0.1
) -> tuple[Audio, Stems]:
    seconds = length / RATE_HZ
    vocal = np.outer(gains, phrases(seconds, RATE_HZ, 220.0, 0.2))[:, :length].astype(np.float32)
    noise = np.random.default_rng(length).standard_normal(vocal.shape).astype(np.float32)
    stems = Stems(Audio(vocal, RATE_HZ), Audio(backing * noise, RATE_HZ, {"title": "song"}))
    return Audio(phrases(seconds + 0.1, 24_000, 330.0, new)[None], 24_000), stems


def difference_db(found: Audio, wanted: Audio) -> float:
    assert found.samples.shape == wanted.samples.shape
    power = np.mean(wanted.samples.astype(np.float64) ** 2)
    apart = np.mean((found.samples - wanted.samples).astype(np.float64) ** 2)
    return 10 * np.log10((apart + 1e-32) / (power + 1e-18))


@pytest.fixture(scope="module")
def mixer() -> ResidentMixer:
    return ResidentMixer()


CASES = {
    "plain": (case(2 * RATE_HZ), None),
    "no whole step": (case(71_003), None),
    "very short": (case(9_001), None),
    "one side": (case(RATE_HZ, gains=(0.8, 0.0)), None),
    "mono": (case(RATE_HZ, gains=(0.8,)), None),
    "four channels": (case(RATE_HZ, gains=(0.8, 0.1, 0.2, 0.4)), None),
    "limited": (case(2 * RATE_HZ, backing=0.4), MixOptions(vocal_gain_db=12, ceiling_dbtp=-3)),
    "dynamics kept": (case(RATE_HZ), MixOptions(follow_dynamics=0.0)),
    "silent source": (case(RATE_HZ, gains=(0.0, 0.0)), None),
    "silent voice": (case(RATE_HZ, new=0.0), None),
}


@pytest.mark.parametrize("name", CASES)
def test_the_mix_is_that_of_the_plain_way(mixer: ResidentMixer, name: str) -> None:
    (converted, stems), options = CASES[name]
    wanted, found = mixdown(converted, stems, options), mixer.mixdown(converted, stems, options)
    assert difference_db(found.mix, wanted.mix) < MOST_DB
    assert difference_db(found.vocal, wanted.vocal) < MOST_DB
    assert found.mix.metadata == {"title": "song"}


def test_low_rates_have_no_air_and_are_the_same(mixer: ResidentMixer) -> None:
    converted, stems = case(RATE_HZ)
    low = Stems(*(Audio(x.samples[:, :16_000], 16_000) for x in (stems.vocals, stems.backing)))
    wanted, found = mixdown(converted, low), mixer.mixdown(converted, low)
    assert difference_db(found.mix, wanted.mix) < MOST_DB


def test_songs_of_one_pass_do_not_hear_one_another(mixer: ResidentMixer) -> None:
    loud, quiet = case(RATE_HZ, backing=0.6, new=0.9), case(RATE_HZ - 1_000)
    songs = [mixer.song(*each, MixOptions()) for each in (loud, quiet)]
    with torch.inference_mode():
        together = mixer._run(songs)
    for (mix, vocal), song in zip(together, (loud, quiet), strict=True):
        alone = mixer.mixdown(*song)
        rate = song[1].vocals.sample_rate_hz
        assert difference_db(Audio(mix, rate), alone.mix) < MOST_DB
        assert difference_db(Audio(vocal, rate), alone.vocal) < MOST_DB


def test_what_one_pass_of_the_limiter_leaves_over_is_limited_again(
    mixer: ResidentMixer, monkeypatch: pytest.MonkeyPatch
) -> None:
    converted, stems = case(RATE_HZ)
    hot = 3 * np.stack([stems.vocals.samples, stems.backing.samples])
    sound, peaks = torch.from_numpy(hot)[:, None], torch.tensor([[3.0], [1.0]])
    song, lengths = mixer.song(converted, stems, MixOptions()), torch.tensor([RATE_HZ])
    assert mixer._again(sound, peaks * 0.1, peaks.numpy() * 0.1, lengths, song) is None
    found = mixer._again(sound, peaks, peaks.numpy(), lengths, song)
    assert found is not None
    monkeypatch.setattr(limiter, "PASSES", 2)
    for one, whole in zip(found[:, 0], hot, strict=True):
        wanted = limiter.limit(whole, RATE_HZ)
        assert difference_db(Audio(one, RATE_HZ), Audio(wanted, RATE_HZ)) < MOST_DB
        assert limiter.block_peaks(one, 16).max() <= 10 ** (-1 / 20)


def test_what_is_not_finite_is_silence(mixer: ResidentMixer) -> None:
    converted, stems = case(RATE_HZ)
    broken = converted.samples.copy()
    broken[0, 7_000:7_100] = np.nan
    found = mixer.mixdown(Audio(broken, 24_000), stems)
    assert np.isfinite(found.mix.samples).all()
    wanted = mixdown(Audio(np.nan_to_num(broken), 24_000), stems)
    assert difference_db(found.mix, wanted.mix) < MOST_DB


def test_what_it_cannot_do_it_says(mixer: ResidentMixer) -> None:
    converted, stems = case(RATE_HZ)
    shorter = Audio(converted.samples[:, :9_000], 24_000)
    assert not mixer.fits(shorter, stems)
    with pytest.raises(InputError, match=r"found 1\.0 s at 44100 Hz, expected up to 30 s"):
        mixer.mixdown(shorter, stems)
    odd = Audio(stems.vocals.samples, 44_101)
    assert not mixer.fits(converted, Stems(odd, odd))
    length = round((LONGEST_S + 1) * 8_000)
    long = Audio(np.zeros((1, length), np.float32), 8_000)
    assert not mixer.fits(Audio(np.zeros((1, 3 * length), np.float32), 24_000), Stems(long, long))


def test_the_device_is_asked_nothing(mixer: ResidentMixer) -> None:
    converted, stems = case(RATE_HZ)
    song = mixer.song(converted, stems, MixOptions())
    tensors = [torch.from_numpy(x)[None] for x in (song.converted, song.vocals, song.backing)]
    lengths = torch.tensor([RATE_HZ])
    with torch.inference_mode(), HeardOps() as ops:
        mixed(*tensors, lengths, converted_hz=24_000, manner=song.manner, ceiling_dbtp=-1.0)
    assert len(ops.names) > 50
    assert not set(ops.names) & set(ASKING)
