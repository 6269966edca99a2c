"""Power and valleys: nothing at equality, finite gradients, and only what is too shallow costs."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from autovoice.train.contrast import (
    depth,
    long_power_gap,
    long_valley_loss,
    power_gap,
    valley_loss,
)

WIDE_HZ = torch.full((2,), 12_000.0)
Loss = Callable[[Tensor, Tensor], Tensor]
LOSSES: dict[str, Loss] = {
    "power": lambda made, real: power_gap(made, real, WIDE_HZ),
    "power_long": long_power_gap,
    "valleys": lambda made, real: valley_loss(made, real, WIDE_HZ),
    "valleys_long": long_valley_loss,
}


def spectrum(valley_db: float, level_db: float = 0.0) -> Tensor:
    """Two formants with a valley of so many dB between them, as ``Mel24k`` tells it."""
    band = torch.arange(80.0)
    hills = torch.maximum(-((band - 15) / 4).square(), -((band - 27) / 4).square())
    shape_db = torch.maximum(hills * 10, torch.full((80,), -valley_db)) - 2.0
    shape_db[40:] = -60.0
    power = 10 ** ((shape_db + level_db) / 10)
    return ((torch.log(1e-5 + power) + 4) / 4)[None, :, None].repeat(2, 1, 16)


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_nothing_is_charged_at_equality_and_gradients_are_finite(name: str) -> None:
    real = spectrum(12.0)
    made = real.clone().requires_grad_()
    loss = LOSSES[name](made, real)
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss.item() == 0.0
    assert made.grad is not None
    assert not made.grad.any()
    for other in (spectrum(3.0), torch.full((2, 80, 16), -1.88), torch.randn(2, 80, 16)):
        made = other.clone().requires_grad_()
        loss = LOSSES[name](made, real)
        loss.backward()  # type: ignore[no-untyped-call]
        assert made.grad is not None
        assert torch.isfinite(loss)
        assert torch.isfinite(made.grad).all()


@pytest.mark.parametrize("name", ["valleys", "valleys_long"])
def test_shallow_valleys_cost_and_deep_ones_are_free(name: str) -> None:
    loss, real = LOSSES[name], spectrum(12.0)
    assert loss(spectrum(8.0), real) > 0.02
    assert loss(spectrum(3.0), real) > loss(spectrum(8.0), real)
    assert loss(spectrum(20.0), real) == 0.0
    assert loss(spectrum(12.0, -6.0), real) < 1e-3  # loudness is no contrast


def test_descending_deepens_the_valley_and_leaves_the_hills() -> None:
    made, real = spectrum(3.0).requires_grad_(), spectrum(12.0)
    valley_loss(made, real, WIDE_HZ).backward()  # type: ignore[no-untyped-call]
    assert made.grad is not None
    push = -made.grad.sum((0, 2))
    assert push[21] < 0
    assert push[15] >= 0
    assert push[27] >= 0


@pytest.mark.parametrize("name", ["power", "power_long"])
def test_strong_bands_decide_and_weak_ones_hardly_count(name: str) -> None:
    loss, real = LOSSES[name], spectrum(12.0)
    weak, strong = real.clone(), real.clone()
    weak[:, 45:60] += 0.2  # 3.5 dB, 60 dB down
    strong[:, 13:18] += 0.2
    assert loss(weak, real) < 1e-3
    assert loss(strong, real) > 0.01


def test_level_counts_for_what_is_rebuilt_and_not_for_a_voice() -> None:
    real, louder = spectrum(12.0), spectrum(12.0, 6.0)
    assert power_gap(louder, real, WIDE_HZ) == pytest.approx(0.6, abs=0.01)  # (4 - 1) / (4 + 1)
    assert long_power_gap(louder, real) < 1e-3


def test_what_lies_above_a_recording_is_not_compared() -> None:
    real = spectrum(12.0)
    made = real.clone()
    made[:, 34:60] += 1.0
    narrow = torch.full((2,), 1_500.0)
    assert power_gap(made, real, narrow) == 0.0
    assert power_gap(made, real, WIDE_HZ) > 0.0
    shallow = spectrum(3.0)
    assert valley_loss(shallow, real, torch.full((2,), 500.0)) == 0.0


def test_a_valley_is_as_deep_as_the_lower_of_its_hills() -> None:
    curve = torch.full((1, 40), -4.0)
    curve[0, 10], curve[0, 20] = 0.0, -1.0
    assert depth(curve)[0, 15] == 3.0
    assert depth(curve)[0, 30] == 0.0  # a slope is no valley
