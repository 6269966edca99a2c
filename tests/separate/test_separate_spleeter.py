from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from autovoice.errors import InputError
from autovoice.nn.spleeter_unet import SpleeterUNet
from autovoice.separate.identity import Identity
from autovoice.separate.spleeter import Spleeter
from autovoice.types import Audio


@pytest.fixture(scope="module")
def tensors() -> dict[str, Tensor]:
    """Return random networks, whose masks at least depend on the input."""
    torch.manual_seed(3)
    found = {}
    for stem in ("vocals", "backing"):
        for name, value in SpleeterUNet().state_dict().items():
            found[f"{stem}.{name}"] = value
    return found


class Halver(Spleeter):
    """A separator whose mask is 1/2 everywhere, to test all that surrounds the networks."""

    def _mask(self, magnitude: Tensor) -> Tensor:
        return torch.full_like(magnitude, 0.5)


@pytest.fixture(scope="module")
def halver(tensors: dict[str, Tensor]) -> Halver:
    return Halver(tensors=tensors)


@pytest.fixture(scope="module")
def separator(tensors: dict[str, Tensor]) -> Spleeter:
    return Spleeter(tensors=tensors)


def tones(seconds: float, rate_hz: int, channels: int) -> Audio:
    time_s = np.arange(round(seconds * rate_hz)) / rate_hz
    rows = [0.3 * np.sin(2 * np.pi * (220 + 50 * c) * time_s) for c in range(channels)]
    return Audio(np.stack(rows).astype(np.float32), rate_hz, {"title": "tones"})


def level_db(error: np.ndarray, reference: np.ndarray) -> float:
    return float(10 * np.log10(np.mean(error**2) / np.mean(reference**2) + 1e-30))


@settings(max_examples=12, deadline=None)
@given(
    seconds=st.floats(0.1, 7.0),
    rate_hz=st.sampled_from([8000, 22050, 44100, 44101, 48000, 96000]),
    channels=st.integers(1, 3),
    chunk_frames=st.sampled_from([128, 192, 1536]),
)
def test_chunks_blend_without_a_seam(
    halver: Halver, seconds: float, rate_hz: int, channels: int, chunk_frames: int
) -> None:
    mix = tones(seconds, rate_hz, channels)
    halver.chunk_frames = chunk_frames
    stems = halver.separate(mix)
    assert stems.vocals.samples.shape == stems.backing.samples.shape == mix.samples.shape
    np.testing.assert_allclose(stems.vocals.samples + stems.backing.samples, mix.samples, atol=1e-6)
    # The resampler rings where the sound begins and ends; inside, the halves are equal.
    edge = rate_hz // 20
    inside = mix.samples[:, edge:-edge]
    if inside.shape[1]:
        error = stems.vocals.samples[:, edge:-edge] - inside / 2
        assert level_db(error, inside) < -60


def test_chunked_networks_equal_the_whole(tensors: dict[str, Tensor]) -> None:
    noise = np.random.default_rng(0).standard_normal((2, 10 * 44100)).astype(np.float32) * 0.1
    noise *= np.linspace(0.2, 1, noise.shape[1], dtype=np.float32)
    whole = Spleeter(tensors=tensors).separate(Audio(noise, 44100)).vocals.samples
    parts = Spleeter(tensors=tensors, chunk_frames=128).separate(Audio(noise, 44100)).vocals.samples
    assert np.abs(whole).max() > 0.01
    assert level_db(parts - whole, whole) < -60


def test_the_level_of_the_mix_does_not_matter(separator: Spleeter) -> None:
    mix = tones(1.0, 44100, 2)
    quiet = Audio(mix.samples / 16, 44100)
    loud, soft = (separator.separate(audio).vocals.samples for audio in (mix, quiet))
    np.testing.assert_allclose(soft * 16, loud, atol=1e-4)


def test_mono_and_doubled_mono_agree(separator: Spleeter) -> None:
    mono = tones(1.0, 44100, 1)
    both = Audio(np.repeat(mono.samples, 2, axis=0), 44100)
    one, two = (separator.separate(audio).vocals.samples for audio in (mono, both))
    np.testing.assert_allclose(one[0], two.mean(axis=0), atol=1e-5)


def test_eight_channels_and_metadata_are_kept(separator: Spleeter) -> None:
    mix = tones(0.5, 48000, 8)
    reports: list[float] = []
    stems = separator.separate(mix, progress=reports.append)
    assert stems.vocals.channels == 8
    assert stems.vocals.metadata == {"title": "tones"}
    assert reports == sorted(reports)
    assert reports[-1] == 1.0


@pytest.mark.parametrize("length", [0, 1, 1023, 1025])
def test_very_short_sounds(separator: Spleeter, length: int) -> None:
    mix = Audio(np.full((2, length), 0.1, np.float32), 44100)
    stems = separator.separate(mix)
    np.testing.assert_allclose(stems.vocals.samples + stems.backing.samples, mix.samples, atol=1e-6)


def test_silence_stays_silent(separator: Spleeter) -> None:
    stems = separator.separate(Audio(np.zeros((2, 5000), np.float32), 44100))
    assert not stems.vocals.samples.any()
    assert not stems.backing.samples.any()


def test_nan_is_refused(separator: Spleeter) -> None:
    mix = Audio(np.full((1, 100), np.nan, np.float32), 44100)
    with pytest.raises(InputError, match="NaN"):
        separator.separate(mix)


@pytest.mark.parametrize("chunk_frames", [0, 64, 1000])
def test_odd_chunks_are_refused(tensors: dict[str, Tensor], chunk_frames: int) -> None:
    with pytest.raises(ValueError, match="multiple of 64"):
        Spleeter(tensors=tensors, chunk_frames=chunk_frames)


def test_a_full_device_makes_the_chunks_shorter(tensors: dict[str, Tensor]) -> None:
    class Small(Halver):
        def _vocals(self, mix: Tensor) -> Tensor:
            if mix.shape[1] > 720 * 1024:
                raise torch.cuda.OutOfMemoryError("full")
            return super()._vocals(mix)

    mix = tones(20.0, 44100, 1)
    separator = Small(tensors=tensors)
    stems = separator.separate(mix)
    assert separator.chunk_frames == 192
    inside = slice(4096, -4096)
    error = stems.vocals.samples[:, inside] - mix.samples[:, inside] / 2
    assert level_db(error, mix.samples) < -60


def test_mixed_precision_stays_near(tensors: dict[str, Tensor]) -> None:
    mix = tones(1.0, 44100, 2)
    full = Spleeter(tensors=tensors).separate(mix).vocals.samples
    half = Spleeter(tensors=tensors, mixed_precision=True).separate(mix).vocals.samples
    assert level_db(half - full, full) < -30


def test_identity_passes_through() -> None:
    mix = tones(0.1, 44100, 2)
    reports: list[float] = []
    stems = Identity().separate(mix, progress=reports.append)
    assert stems.vocals is mix
    assert stems.backing.samples.shape == mix.samples.shape
    assert not stems.backing.samples.any()
    assert reports == [1.0]
    assert Identity().separate(mix).vocals is mix
