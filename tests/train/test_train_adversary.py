"""The critics hear the same part of what was made and of what is real."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
import torch

from autovoice.nn.mel24k import Mel24k
from autovoice.train.adversary import Adversary
from autovoice.train.steps import Made


def _adversary(segment_samples: int) -> Adversary:
    return Adversary("cpu", Mel24k(), nullcontext, segment_samples=segment_samples)


def test_both_sounds_are_cut_at_the_same_place() -> None:
    ramp = torch.arange(4_800.0).repeat(3, 1) + torch.tensor([[0.0], [1e4], [2e4]])
    false, true = _adversary(1_200)._segments(ramp, ramp + 0.5)
    assert false.shape == (3, 1_200)
    assert torch.equal(true - false, torch.full((3, 1_200), 0.5))
    assert torch.equal(false[:, 1:] - false[:, :-1], torch.ones(3, 1_199))


@pytest.mark.parametrize("segment_samples", [0, 4_800, 9_600])
def test_what_is_no_longer_than_a_segment_is_heard_whole(segment_samples: int) -> None:
    sound = torch.randn(2, 4_800)
    false, true = _adversary(segment_samples)._segments(sound, sound)
    assert false is sound
    assert true is sound


def test_the_verdict_reaches_what_was_made() -> None:
    torch.manual_seed(0)
    sound = (0.1 * torch.randn(2, 9_600)).requires_grad_()
    made = Made(sound, 0.1 * torch.randn(2, 9_600), torch.tensor([12_000.0, 8_000.0]))
    losses = _adversary(4_800).judge(made, matched=True, teach=True)
    assert set(losses) == {"critic", "adversarial", "features"}
    (losses["adversarial"] + losses["features"]).backward()
    assert sound.grad is not None
    assert 0 < (sound.grad.abs().sum(1) > 0).sum() <= 2
