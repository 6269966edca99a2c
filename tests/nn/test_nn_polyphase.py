from __future__ import annotations

import numpy as np
import pytest
import torch

from autovoice import io
from autovoice.nn.polyphase import can_resample, resampled

PAIRS = [(44_100, 24_000), (44_100, 16_000), (24_000, 44_100), (48_000, 16_000), (96_000, 16_000)]


@pytest.mark.parametrize(("from_hz", "to_hz"), PAIRS)
@pytest.mark.parametrize("length", [50, 9_999])
def test_it_is_soxr_to_the_rounding_of_float32(from_hz: int, to_hz: int, length: int) -> None:
    noise = np.random.default_rng(length).standard_normal((2, length)).astype(np.float32)
    wanted = io.resample(noise, from_hz, to_hz)
    found = resampled(torch.from_numpy(noise), from_hz, to_hz, wanted.shape[1]).numpy()
    error = np.sqrt(np.mean((found - wanted) ** 2) / np.mean(wanted**2))
    assert 20 * np.log10(error + 1e-12) < -125


def test_the_end_is_filled_up_with_what_rings_on_and_then_silence() -> None:
    sound = torch.ones(1, 2_000)
    longer = resampled(sound, 24_000, 16_000, 4_000)
    torch.testing.assert_close(longer[:, :1_333], resampled(sound, 24_000, 16_000, 1_333))
    assert longer[:, 2_000:].abs().max() < 1e-6


def test_one_rate_is_filled_up_only() -> None:
    assert torch.equal(resampled(torch.ones(2), 8_000, 8_000, 3), torch.tensor([1.0, 1.0, 0.0]))


def test_odd_rates_are_not_known() -> None:
    assert can_resample(44_100, 16_000)
    assert not can_resample(44_101, 16_000)
    with pytest.raises(ValueError, match=r"found 44101 and 16000 Hz, expected two of RATES_HZ"):
        resampled(torch.ones(9), 44_101, 16_000, 3)
