"""The critics hear the same part of what was made and of what is real."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
import torch

from autovoice.nn.mel24k import Mel24k
from autovoice.train.adversary import Adversary
from autovoice.train.clean_sound import CleanSound
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


def test_critics_of_sound_go_by_clean_sound_where_there_is_some() -> None:
    """Made and real sound alike up to 4 kHz; only the clean one has anything above."""
    torch.manual_seed(0)
    adversary = _adversary(0)
    wide = 0.1 * torch.randn(2, 9_600)
    real = Made(wide, wide, torch.full((2,), 4_000.0))
    false, true = adversary._heard(real, None)
    assert torch.equal(false, true)
    false, true = adversary._heard(real, CleanSound(2 * wide, torch.full((2,), 12_000.0)))
    assert torch.allclose(2 * false, true)
    spectrum = torch.fft.rfft(false).abs()
    assert spectrum[:, 2_400:4_400].mean() > 0.5 * spectrum[:, :1_600].mean()  # 6 to 11 kHz


def test_features_are_those_of_the_item_itself() -> None:
    torch.manual_seed(0)
    sound = 0.1 * torch.randn(2, 9_600)
    clean = CleanSound(0.1 * torch.randn(2, 9_600), torch.full((2,), 12_000.0))
    made = Made(sound.clone().requires_grad_(), sound, torch.full((2,), 8_000.0))
    losses = _adversary(0).judge(made, matched=True, teach=True, clean=clean)
    assert set(losses) == {"critic", "adversarial", "features"}
    assert float(losses["features"].detach()) < 1e-6
    losses["adversarial"].backward()
    assert made.made.grad is not None
    assert made.made.grad.abs().sum() > 0


def test_critics_that_learn_alone_learn() -> None:
    torch.manual_seed(0)
    adversary = _adversary(0)
    made = Made(0.1 * torch.randn(2, 9_600), torch.zeros(2, 9_600), torch.full((2,), 12_000.0))
    first, *_, last = [float(adversary.learn(made)["critic"]) for _ in range(8)]
    assert last < first
