from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.heard_ops import ASKING, HeardOps
from tests.mix.mix_cases import CASES, MOST_DB, RATE_HZ, case, difference_db

from autovoice.errors import InputError
from autovoice.mix import MixOptions, limiter, mixdown
from autovoice.mix.resident import ResidentMixer
from autovoice.mix.resident.mixer import mixed
from autovoice.types import Audio, Stems


@pytest.fixture(scope="module")
def mixer() -> ResidentMixer:
    return ResidentMixer()


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
    song, lengths = mixer.song(converted, stems, MixOptions()), [RATE_HZ]
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
    with pytest.raises(InputError, match=r"found 1\.0 s at 44100 Hz and 0\.4 s conv"):
        mixer.mixdown(shorter, stems)
    odd = Audio(stems.vocals.samples, 44_101)
    assert not mixer.fits(converted, Stems(odd, odd))


def test_the_device_is_asked_nothing(mixer: ResidentMixer) -> None:
    converted, stems = case(RATE_HZ)
    song = mixer.song(converted, stems, MixOptions())
    tensors = [torch.from_numpy(x)[None] for x in (song.converted, song.vocals, song.backing)]
    lengths = torch.tensor([RATE_HZ])
    with torch.inference_mode(), HeardOps() as ops:
        mixed(*tensors, lengths, converted_hz=24_000, manner=song.manner, ceiling_dbtp=-1.0)
    assert len(ops.names) > 50
    assert not set(ops.names) & set(ASKING)
