"""Losses: nothing for identical sounds, blind above the band, formulas of the critics."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from autovoice.train.discriminators import Discriminators
from autovoice.train.losses import (
    MelDistance,
    adversarial_loss,
    cosine_gap,
    discriminator_loss,
    feature_loss,
    limit_band,
)


def _noise(seed: int = 0, samples: int = 9_600) -> Tensor:
    return 0.1 * torch.randn(2, samples, generator=torch.Generator().manual_seed(seed))


def _tone(f0_hz: float, samples: int = 9_600) -> Tensor:
    return 0.1 * torch.sin(2 * math.pi * f0_hz / 24_000 * torch.arange(samples)).expand(2, -1)


def _band_noise(low_hz: float, high_hz: float) -> Tensor:
    spectrum = torch.fft.rfft(_noise(5))
    hz = torch.linspace(0, 12_000, spectrum.shape[1])
    return 3 * torch.fft.irfft(spectrum * ((hz > low_hz) & (hz < high_hz)))


WIDE = torch.tensor([12_000.0, 12_000.0])
NARROW = torch.tensor([6_000.0, 6_000.0])


def test_identical_sounds_cost_nothing() -> None:
    assert MelDistance()(_noise(), _noise(), WIDE).item() == 0.0


def test_twice_as_loud_costs_the_logarithm_of_two() -> None:
    assert MelDistance()(2 * _noise(), _noise(), WIDE).item() == pytest.approx(
        math.log(2), rel=0.01
    )


def test_other_sounds_cost_more_the_more_they_differ() -> None:
    distance = MelDistance()
    near, far = (distance(_tone(hz), _tone(300.0), WIDE).item() for hz in (310.0, 900.0))
    assert 0 < near < far


def test_peaks_hear_a_lost_formant_and_not_a_changed_valley() -> None:
    strong, weak = _band_noise(500, 900), 0.02 * _band_noise(3_000, 4_000)
    distance = MelDistance()
    valley = distance.compare(strong + 4 * weak, strong + weak, WIDE)
    formant = distance.compare(0.25 * strong + weak, strong + weak, WIDE)
    assert valley[1].item() < 0.2 < 0.5 < formant[1].item()
    assert valley[0].item() > 0.1  # the logarithm hears both


def test_peaks_stay_finite_in_silence() -> None:
    silence = torch.zeros(2, 9_600, requires_grad=True)
    _, peaks = MelDistance().compare(silence, torch.zeros(2, 9_600), WIDE)
    peaks.backward()
    assert silence.grad is not None
    assert torch.isfinite(silence.grad).all()


def test_what_lies_above_the_band_is_not_heard() -> None:
    distance, plain = MelDistance(), _noise()
    hissing = plain + _band_noise(7_500, 11_000)
    assert distance(hissing, plain, WIDE).item() > 0.05
    assert distance(hissing, plain, NARROW).item() < 0.01
    # Below the band it is.
    assert distance(plain + _band_noise(2_500, 4_000), plain, NARROW).item() > 0.05


def test_each_item_has_its_own_band() -> None:
    distance, plain = MelDistance(), _noise()
    first, second = plain.clone(), plain.clone()
    first[0] += _band_noise(7_500, 11_000)[0]
    second[1] += _band_noise(7_500, 11_000)[1]
    band = torch.tensor([6_000.0, 12_000.0])
    assert distance(first, plain, band).item() < 0.01
    assert distance(second, plain, band).item() > 0.02


def test_gradients_lower_the_distance() -> None:
    distance, target = MelDistance(), _noise(0, 2_400)
    made = (0.3 * _noise(1, 2_400)).requires_grad_(True)
    before = distance(made, target, WIDE)
    before.backward()
    assert torch.isfinite(made.grad).all()
    after = distance(made.detach() - 1e-3 * made.grad.sign(), target, WIDE)
    assert after.item() < before.item()


def test_limit_band_cuts_above_and_keeps_below() -> None:
    mixed = _tone(1_000.0) + _tone(9_000.0)
    limited = limit_band(mixed, torch.tensor([6_000.0, 12_000.0]))
    assert limited.shape == mixed.shape
    torch.testing.assert_close(limited[0, 500:-500], _tone(1_000.0)[0, 500:-500], atol=1e-3, rtol=0)
    torch.testing.assert_close(limited[1, 500:-500], mixed[1, 500:-500], atol=5e-3, rtol=0)


def _verdict(score: float, feature: float = 0.0) -> list[tuple[Tensor, list[Tensor]]]:
    return [(torch.full((2, 3), score), [torch.full((4,), feature)]), (torch.full((1,), score), [])]


def test_the_critics_game_has_least_squares_rules() -> None:
    assert discriminator_loss(_verdict(1.0), _verdict(0.0)).item() == 0.0
    assert discriminator_loss(_verdict(0.0), _verdict(1.0)).item() == pytest.approx(2.0)
    assert discriminator_loss(_verdict(0.5), _verdict(0.5)).item() == pytest.approx(0.5)
    assert adversarial_loss(_verdict(1.0)).item() == 0.0
    assert adversarial_loss(_verdict(-1.0)).item() == pytest.approx(4.0)
    assert feature_loss(_verdict(0, 1.0), _verdict(0, 3.5)).item() == pytest.approx(2.5)


def test_cosine_gap_is_0_along_1_across_2_against() -> None:
    one = torch.tensor([[3.0, 0.0]])
    for other, gap in (([9.0, 0.0], 0.0), ([0.0, 2.0], 1.0), ([-1.0, 0.0], 2.0)):
        assert cosine_gap(one, torch.tensor([other])).item() == pytest.approx(gap, abs=1e-6)


def test_discriminators_judge_any_length_and_can_be_taught() -> None:
    torch.manual_seed(0)
    critic = Discriminators()
    verdicts = critic(_noise(0, 2_503))
    assert len(verdicts) == 8
    for index, (score, features) in enumerate(verdicts):
        assert score.shape[:2] == (2, 1)
        assert len(features) == (4 if index < 5 else 5)
        assert torch.isfinite(score).all()
    periods = [score.shape[-1] for score, _ in verdicts[:5]]
    assert periods == [2, 3, 5, 7, 11]
    optimiser = torch.optim.Adam(critic.parameters(), lr=1e-3)
    losses = []
    for _ in range(8):
        loss = discriminator_loss(critic(_tone(300.0, 1_600)), critic(_noise(1, 1_600)))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]
