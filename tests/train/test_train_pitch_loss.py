"""The pitch loss: nothing on pitch, more the further off, flat for the reader's octaves."""

from __future__ import annotations

import made_corpus
import numpy as np
import pytest
import torch

from autovoice import weights
from autovoice.train.pitch_loss import PitchLoss

FRAMES = 64


@pytest.fixture(scope="module")
def loss() -> PitchLoss:
    return PitchLoss(weights.tensors("swift-f0"))


def _sung(cents: float = 0.0, f0_hz: float = 220.0) -> tuple[torch.Tensor, torch.Tensor]:
    """A voice that sings ``cents`` off the curve that it was given."""
    wanted = np.full(FRAMES, f0_hz, np.float32)
    sung = made_corpus.sound((wanted * 2 ** (cents / 1200)).astype(np.float32))
    return torch.from_numpy(sung)[None], torch.from_numpy(wanted)[None]


@pytest.mark.parametrize("f0_hz", [110.0, 220.0, 523.0])
def test_on_pitch_it_is_almost_nothing(loss: PitchLoss, f0_hz: float) -> None:
    assert loss(*_sung(0, f0_hz)).item() < 0.1


def test_it_grows_with_the_distance_and_is_flat_beyond_two_semitones(loss: PitchLoss) -> None:
    cents = (0, 50, 100, -100, 400, 1_200)
    on, half, semitone, below, third, octave = (loss(*_sung(c)).item() for c in cents)
    assert on < half < semitone < third
    # A semitone is two half semitones: 2 less half of beta 0.2, times a weight of up to 1.2.
    assert 1.2 < semitone < 2.4
    assert below == pytest.approx(semitone, rel=0.2)
    assert octave == pytest.approx(third, rel=0.15)


def test_level_does_not_matter(loss: PitchLoss) -> None:
    audio, wanted = _sung(60)
    quiet = loss(audio * 0.05, wanted).item()
    assert quiet == pytest.approx(loss(audio, wanted).item(), rel=0.01)


def test_only_voiced_frames_with_voiced_neighbours_count(loss: PitchLoss) -> None:
    audio, wanted = _sung(100)
    assert loss(audio, torch.zeros_like(wanted)).item() == 0.0
    lonely = torch.zeros_like(wanted)
    lonely[:, ::3] = 220.0
    assert loss(audio, lonely).item() == 0.0
    # Above what the reader can tell, nothing is asked for.
    assert loss(audio, torch.full_like(wanted, 1_150.0)).item() == 0.0


def test_the_gradient_reaches_the_sound_but_not_the_reader(loss: PitchLoss) -> None:
    audio, wanted = _sung(60)
    audio.requires_grad_(True)
    loss(audio, wanted).backward()
    assert torch.isfinite(audio.grad).all()
    assert float(audio.grad.abs().max()) > 0
    assert not any(p.requires_grad for p in loss.parameters())
