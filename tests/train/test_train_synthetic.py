from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from autovoice.nn.kokoro_text import KokoroText, TextFeatures
from autovoice.train.phonemes import PhonemeBank, resources
from autovoice.train.sung_contour import SingingStyle, sung_contour
from autovoice.train.synthetic import SyntheticOptions, SyntheticPairs


class CountingDecoder(nn.Module):
    """Return the pitch of each frame as sound, so that crops can be compared."""

    noise: Tensor | None = None

    def forward(
        self, asr: Tensor, f0_hz: Tensor, energy: Tensor, style: Tensor, noise: Tensor | None = None
    ) -> Tensor:
        assert f0_hz.shape == energy.shape == (len(asr), 2 * asr.shape[-1])
        assert style.shape == (len(asr), 128)
        self.noise = noise
        return f0_hz.repeat_interleave(300, dim=1)


def _bank() -> PhonemeBank:
    vocabulary = resources()["vocabulary"]
    texts = ["mˈama lˈOla, tˈɑːta sˈɛl ɪn nˈO.", "kˈɑt ɐ dˈɔɡ " * 8]
    rows = [[vocabulary[c] for c in text] for text in texts]
    offsets = np.array([0, *itertools.accumulate(len(row) for row in rows)], dtype=np.int64)
    tokens = np.array(list(itertools.chain.from_iterable(rows)), dtype=np.int16)
    return PhonemeBank(tokens, offsets, np.zeros(2, np.int8))


@pytest.fixture(scope="module")
def text() -> KokoroText:
    torch.manual_seed(3)
    net = KokoroText().eval().requires_grad_(False)
    net.predictor.duration_proj.linear_layer.bias.fill_(-2.7)
    # Random weights read near 0 Hz; put the curve where a voice is, part of it unvoiced.
    net.predictor.F0_proj.weight.mul_(400.0)
    net.predictor.F0_proj.bias.fill_(120.0)
    return net


def _pairs(text: KokoroText, **options: object) -> SyntheticPairs:
    packs = torch.randn(5, 510, 256, generator=torch.Generator().manual_seed(9))
    # Short sentences keep the recurrent layers quick on a CPU.
    chosen = SyntheticOptions(**{"max_tokens": 30, **options})  # type: ignore[arg-type]
    return SyntheticPairs(text, CountingDecoder(), packs, _bank(), chosen)


def test_a_batch_is_rectangular_and_consistent(text: KokoroText) -> None:
    batch = _pairs(text, crop_frames=40).sample(4, torch.Generator().manual_seed(0))
    assert batch.audio.shape == (4, 40 * 600)
    assert batch.asr.shape == (4, 512, 40)
    assert batch.f0_hz.shape == batch.energy.shape == (4, 80)
    assert batch.style.shape == (4, 128)
    assert (batch.frames <= 40).all()
    assert torch.equal(batch.audio[:, ::300], batch.f0_hz)
    assert ((batch.f0_hz == 0) | (batch.f0_hz > 40)).all()


def test_the_seed_decides_everything(text: KokoroText) -> None:
    pairs = _pairs(text, crop_frames=24)
    first, second, other = (
        pairs.sample(2, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)
    )
    assert torch.equal(first.audio, second.audio)
    assert torch.equal(first.style, second.style)
    assert not torch.equal(first.style, other.style)


def test_only_sung_clips_are_stretched_and_tuned(text: KokoroText) -> None:
    spoken = _pairs(text, crop_frames=None, sung_share=0.0, speed=(1.0, 1.0))
    sung = _pairs(text, crop_frames=None, sung_share=1.0, speed=(1.0, 1.0))
    said = spoken.sample(4, torch.Generator().manual_seed(4))
    song = sung.sample(4, torch.Generator().manual_seed(4))
    assert not said.sung.any()
    assert song.sung.all()
    assert torch.equal(said.sentence, song.sentence)
    assert (song.frames > said.frames).all()
    voiced = song.f0_hz[song.f0_hz > 0]
    assert voiced.min() > 70
    assert voiced.max() < 1000


def test_crops_come_from_the_whole_sentence(text: KokoroText) -> None:
    pairs = _pairs(text, crop_frames=8)
    ramp = torch.arange(20.0)
    features = TextFeatures(
        ramp.expand(64, 512, 20),
        torch.arange(40.0).expand(64, 40),
        torch.arange(40.0).expand(64, 40),
        torch.zeros(64, 3, dtype=torch.long),
        torch.tensor([20] * 62 + [5, 5]),
    )
    asr, f0_hz, energy, frames = pairs._crop(features, torch.Generator().manual_seed(0))
    starts = asr[:62, 0, 0]
    assert starts.min() == 0
    assert starts.max() == 12
    torch.testing.assert_close(f0_hz[:, 0], 2 * asr[:, 0, 0])
    assert torch.equal(f0_hz, energy)
    assert asr[63, 0].tolist() == [0, 1, 2, 3, 4, 4, 4, 4]
    assert f0_hz[63, -1] == 9
    assert frames[-1] == 5


def test_voices_are_mixtures_and_vary(text: KokoroText) -> None:
    pairs = _pairs(text, style_noise=0.0)
    generator = torch.Generator().manual_seed(0)
    weights = pairs._weights(500, generator)
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(500), atol=1e-5, rtol=0)
    assert weights.min() < -0.05
    assert 1.05 < float(weights.max()) < 1.9
    styles = pairs.voices(torch.tensor([30, 30, 600]), generator)
    assert not torch.allclose(styles[0], styles[1])
    # Without noise, a style lies in the span of the packs' rows.
    rows = pairs.packs[:, 30, :128]
    solution = torch.linalg.lstsq(rows.T, styles[0, :128, None]).solution
    torch.testing.assert_close(rows.T @ solution, styles[0, :128, None], atol=1e-3, rtol=1e-3)


def test_long_sentences_are_cut_at_words(text: KokoroText) -> None:
    pairs = _pairs(text)
    vocabulary = resources()["vocabulary"]
    tokens, lengths, _ = pairs.sentences.draw(40, 20, torch.Generator().manual_seed(0))
    assert tokens.shape[1] == 22
    assert (lengths <= 22).all()
    assert (tokens[:, 0] == 0).all()
    first = {int(t) for t in tokens[:, 1]}
    assert first <= {vocabulary[c] for c in "mltsɪnkɐd"}
    assert len(first) > 2


def test_source_noise_reaches_the_decoder(text: KokoroText) -> None:
    pairs = _pairs(text, crop_frames=8, source_noise=True)
    pairs.sample(2, torch.Generator().manual_seed(0))
    noise = pairs.decoder.noise
    assert isinstance(noise, Tensor)
    assert noise.shape == (2, 8 * 600)
    assert 0.9 < float(noise.std()) < 1.1


def test_contours_stay_in_range_and_move_in_notes() -> None:
    voices = torch.tensor([50.0, 110.0, 220.0, 400.0, 1500.0])
    style = SingingStyle(vibrato_cents=0.0, drift_cents=0.0)
    hz = sung_contour(voices, 800, torch.Generator().manual_seed(0), style)
    assert hz.shape == (5, 800)
    # A note may lie a semitone outside, where the scale has none inside.
    assert hz.min() > 80 / 1.13
    assert hz.max() < 900 * 1.13
    semitones = 12 * torch.log2(hz)
    spread = semitones.amax(dim=1) - semitones.amin(dim=1)
    assert (spread < 12 * 1.3 + 4).all()
    assert (spread > 3).all()
    # Most frames hold a note; none leaps, since notes are joined by glides of at least 30 ms.
    steps = semitones.diff(dim=1).abs()
    assert 0.5 < float((steps < 1e-3).float().mean()) < 0.97
    assert steps.max() < 0.75 * spread.max()


def test_contours_follow_the_voice() -> None:
    voices = torch.tensor([110.0] * 40 + [330.0] * 40)
    hz = sung_contour(voices, 160, torch.Generator().manual_seed(1)).log2().mean(dim=1)
    low, high = hz[:40] - np.log2(110.0), hz[40:] - np.log2(330.0)
    for raised in (low, high):
        assert -0.1 < float(raised.mean()) < 1.0


def test_vibrato_has_its_rate_and_depth() -> None:
    # With almost no range, every note is the same one.
    style = SingingStyle(
        range_octaves=0.01, note_s=(5.0, 6.0), vibrato_hz=(6.0, 6.0), drift_cents=0.0
    )
    voices = torch.full((60,), 200.0)
    hz = sung_contour(voices, 320, torch.Generator().manual_seed(2), style)
    cents = 1200 * torch.log2(hz[:, 160:])
    cents = cents - cents.mean(dim=1, keepdim=True)
    depth = (cents.amax(dim=1) - cents.amin(dim=1)) / 2
    assert 60 < float(depth.quantile(0.95)) < 81
    assert (depth < 1).any()
    spectrum = torch.fft.rfft(cents, dim=1).abs().sum(dim=0)
    # 160 frames at 80/s: bins are half a hertz wide.
    assert 11 <= int(spectrum[6:30].argmax()) + 6 <= 13
