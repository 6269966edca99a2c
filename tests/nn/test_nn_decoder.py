"""The decoder: its size, its shapes, and which input moves what."""

from __future__ import annotations

import pytest
import torch

from autovoice.nn.decoder import FRAME_SAMPLES, Generator, KokoroDecoder


@pytest.fixture(scope="module")
def decoder() -> KokoroDecoder:
    torch.manual_seed(0)
    return KokoroDecoder().eval().requires_grad_(False)


def _inputs(frames: int, batch: int = 1) -> list[torch.Tensor]:
    chance = torch.Generator().manual_seed(frames)
    return [
        torch.randn(batch, 512, frames, generator=chance),
        torch.full((batch, 2 * frames), 200.0),
        torch.zeros(batch, 2 * frames),
        torch.randn(batch, 128, generator=chance),
    ]


def test_the_size_is_kokoros(decoder: KokoroDecoder) -> None:
    assert sum(p.numel() for p in decoder.parameters()) == 53_251_204
    vocoder = sum(p.numel() for p in decoder.generator.parameters())
    assert vocoder == pytest.approx(19.7e6, rel=0.01)


@pytest.mark.parametrize("frames", [2, 3, 11])
def test_600_samples_per_frame(decoder: KokoroDecoder, frames: int) -> None:
    with torch.inference_mode():
        audio = decoder(*_inputs(frames))
        front = decoder.features(*_inputs(frames))
    assert audio.shape == (1, FRAME_SAMPLES * frames)
    assert audio.dtype == torch.float32
    assert torch.isfinite(audio).all()
    assert front.shape == (1, 512, 2 * frames)


def test_items_of_a_batch_do_not_see_each_other(decoder: KokoroDecoder) -> None:
    inputs = _inputs(4, batch=2)
    with torch.inference_mode():
        both = decoder(*inputs)
        one = decoder(*(value[1:] for value in inputs))
    torch.testing.assert_close(both[1:], one, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("which", [0, 1, 2, 3])
def test_every_input_is_heard(decoder: KokoroDecoder, which: int) -> None:
    inputs = _inputs(3)
    with torch.inference_mode():
        before = decoder(*inputs)
        inputs[which] = inputs[which] * 0.5 + 1
        after = decoder(*inputs)
    assert float((after - before).abs().max()) > 1e-4


def test_noise_changes_the_sound_only_when_given(decoder: KokoroDecoder) -> None:
    inputs = _inputs(3)
    noise = torch.randn(1, 1_800, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        assert torch.equal(decoder(*inputs), decoder(*inputs))
        assert not torch.equal(decoder(*inputs), decoder(*inputs, noise))


def test_analysis_and_synthesis_undo_each_other() -> None:
    generator = Generator()
    source = torch.randn(1, 600, generator=torch.Generator().manual_seed(2))
    spectrum = generator._analyse(source)
    assert spectrum.shape == (1, 22, 121)
    magnitude, phase = spectrum[:, :11], spectrum[:, 11:]
    # The synthesis takes a sine of what it is given: only phases within a quarter turn survive,
    # so the sound is rebuilt from the cosine and the sine of the phase apart.
    rebuilt = torch.istft(torch.polar(magnitude, phase), 20, 5, window=generator.window)
    torch.testing.assert_close(rebuilt, source, atol=1e-4, rtol=0)
    flat = generator._synthesise(torch.cat([magnitude.clamp_min(1e-6).log(), 0 * phase], 1))
    expected = torch.istft(torch.polar(magnitude, 0 * phase), 20, 5, window=generator.window)
    torch.testing.assert_close(flat, expected, atol=1e-4, rtol=0)


def test_a_wild_magnitude_stays_finite() -> None:
    sound = Generator()._synthesise(torch.full((1, 22, 13), 1e4))
    assert torch.isfinite(sound).all()
