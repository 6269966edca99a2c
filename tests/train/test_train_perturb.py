"""The disguise: another vocal tract and another room, the same words."""

from __future__ import annotations

import pytest
import torch

from autovoice.train.perturb import disguise

BANDS = 80


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _formant(band: int, batch: int = 16) -> torch.Tensor:
    """A spectrum of one bump; units are Whisper's, quarter decades."""
    place = torch.arange(BANDS, dtype=torch.float32)
    bump = torch.exp(-(((place - band) / 3) ** 2))
    return (bump - 0.5)[None, :, None].expand(batch, -1, 12).contiguous()


def test_shape_and_determinism() -> None:
    mel = _formant(30, batch=3)
    one, same, other = (disguise(mel, _generator(seed)) for seed in (1, 1, 2))
    assert one.shape == mel.shape
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert torch.isfinite(one).all()


def test_a_formant_moves_by_up_to_the_warp_both_ways() -> None:
    moved = disguise(_formant(30), _generator(), colour_db=0.0)
    peaks = moved.argmax(dim=1)[:, 0]
    assert int(peaks.min()) < 29
    assert int(peaks.max()) > 31
    # Band 30 is read from band 30 * stretch, so that it lies at 30 / (1 +- 0.16).
    assert int(peaks.min()) >= 30 / 1.16 - 1
    assert int(peaks.max()) <= 30 / 0.84 + 1
    # All frames of an item are disguised alike.
    assert (moved.argmax(dim=1) == peaks[:, None]).all()


def test_without_a_warp_the_formant_stays_and_only_the_colour_changes() -> None:
    mel = _formant(30)
    coloured = disguise(mel, _generator(), warp=0.0)
    change = coloured - mel
    # 5 dB are an eighth of a unit; the noise floor lies at least 36 dB (0.9 units) under the peak.
    loud = mel > 0
    assert float(change[loud].abs().max()) <= 5 * 0.025 + 0.02
    assert float(change[loud].abs().max()) > 0.05
    steps = change[:, 28:33].diff(dim=1).abs()
    assert float(steps.max()) < 0.05


def test_the_top_of_the_axis_stays_inside() -> None:
    ramp = torch.linspace(0, 1, BANDS)[None, :, None].expand(64, -1, 2)
    warped = disguise(ramp, _generator(), colour_db=0.0)
    assert float(warped.max()) <= 1.02
    torch.testing.assert_close(warped[:, -1], torch.ones(64, 2), atol=0.02, rtol=0)
    assert (warped.diff(dim=1) >= -1e-5).all()


@pytest.mark.parametrize("unit_per_db", [0.025, 0.0576])
def test_a_noise_floor_drowns_what_is_far_below(unit_per_db: float) -> None:
    quiet = torch.zeros(200, BANDS, 3)
    quiet[:, 40:] = -100 * unit_per_db
    heard = disguise(quiet, _generator(), warp=0.0, colour_db=0.0, unit_per_db=unit_per_db)
    floor_db = heard[:, 79, 0] / unit_per_db
    assert -80.5 < float(floor_db.min()) < -70
    assert -45 < float(floor_db.max()) < -35.5
