"""Consonants: frames without pitch cost, above 2 kHz, and only what no other voice explains."""

from __future__ import annotations

import torch
from torch import Tensor

from autovoice.train.consonant_loss import consonant_gap

WIDE_HZ = torch.full((2,), 12_000.0)
HISS = slice(45, 60)  # bands, about 2.9 to 5.5 kHz
UNVOICED = torch.zeros(2, 16)


def sound(hiss_db: Tensor) -> Tensor:
    """A hiss of so many dB in each frame over a quiet rest, as ``Mel24k`` tells it."""
    power = torch.full((2, 80, 16), 1e-3)
    power[:, HISS] = 10 ** (hiss_db / 10)
    return (torch.log(1e-5 + power) + 4) / 4


def steady(level_db: float) -> Tensor:
    return torch.full((16,), level_db)


def changing(swing_db: float) -> Tensor:
    """Every second stretch of four frames is louder by so much."""
    return torch.tensor([0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0] * 2) * swing_db


def test_the_source_itself_costs_nothing_and_gradients_are_finite() -> None:
    source = sound(changing(12.0))
    made = source.clone().requires_grad_()
    loss = consonant_gap(made, source, UNVOICED, WIDE_HZ)
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss.item() == 0.0
    assert made.grad is not None
    assert torch.isfinite(made.grad).all()


def test_a_steady_equaliser_is_free_and_a_lost_consonant_is_not() -> None:
    source = sound(changing(20.0))
    assert consonant_gap(sound(changing(20.0) - 6.0), source, UNVOICED, WIDE_HZ) < 0.02
    lost = consonant_gap(sound(steady(0.0)), source, UNVOICED, WIDE_HZ)
    slightly = consonant_gap(sound(changing(16.0)), source, UNVOICED, WIDE_HZ)
    assert lost > 0.5
    assert slightly < 0.3 * lost


def test_far_too_quiet_consonants_cost_although_they_are_so_throughout() -> None:
    assert consonant_gap(sound(steady(-18.0)), sound(steady(0.0)), UNVOICED, WIDE_HZ) > 0.3


def test_notes_and_what_lies_above_the_source_or_below_2_khz_are_free() -> None:
    source, other = sound(steady(0.0)), sound(changing(20.0))
    assert consonant_gap(other, source, UNVOICED, WIDE_HZ) > 0.2
    assert consonant_gap(other, source, UNVOICED + 200.0, WIDE_HZ) == 0.0
    assert consonant_gap(other, source, UNVOICED, torch.full((2,), 2_500.0)) == 0.0
    low = source.clone()
    low[:, :30] += 1.0
    assert consonant_gap(low, source, UNVOICED, WIDE_HZ) == 0.0


def test_frames_beside_a_note_are_free() -> None:
    source, other = sound(steady(0.0)), source_with_one_lost_frame()
    pitch = UNVOICED.clone()
    assert consonant_gap(other, source, pitch, WIDE_HZ) > 0.0
    pitch[:, 8] = 200.0
    assert consonant_gap(other, source, pitch, WIDE_HZ) == 0.0


def source_with_one_lost_frame() -> Tensor:
    levels = steady(0.0)
    levels[9] = -25.0
    return sound(levels)
