"""Colour and octaves: what is painted is found again, and a note that fell an octave is heard."""

from __future__ import annotations

import made_corpus
import numpy as np
import pytest
import torch

from autovoice.nn.mel24k import Mel24k
from autovoice.train.colour import colour_gap, long_term, paint, random_colour
from autovoice.train.floor_loss import FloorLoss
from autovoice.train.octave_loss import DoublingLoss, OctaveLoss

LOUD_DB = 9.0


def _voice(f0_hz: float = 150.0) -> torch.Tensor:
    return torch.from_numpy(made_corpus.sound(np.full(160, f0_hz, np.float32)))[None]


def test_half_stays_uncoloured_and_none_goes_beyond_the_bound() -> None:
    knots = random_colour(3_000, torch.Generator().manual_seed(0), most_db=LOUD_DB, device="cpu")
    plain = (knots == 0).all(dim=1).float().mean()
    assert 0.45 < float(plain) < 0.55
    assert 0.95 * LOUD_DB < float(knots.abs().max()) <= LOUD_DB


def test_paint_lifts_the_band_of_its_knot_and_keeps_level_and_time() -> None:
    noise = torch.randn(1, 48_000, generator=torch.Generator().manual_seed(0))
    knots = torch.zeros(1, 9)
    knots[0, 4] = 12.0  # the middle of 60 Hz to 12 kHz on a logarithmic axis: 849 Hz
    painted = paint(noise, knots)
    assert float(painted.square().mean()) == pytest.approx(float(noise.square().mean()), rel=1e-4)

    def band_db(sound: torch.Tensor, low: float, high: float) -> float:
        power = torch.fft.rfft(sound).abs().square()
        hz = torch.linspace(0, 12_000, power.shape[1])
        return float(10 * torch.log10(power[:, (hz > low) & (hz < high)].mean()))

    lifted = band_db(painted, 800, 900) - band_db(painted, 4_000, 8_000)
    assert lifted == pytest.approx(
        12.0 + band_db(noise, 800, 900) - band_db(noise, 4_000, 8_000), abs=0.5
    )
    click = torch.zeros(1, 9_600)
    click[0, 4_800] = 1.0
    assert int(paint(click, knots).abs().argmax()) == 4_800
    torch.testing.assert_close(paint(noise, torch.zeros(1, 9)), noise, atol=1e-4, rtol=1e-4)


def test_the_gap_is_nothing_for_the_same_colour_and_grows_with_another() -> None:
    mel = Mel24k()
    chance = torch.Generator().manual_seed(0)
    voice, other = (0.1 * torch.randn(1, 48_000, generator=chance) for _ in range(2))
    knots = torch.zeros(1, 9)
    plain = long_term(mel(voice))
    assert plain.shape == (1, 67)
    assert float(plain.mean()) == pytest.approx(0.0, abs=1e-4)
    assert float(colour_gap(plain, long_term(mel(0.5 * voice)))) < 1e-3
    assert float(colour_gap(plain, long_term(mel(other)))) < 0.01
    gaps = []
    for lift_db in (4.0, 9.0):
        knots[0, 5] = lift_db
        gaps.append(float(colour_gap(plain, long_term(mel(paint(voice, knots))))))
    assert 0.02 < gaps[0] < 0.5 * gaps[1]


def test_the_octave_loss_hears_a_note_that_fell_and_only_that() -> None:
    loss = OctaveLoss()
    wanted = torch.full((1, 160), 440.0)
    sung, fallen = loss(_voice(440.0), wanted), loss(_voice(220.0), wanted)
    assert float(sung) < 0.02
    assert float(fallen) > 0.3
    assert float(loss(_voice(220.0), wanted * 0)) == 0.0
    assert float(loss(_voice(110.0), torch.full((1, 160), 110.0))) == 0.0  # too low to be told
    moving = 440.0 * torch.exp2(torch.linspace(0, 8, 160))[None]
    assert float(loss(_voice(220.0), moving)) == 0.0  # no steady frame


def test_the_octave_loss_pulls_the_sound_up() -> None:
    audio = _voice(220.0).requires_grad_(True)
    OctaveLoss()(audio, torch.full((1, 160), 440.0)).backward()
    assert audio.grad is not None
    assert torch.isfinite(audio.grad).all()
    better = audio.detach() - 0.05 * audio.grad / audio.grad.abs().max()
    before, after = (
        float(OctaveLoss()(x, torch.full((1, 160), 440.0))) for x in (audio.detach(), better)
    )
    assert after < before


def test_the_doubling_loss_misses_the_odd_harmonics_of_a_low_note() -> None:
    loss = DoublingLoss()
    low = torch.full((1, 160), 105.0)
    assert float(loss(_voice(105.0), low)) < 0.02
    assert float(loss(_voice(210.0), low)) > 0.9
    assert float(loss(_voice(420.0), torch.full((1, 160), 250.0))) == 0.0  # too high to count
    audio = (_voice(210.0) + 0.05 * _voice(105.0)).requires_grad_(True)
    before = loss(audio, low)
    before.backward()
    assert audio.grad is not None
    with torch.no_grad():
        better = audio - 0.05 * audio.grad / audio.grad.abs().max()
        assert float(loss(better, low)) < float(before)


def test_the_floor_loss_hears_hum_only_where_nothing_is_voiced() -> None:
    loss = FloorLoss()
    chance = torch.Generator().manual_seed(0)
    seconds = torch.arange(48_000) / 24_000
    sung = torch.where(seconds < 1.0, _voice(220.0)[:, :48_000], 0.0)
    f0_hz = torch.where(torch.arange(160) < 80, 220.0, 0.0)[None]
    hiss = 1e-3 * torch.randn(1, 48_000, generator=chance)
    hum = torch.where(seconds > 1.1, 0.02 * torch.sin(2 * torch.pi * 150 * seconds), 0.0)
    clean = sung + hiss
    assert float(loss(clean, clean, f0_hz)) == 0.0
    assert float(loss(clean + hum, clean, f0_hz)) > 0.5
    assert float(loss(clean, clean + hum, f0_hz)) == 0.0  # less than the source is no fault
    voiced = torch.full((1, 160), 220.0)
    assert float(loss(clean + hum, clean, voiced)) == 0.0
