from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.heard_ops import ASKING, HeardOps

from autovoice import io
from autovoice.analyse.activity import activity as plain_activity
from autovoice.analyse.loudness import at_level, decoder_energy, level_gain
from autovoice.analyse.pitch import SwiftF0Tracker
from autovoice.analyse.pitch import octave as plain_octave
from autovoice.analyse.pitch.grid import resample_pitch
from autovoice.analyse.pitch.voicing import VoicingRules, runs
from autovoice.analyse.pitch.voicing import decide_voicing as plain_voicing
from autovoice.analyse.pitch.voicing import frame_level_db as plain_level_db
from autovoice.analyse.resident import Hearing
from autovoice.analyse.resident import loudness as resident_loudness
from autovoice.analyse.resident.activity import activity, level
from autovoice.analyse.resident.pitch import frame_rules
from autovoice.errors import InputError
from autovoice.kernels import switched_off
from autovoice.kernels.pitch.grid import between, interpolated
from autovoice.kernels.pitch.octave import around, follow_evidence, repair_octaves
from autovoice.kernels.pitch.runs import ends, highest, opened, percentile
from autovoice.kernels.pitch.voicing import decide_voicing, frame_level_db
from autovoice.types import Audio, Pitch

HOP_S = 0.016
CHANCE = np.random.default_rng(5)


def blocks(frames: int, longest: int) -> np.ndarray:
    """Return a mask of runs of chance length."""
    lengths = CHANCE.integers(1, longest, frames)
    return np.repeat(np.arange(frames) % 2 == CHANCE.integers(2), lengths)[:frames]


def melody(frames: int) -> np.ndarray:
    """Return F0 with vibrato, glides and slips of an octave, above 0."""
    slow = np.cumsum(CHANCE.normal(0, 0.03, frames))
    slips = np.repeat(CHANCE.choice([0, 0, 0, 1, -1], frames), CHANCE.integers(1, 12, frames))
    return (220 * 2.0 ** (slow + slips[:frames])).astype(np.float32)


def on(*arrays: np.ndarray) -> list[torch.Tensor]:
    return [torch.from_numpy(np.ascontiguousarray(x))[None] for x in arrays]


@pytest.mark.parametrize("frames", [1, 2, 63, 400])
def test_runs_are_those_of_the_loop(frames: int) -> None:
    for mask in [blocks(frames, 9), np.ones(frames, bool), np.zeros(frames, bool)]:
        values = CHANCE.standard_normal(frames).astype(np.float32)
        first, last = ends(torch.from_numpy(mask)[None])
        most = highest(*on(values), first, *on(mask))
        for begin, end in runs(mask):
            assert (first[0, begin:end] == begin).all()
            assert (last[0, begin:end] == end - 1).all()
            assert (most[0, begin:end] == values[begin:end].max()).all()


@pytest.mark.parametrize("width", [1, 4, 5])
@pytest.mark.parametrize("frames", [3, 70])
def test_opening_drops_what_is_short(width: int, frames: int) -> None:
    mask = blocks(frames, 8)
    wanted = np.zeros_like(mask)
    for begin, end in runs(mask):
        wanted[begin:end] = end - begin >= width
    np.testing.assert_array_equal(opened(*on(mask), width)[0].numpy(), wanted)


def test_percentiles_are_numpys() -> None:
    values, mask = CHANCE.standard_normal((3, 50)).astype(np.float32), CHANCE.random((3, 50)) < 0.5
    mask[1] = [True] + 49 * [False]
    for percent in (0, 10, 90, 95, 100):
        found = percentile(torch.from_numpy(values), torch.from_numpy(mask), percent)[:, 0]
        wanted = [np.percentile(row[kept], percent) for row, kept in zip(values, mask, strict=True)]
        np.testing.assert_allclose(found, wanted, atol=1e-6)
    nothing = percentile(torch.zeros(1, 4), torch.zeros(1, 4, dtype=torch.bool), 50)
    assert not torch.isfinite(nothing).any()


@pytest.mark.parametrize("frames", [1, 2, 63, 500])
def test_voicing_is_that_of_the_loop(frames: int) -> None:
    rules = VoicingRules()
    for _ in range(20):
        width = min(frames, 4)
        confidence = np.convolve(CHANCE.random(frames), np.ones(width) / width, "same")
        level_db = CHANCE.uniform(-90, -10, frames)
        arrays = [x.astype(np.float32) for x in (confidence, level_db)]
        wanted = plain_voicing(*arrays, HOP_S, rules)
        np.testing.assert_array_equal(
            decide_voicing(*on(*arrays), frame_rules(rules, HOP_S))[0][0], wanted
        )


def test_levels_are_those_of_running_sums() -> None:
    samples = CHANCE.standard_normal(5_000).astype(np.float32)
    frames = len(samples) // 256 + 1
    wanted = plain_level_db(samples, frames, 256)
    np.testing.assert_allclose(frame_level_db(*on(samples), frames, 256)[0], wanted, atol=1e-4)


@pytest.mark.parametrize("frames", [1, 2, 63, 300])
def test_octaves_are_put_right_as_by_the_loops(frames: int) -> None:
    for _ in range(20):
        f0_hz, voiced = melody(frames), blocks(frames, 60)
        evidence = np.repeat(CHANCE.integers(-1, 2, frames), 3)[:frames].astype(np.float32)
        coarse = plain_octave.follow_evidence(f0_hz, evidence * voiced, voiced)
        wanted = plain_octave.repair_octaves(coarse, voiced, HOP_S)
        tensors = on(f0_hz, evidence, voiced)
        first, last = ends(tensors[2])
        held, mirrored = around(first, last)
        found = follow_evidence(*tensors, held)
        np.testing.assert_allclose(found[0].numpy()[voiced], coarse[voiced], rtol=1e-6)
        found = repair_octaves(found, tensors[2], first, mirrored, HOP_S)
        np.testing.assert_allclose(found[0].numpy()[voiced], wanted[voiced], rtol=1e-6)


def test_slips_are_there_and_repaired() -> None:
    f0_hz = np.full(63, 200, np.float32)
    f0_hz[20:24] = 400
    voiced = np.ones(63, bool)
    first, last = ends(*on(voiced))
    repaired = repair_octaves(*on(f0_hz, voiced), first, around(first, last)[1], HOP_S)
    np.testing.assert_allclose(repaired, 200)


@pytest.mark.parametrize("frames", [1, 2, 63, 300])
def test_the_finer_grid_is_that_of_the_loop(frames: int) -> None:
    f0_hz, voiced = melody(frames), blocks(frames, 20)
    confidence = CHANCE.random(frames).astype(np.float32)
    count = 2 * frames + 1
    coarse = Pitch(np.where(voiced, f0_hz, 0).astype(np.float32), confidence, HOP_S)
    wanted = resample_pitch(coarse, 0.008, 0.0, count)
    position = torch.arange(count, dtype=torch.float64) * 0.008 / HOP_S
    found, sung = between(*on(f0_hz, voiced), ends(*on(voiced)), position)
    np.testing.assert_array_equal(sung[0], wanted.f0_hz > 0)
    np.testing.assert_allclose(torch.where(sung, found, 0)[0], wanted.f0_hz, rtol=1e-6)
    read = interpolated(*on(confidence), position)[0]
    np.testing.assert_allclose(read, wanted.confidence, atol=1e-6)


def test_activity_is_that_of_the_plain_way() -> None:
    for seconds in (0.1, 1.0, 4.0):
        length, count = round(16_000 * seconds), round(16_000 * seconds) // 128 + 1
        loudness = np.repeat(10 ** CHANCE.uniform(-4, -0.5, 40), 1_600)[:length]
        samples = (loudness * CHANCE.standard_normal(length)).astype(np.float32)
        f0_hz = (200 * blocks(count, 60)).astype(np.float32)
        wanted = plain_activity(samples, 16_000, Pitch(f0_hz, f0_hz, 0.008)).values
        np.testing.assert_allclose(activity(level(*on(samples)), *on(f0_hz))[0], wanted, atol=1e-5)
    silent = activity(level(torch.zeros(1, 1_600)), torch.zeros(1, 13))
    assert not silent.any()


def test_level_is_that_of_the_plain_way() -> None:
    for scale in (0.0, 1e-3, 0.5):
        samples = (scale * CHANCE.standard_normal(9_000)).astype(np.float32)
        samples[3_000:6_000] *= 1e-3
        found = resident_loudness.level_gain(torch.from_numpy(samples)[None], 24_000)
        assert float(found) == pytest.approx(level_gain(samples, 24_000), rel=1e-5)


def sung(seconds: float, rate_hz: int) -> Audio:
    """Return a voice that glides and pauses, in stereo, with breath."""
    time_s = np.arange(round(seconds * rate_hz)) / rate_hz
    f0_hz = 220 * 2 ** (0.3 * np.sin(2 * np.pi * 0.9 * time_s))
    phase = 2 * np.pi * np.cumsum(f0_hz) / rate_hz
    wave = sum(np.sin(k * phase) / k for k in range(1, 12)) * (time_s % 0.7 < 0.5)
    noise = CHANCE.standard_normal((2, len(time_s))) * 0.003
    return Audio((np.outer([0.2, 0.1], wave) + noise).astype(np.float32), rate_hz)


@pytest.fixture(scope="module")
def hearing() -> Hearing:
    return Hearing()


@pytest.mark.parametrize("length", [44_100, 71_003])
def test_a_vocal_is_heard_as_by_the_plain_stages(hearing: Hearing, length: int) -> None:
    vocal = sung(2.0, 44_100)
    vocal = Audio(np.ascontiguousarray(vocal.samples[:, :length]), 44_100)
    ticks = -(-length * 10 // 44_100)
    heard = hearing.hear(vocal, ticks)
    at_16k, at_24k = (
        np.pad(
            made := io.resample(vocal.mono()[None], 44_100, hz)[0],
            (0, ticks * hz // 10 - len(made)),
        )
        for hz in (16_000, 24_000)
    )
    np.testing.assert_allclose(heard.at_16k, at_16k, atol=2e-6)
    np.testing.assert_allclose(heard.at_24k, at_24k, atol=2e-6)
    pitch = SwiftF0Tracker().track(at_16k)
    np.testing.assert_array_equal(heard.pitch.f0_hz > 0, pitch.f0_hz > 0)
    voiced = pitch.f0_hz > 0
    assert voiced.mean() > 0.5
    cents = 1200 * np.log2(heard.pitch.f0_hz[voiced] / pitch.f0_hz[voiced])
    assert np.abs(cents).max() < 0.1
    np.testing.assert_allclose(heard.pitch.confidence, pitch.confidence, atol=5e-3)
    energy = at_level(decoder_energy(at_24k), level_gain(at_24k, 24_000))
    np.testing.assert_allclose(heard.energy.values, energy.values, atol=1e-4)
    active = plain_activity(at_16k, 16_000, pitch)
    np.testing.assert_allclose(heard.activity.values, active.values, atol=1e-4)
    for found, wanted in ((heard.energy, energy), (heard.activity, active)):
        assert (found.hop_s, found.offset_s) == (wanted.hop_s, wanted.offset_s)


def test_vocals_of_one_pass_do_not_hear_one_another(hearing: Hearing) -> None:
    quiet, loud = sung(1.0, 44_100), sung(0.96, 44_100)
    with torch.inference_mode():
        items = [(voice.samples, 10, 44_100) for voice in (quiet, loud)]
        together = hearing._run(items)
    for row, voice in zip(together, (quiet, loud), strict=True):
        alone = hearing.hear(voice, 10)
        np.testing.assert_allclose(row[2], alone.pitch.f0_hz, rtol=1e-4)
        np.testing.assert_allclose(row[4], alone.energy.values, atol=1e-4)


def test_what_cannot_be_heard_so_is_said(hearing: Hearing) -> None:
    assert not hearing.fits(Audio(np.zeros((1, 31 * 8_000), np.float32), 8_000))
    assert not hearing.fits(Audio(np.zeros((1, 44_101), np.float32), 44_101))
    with pytest.raises(InputError, match="found NaN or Inf"):
        hearing.hear(Audio(np.full((1, 44_100), np.nan, np.float32), 44_100), 10)


def test_the_device_is_asked_nothing(hearing: Hearing) -> None:
    vocals, lengths = torch.randn(1, 2, 44_100), torch.tensor([[16_000], [24_000]])
    with torch.inference_mode(), HeardOps() as ops:
        hearing._heard(vocals, lengths, ticks=10, rate_hz=44_100)
    assert len(ops.names) > 100
    assert not set(ops.names) & set(ASKING)
    # Nor by the references, which a GPU takes where nothing was compiled.
    with torch.inference_mode(), switched_off("pitch_finish", "log_mel"), HeardOps() as alone:
        hearing._heard(vocals, lengths, ticks=10, rate_hz=44_100)
    assert len(alone.names) > len(ops.names) + 300
    assert not set(alone.names) & set(ASKING)
