"""Voicing, octaves, the finer grid and the sharper value, against the reference and by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from tests.kernels.cases import DEVICES, ON_GPU

from autovoice.kernels import FrameRules, pitch_finish, switched_off
from autovoice.kernels.library import enabled, implementations

RULES = FrameRules(start=0.5, hold=0.45, gate_db=-66.0, range_db=50.0, most_gap=2, least_run=3)
HOP = 256
# Where partials near the bound of 3 % count or not by their last bit, a fine frame may differ more.
CENTS, RARE_CENTS, RARE = 0.02, 1.0, 0.01


def heard(frames: int, batch: int = 3, cut: int = 57) -> tuple[torch.Tensor, ...]:
    """Return tones with pauses and faint noise, and a network's F0 with slips of an octave."""
    chance = np.random.default_rng(frames)
    length = max((frames - 1) * HOP + HOP - cut, 1)
    time_s = np.arange(length) / 16_000
    tone = sum(np.sin(2 * np.pi * 220 * k * time_s) / k for k in range(1, 8))
    loud = np.repeat(chance.random((batch, length // 4_000 + 1)) < 0.8, 4_000, 1)[:, :length]
    sound = 0.2 * tone * loud + 2e-5 * chance.standard_normal((batch, length))
    many = chance.integers(1, 9, frames)
    slips = np.repeat(chance.choice([0, 0, 0, 1, -1], (batch, frames)), many, 1)[:, :frames]
    f0_hz = 220 * 2.0 ** (chance.normal(0, 0.002, (batch, frames)) + slips)
    sure = np.repeat(chance.random((batch, frames)) ** 0.5, many, 1)[:, :frames]
    return tuple(torch.from_numpy(x.astype(np.float32)) for x in (sound, f0_hz, sure))


def finished(*tensors: torch.Tensor, rules: FrameRules = RULES) -> tuple[torch.Tensor, ...]:
    return tuple(x.cpu() for x in pitch_finish(*tensors, hop_samples=HOP, rules=rules))


def check(found: tuple[torch.Tensor, ...], wanted: tuple[torch.Tensor, ...]) -> None:
    voiced = wanted[0] > 0
    assert torch.equal(found[0] > 0, voiced)
    cents = (1200 * torch.log2(found[0][voiced] / wanted[0][voiced])).abs()
    if len(cents):
        assert float((cents > CENTS).float().mean()) <= RARE
        assert float(cents.max()) < RARE_CENTS
    torch.testing.assert_close(found[1], wanted[1], atol=1e-6, rtol=0)


@pytest.mark.parametrize("device", DEVICES)
def test_a_held_note_is_found_and_a_slip_is_put_back(device: str) -> None:
    time_s = torch.arange(16_000) / 16_000
    sound = sum(torch.sin(2 * math.pi * 202.0 * k * time_s) / k for k in range(1, 8))[None] * 0.1
    f0_hz = torch.full((1, 63), 200.0)
    f0_hz[0, 20:24] = 400.0
    sure = torch.ones(1, 63)
    sure[0, 40:42] = 0.0  # a gap of two frames is filled
    sure[0, 50:] = 0.0
    f0_hz, confidence = finished(*(x.to(device) for x in (sound, f0_hz, sure)))
    assert f0_hz.shape == confidence.shape == (1, 126)
    assert (f0_hz[0, :99] > 0).all()
    assert not f0_hz[0, 99:].any()
    torch.testing.assert_close(f0_hz[0, 4:95], torch.full((91,), 202.0), atol=0.5, rtol=0)
    torch.testing.assert_close(confidence[0, :100:2], sure[0, :50])


@pytest.mark.parametrize("device", DEVICES)
def test_what_is_too_short_or_too_quiet_is_not_voiced(device: str) -> None:
    sound, f0_hz, _ = heard(63, batch=1)
    sure = torch.zeros(1, 63)
    sure[0, 10:12] = 0.9
    sure[0, 30:40] = 0.48  # held, but nowhere sure
    found, _ = finished(*(x.to(device) for x in (sound, f0_hz, sure)))
    assert not found.any()
    found, _ = finished(*(x.to(device) for x in (sound * 1e-4, f0_hz, torch.ones(1, 63))))
    assert not found.any()


@pytest.mark.parametrize("device", DEVICES)
def test_slices_are_read_as_they_are(device: str) -> None:
    sound, f0_hz, sure = (x.to(device) for x in heard(63))
    wanted = finished(sound, f0_hz, sure)
    wide = torch.stack([sound, sound], 1)[:, 0], torch.stack([f0_hz, f0_hz], 2)[..., 1]
    assert not wide[1].is_contiguous()
    found = finished(*wide, sure.repeat(1, 2)[:, :63])
    assert all(map(torch.equal, found, wanted))
    alone = finished(sound[1:2], f0_hz[1:2], sure[1:2])
    torch.testing.assert_close(alone[0][0], wanted[0][1], rtol=1e-5, atol=0)


@pytest.mark.gpu
@pytest.mark.skipif(not ON_GPU, reason="no GPU")
# 4,000 frames do not fit into shared memory.
@pytest.mark.parametrize("frames", [1, 2, 3, 33, 64, 200, 1_877, 4_000])
def test_the_kernels_say_what_the_reference_says(frames: int) -> None:
    tensors = heard(frames, batch=3 if frames < 1_000 else 1)
    check(finished(*(x.cuda() for x in tensors)), finished(*tensors))


@pytest.mark.gpu
@pytest.mark.skipif(not ON_GPU, reason="no GPU")
def test_the_same_again_and_in_a_graph() -> None:
    tensors = [x.cuda() for x in heard(63)]
    wanted = pitch_finish(*tensors, hop_samples=HOP, rules=RULES)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        found = pitch_finish(*tensors, hop_samples=HOP, rules=RULES)
    for _ in range(3):
        graph.replay()
        assert all(map(torch.equal, found, wanted))


@pytest.mark.gpu
@pytest.mark.skipif(not ON_GPU, reason="no GPU")
def test_other_types_are_refused() -> None:
    sound, f0_hz, sure = (x.cuda() for x in heard(9))
    for wrong in ((sound.half(), f0_hz, sure), (sound, f0_hz.double(), sure)):
        with pytest.raises(RuntimeError, match="has dtype"):
            pitch_finish(*wrong, hop_samples=HOP, rules=RULES)
    with pytest.raises(RuntimeError, match="confidence has 24 values, expected 27"):
        pitch_finish(sound, f0_hz, sure[:, 1:], hop_samples=HOP, rules=RULES)


def test_it_can_be_switched_off_to_compare() -> None:
    tensors = heard(20)
    wanted = finished(*tensors)
    with switched_off("pitch_finish"):
        assert not enabled("pitch_finish")
        said = {found.op: found for found in implementations()}["pitch_finish"]
        assert (said.kind, said.reason) == ("reference", "AUTOVOICE_REFERENCE_OPS asks for it")
        assert all(map(torch.equal, finished(*tensors), wanted))
    assert enabled("pitch_finish")


@pytest.mark.parametrize("device", DEVICES)
def test_opcheck(device: str) -> None:
    tensors = tuple(x.to(device) for x in heard(33))
    numbers = (HOP, 2, 3, 0.5, 0.45, -66.0, 50.0)
    torch.library.opcheck(torch.ops.autovoice.pitch_finish.default, (*tensors, *numbers))
