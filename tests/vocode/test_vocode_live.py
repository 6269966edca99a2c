"""The live halves of the vocoder: phase that goes on, moments that last, colour that is learned."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from autovoice.nn.adain import AdaINResBlock1
from autovoice.nn.harmonic_source import HarmonicSource
from autovoice.types import FloatArray, Pitch
from autovoice.vocode.live import Anchor, LiveVocoder
from autovoice.vocode.live_carry import LiveCarry
from autovoice.vocode.live_moments import RunningMoments

RATE = 24_000


class Network(nn.Module):
    """A decoder whose sound is its excitation."""

    def __init__(self) -> None:
        super().__init__()
        self.generator = Generator()

    def features(self, asr: Any, f0_hz: Any, energy: Any, style: Any) -> torch.Tensor:
        return torch.zeros(1, 512, f0_hz.shape[1])


class Generator(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.m_source = HarmonicSource()
        nn.init.ones_(self.m_source.l_linear.weight)
        nn.init.zeros_(self.m_source.l_linear.bias)

    def forward(self, rows: torch.Tensor, style: torch.Tensor, source: torch.Tensor) -> Any:
        assert rows.shape[2] * 300 == source.shape[1]
        return source


def vocoder() -> Any:
    def guarded(work: Any) -> Any:
        with torch.inference_mode():
            return work()

    return SimpleNamespace(
        network=Network(), device="cpu", guarded=guarded,
        wear=lambda adapter: None,
    )  # fmt: skip


def features(f0_hz: FloatArray) -> Any:
    return SimpleNamespace(asr=np.zeros((512, len(f0_hz) // 2), np.float32), f0_hz=f0_hz,
                           energy=np.zeros_like(f0_hz))  # fmt: skip


SPEAKER: Any = SimpleNamespace(adapter={}, style=np.zeros(128, np.float32))


def test_harmonics_go_on_where_the_last_window_ended() -> None:
    curve = np.linspace(200, 260, 80, dtype=np.float32)  # a glide of a second
    lent, live = vocoder(), LiveVocoder()
    still = np.zeros(12_000, np.float32)
    first = live.render(lent, features(curve[:40]), SPEAKER, noise=still, new=12_000)
    # the next window begins a quarter of a second later, and knows one place of the last one
    anchor = Anchor(3_000, float(first.cycles[9_000]))
    second = live.render(
        lent, features(curve[20:60]), SPEAKER, noise=still, new=6_000, anchor=anchor
    )
    assert np.abs(first.samples[7_000:10_000] - second.samples[1_000:4_000]).max() < 0.02
    loose = live.render(lent, features(curve[20:60]), SPEAKER, noise=still, new=6_000)
    assert np.abs(first.samples[7_000:10_000] - loose.samples[1_000:4_000]).max() > 0.3


def test_only_the_end_is_rendered() -> None:
    curve, lent = np.full(40, 200, np.float32), vocoder()
    noise = np.zeros(12_000, np.float32)
    whole = LiveVocoder().render(lent, features(curve), SPEAKER, noise=noise, new=600)
    part = LiveVocoder().render(lent, features(curve), SPEAKER, noise=noise, new=600, samples=3_000)
    assert not part.samples[:9_000].any()
    assert np.array_equal(part.samples[9_000:], whole.samples[9_000:])


def test_moments_are_those_of_all_windows_and_are_given_back() -> None:
    torch.manual_seed(0)
    block = AdaINResBlock1(4, 3, style_dim=8).eval()
    network, style = nn.Sequential(block), torch.randn(1, 8)
    before = block.activate
    sound = torch.randn(1, 4, 400) * 3 + 1
    with torch.inference_mode():
        alone = block(sound, style)
        moments = RunningMoments()
        with moments.worn_by(network, 1.0):
            first = block(sound, style)
        assert block.activate is before
        # of the first window: its own moments
        assert torch.allclose(first, alone, atol=1e-4)
        for _ in range(60):
            with moments.worn_by(network, 1.0):
                block(sound, style)
        quiet = sound[:, :, :40] * 0.1
        with moments.worn_by(network, 0.1):
            steady = block(quiet, style)
        # a quiet window stays quiet beside the others, instead of being blown up to their size
        assert (steady - quiet).std() < 0.5 * (block(quiet, style) - quiet).std()


@pytest.fixture
def sung() -> tuple[FloatArray, FloatArray, Pitch]:
    """Return a saw at 200 Hz, the same three times as bright, and their pitch."""
    at_s = np.arange(RATE) / RATE
    numbers = np.random.default_rng(0)
    noise = 1e-3 * numbers.standard_normal(RATE)
    waves = [np.sin(2 * np.pi * 200 * n * at_s) for n in range(1, 40)]
    dull = sum(wave / n for n, wave in enumerate(waves, 1)) * 0.1 + noise
    bright = sum(wave / n**0.3 for n, wave in enumerate(waves, 1)) * 0.05 + noise
    pitch = Pitch(np.full(126, 200, np.float32), np.ones(126, np.float32), 0.008)
    return dull.astype(np.float32), np.asarray(bright, np.float32), pitch


def test_the_colour_comes_over_and_the_wave_stays(sung: Any) -> None:
    dull, bright, pitch = sung
    made = LiveCarry().carry(dull, bright, pitch, gain=1.0, settled=slice(12_000, 20_000))

    def balance(sound: FloatArray) -> float:
        power = np.abs(np.fft.rfft(sound[6_000:18_000] * np.hanning(12_000))) ** 2
        return float(10 * np.log10(power[1_500:].sum() / power[:500].sum()))

    assert balance(made) > balance(dull) + 8
    for hop in range(200, 1_000, 200):  # the fundamental keeps its phase
        turn = np.exp(-2j * np.pi * 200 * np.arange(RATE) / RATE)[:12_000]
        assert abs(np.angle((made[:12_000] @ turn) / (dull[:12_000] @ turn))) < 0.1, hop


def test_windows_of_a_stream_agree_where_they_overlap(sung: Any) -> None:
    dull, bright, pitch = sung
    carry = LiveCarry()
    for _ in range(3):  # the mean is settled
        carry.carry(dull, bright, pitch, gain=1.0, settled=slice(4_000, 20_000))
    first = carry.carry(dull, bright, pitch, gain=1.0, settled=slice(20_000, 21_000))
    part = Pitch(pitch.f0_hz[30:], pitch.confidence[30:], 0.008)
    second = carry.carry(dull[5_760:], bright[5_760:], part, gain=1.0, settled=slice(0, 0))
    assert np.abs(first[8_000:20_000] - second[2_240:14_240]).max() < 0.02 * np.abs(first).max()


def test_a_source_that_breaks_off_is_not_blown_up(sung: Any) -> None:
    dull, bright, pitch = sung
    broken = dull.copy()
    broken[18_000:] = 0
    made = LiveCarry().carry(broken, bright, pitch, gain=1.0, settled=slice(4_000, 16_000))
    assert np.abs(made[17_000:]).max() < 2.5 * np.abs(made[6_000:16_000]).max()


def test_nothing_sung_is_left_alone() -> None:
    noise = np.random.default_rng(1).standard_normal(4_800).astype(np.float32)
    pitch = Pitch(np.zeros(26, np.float32), np.zeros(26, np.float32), 0.008)
    made = LiveCarry().carry(noise, noise, pitch, gain=2.0, settled=slice(0, 4_800))
    assert np.array_equal(made, noise)
