from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.heard_ops import ASKING, HeardOps

from autovoice.types import Pitch
from autovoice.vocode.differential import (
    DifferentialOptions,
    at_hops,
    carry_excitation,
    strength_for,
)
from autovoice.vocode.resident_carry import Pair, ResidentCarry, carried

RATE_HZ = 24_000
MOST_DB = -120.0


def vowel(seconds: float, formant_hz: float) -> np.ndarray:
    """Return a buzz at 200 Hz under one formant, in phrases, with breath."""
    time_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    wave = sum(
        np.sin(2 * np.pi * 200 * k * time_s) / (1 + (0.01 * (200 * k - formant_hz)) ** 2)
        for k in range(1, 50)
    )
    breath = np.random.default_rng(round(formant_hz)).standard_normal(len(time_s))
    return (0.1 * wave * (time_s % 0.5 < 0.35) + 0.003 * breath).astype(np.float32)


def melody(seconds: float) -> Pitch:
    time_s = np.arange(round(seconds * 125) + 1) * 0.008
    f0_hz = np.where(time_s % 0.5 < 0.35, 200, 0).astype(np.float32)
    return Pitch(f0_hz, (f0_hz > 0).astype(np.float32), 0.008)


def difference_db(found: np.ndarray, wanted: np.ndarray) -> float:
    assert found.shape == wanted.shape
    apart = np.mean((found - wanted).astype(np.float64) ** 2)
    return 10 * np.log10((apart + 1e-32) / np.mean(wanted.astype(np.float64) ** 2))


@pytest.fixture(scope="module")
def stage() -> ResidentCarry:
    return ResidentCarry()


@pytest.mark.parametrize("seconds", [0.1, 1.0, 2.3])
@pytest.mark.parametrize("nearness", [0.5, 0.9])
def test_the_filter_is_that_of_the_plain_way(
    stage: ResidentCarry, seconds: float, nearness: float
) -> None:
    source, made, pitch = vowel(seconds, 700), vowel(seconds, 1_800), melody(seconds)
    options = DifferentialOptions(strength=strength_for(nearness))
    wanted = carry_excitation(source, made, pitch, gain=1.7, options=options)
    assert difference_db(stage.carry(source, made, pitch, 1.7, nearness), wanted) < MOST_DB


@pytest.mark.parametrize("seconds", [0.1, 1.0, 2.3])
def test_the_own_voice_is_heard_as_in_the_plain_way(stage: ResidentCarry, seconds: float) -> None:
    source, made, pitch = vowel(seconds, 700), vowel(seconds, 1_800), melody(seconds)
    own = vowel(seconds, 1_100)
    for near in (0.5, 0.82, 0.9):
        options = DifferentialOptions.between(near)
        wanted = carry_excitation(source, made, pitch, own=own, gain=1.7, options=options)
        found = stage.carry(source, made, pitch, 1.7, near, own=own)
        assert difference_db(found, wanted) < MOST_DB
        without = difference_db(found, stage.carry(source, made, pitch, 1.7, near))
        assert (without < MOST_DB) == (near == 0.5)


def test_without_pitch_the_source_stays(stage: ResidentCarry) -> None:
    source, made = vowel(0.5, 700), vowel(0.5, 1_800)
    nothing = Pitch(np.zeros(63, np.float32), np.zeros(63, np.float32), 0.008)
    np.testing.assert_allclose(stage.carry(source, made, nothing, 2.0, 0.5), 2 * source)


def test_vocals_of_one_pass_do_not_hear_one_another(stage: ResidentCarry) -> None:
    pitch = melody(1.0)
    pairs = [
        (vowel(1.0, 700), vowel(1.0, 1_800), 1.0, 0.5),
        (vowel(1.0, 400), vowel(1.0, 2_500), 3.0, 0.9),
    ]
    f0_hz = at_hops(pitch, 201)
    with torch.inference_mode():
        made = stage._run([Pair(s, c, f0_hz, gain, near) for s, c, gain, near in pairs])
    for found, (source, converted, gain, near) in zip(made, pairs, strict=True):
        alone = stage.carry(source, converted, pitch, gain, near)
        assert difference_db(found, alone) < MOST_DB


def test_own_voices_of_one_pass_do_not_hear_one_another(stage: ResidentCarry) -> None:
    pitch, f0_hz = melody(1.0), at_hops(melody(1.0), 201)
    sources, owns = (vowel(1.0, 700), vowel(1.0, 400)), (vowel(1.0, 900), vowel(1.0, 2_000))
    pairs = [Pair(s, vowel(1.0, 1_800), f0_hz, 1.0, 0.9, own)
             for s, own in zip(sources, owns, strict=True)]  # fmt: skip
    with torch.inference_mode():
        made = stage._run(pairs)
    for found, pair in zip(made, pairs, strict=True):
        alone = stage.carry(pair.source, pair.converted, pitch, 1.0, 0.9, own=pair.own)
        assert difference_db(found, alone) < MOST_DB


def test_what_is_too_long_or_short_does_not_fit(stage: ResidentCarry) -> None:
    assert not stage.fits(np.zeros(21 * RATE_HZ, np.float32))
    assert not stage.fits(np.zeros(900, np.float32))


def test_the_device_is_asked_nothing() -> None:
    with torch.inference_mode(), HeardOps() as ops:
        carried(torch.randn(2, 24_000), torch.full((1, 201), 200.0), torch.ones(3))
    assert len(ops.names) > 30
    assert not set(ops.names) & set(ASKING)
