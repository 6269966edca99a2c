"""On a GPU the resident stages are captured as graphs, and say what they say on the CPU."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from autovoice.analyse.resident import Hearing
from autovoice.mix import MixOptions
from autovoice.mix.resident import ResidentMixer
from autovoice.nn import residence
from autovoice.types import Audio, Pitch, Stems
from autovoice.vocode.resident_carry import ResidentCarry

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU"),
]
RATE_HZ = 44_100
MOST_DB = -100.0
CALLS = 4


def sung(rate_hz: int, f0_hz: float, channels: int = 1) -> np.ndarray:
    """Return 1 s of phrases with breath, ``[C, T]``."""
    time_s = np.arange(rate_hz) / rate_hz
    wave = sum(np.sin(2 * np.pi * f0_hz * k * time_s) / k for k in range(1, 20))
    breath = np.random.default_rng(3).standard_normal((channels, rate_hz)) * 0.003
    return (0.15 * wave * (time_s % 0.5 < 0.4) + breath).astype(np.float32)


def difference_db(found: np.ndarray, wanted: np.ndarray) -> float:
    apart = np.mean((found - wanted).astype(np.float64) ** 2)
    return float(10 * np.log10((apart + 1e-30) / np.mean(wanted.astype(np.float64) ** 2)))


def test_the_mix() -> None:
    noise = np.random.default_rng(4).standard_normal((2, RATE_HZ)).astype(np.float32)
    vocals = sung(RATE_HZ, 220, 2)
    converted = Audio(sung(24_000, 330), 24_000)
    stages = ResidentMixer(device="cuda"), ResidentMixer()
    for backing in (0.02, 0.5):
        stems = Stems(Audio(vocals, RATE_HZ), Audio(backing * noise, RATE_HZ))
        options = MixOptions(vocal_gain_db=3)
        wanted = stages[1].mixdown(converted, stems, options)
        for _ in range(CALLS):
            found = stages[0].mixdown(converted, stems, options)
            assert difference_db(found.mix.samples, wanted.mix.samples) < MOST_DB
            assert difference_db(found.vocal.samples, wanted.vocal.samples) < MOST_DB
    assert len(stages[0].graphs) == 1


def test_a_vocal() -> None:
    stages = Hearing(device="cuda"), Hearing()
    vocal = Audio(sung(RATE_HZ, 220, 2), RATE_HZ)
    wanted = stages[1].hear(vocal, 10)
    for _ in range(CALLS):
        found = stages[0].hear(vocal, 10)
        assert difference_db(found.at_24k, wanted.at_24k) < MOST_DB
        np.testing.assert_array_equal(found.pitch.f0_hz > 0, wanted.pitch.f0_hz > 0)
        voiced = wanted.pitch.f0_hz > 0
        assert voiced.any()
        cents = 1200 * np.log2(found.pitch.f0_hz[voiced] / wanted.pitch.f0_hz[voiced])
        # TF32 convolutions move the network's guess, the harmonics bring it back.
        assert np.abs(cents).max() < 1.0
        np.testing.assert_allclose(found.energy.values, wanted.energy.values, atol=1e-3)
        np.testing.assert_allclose(found.activity.values, wanted.activity.values, atol=1e-3)
    assert len(stages[0].graphs) == 1


def test_the_filter() -> None:
    source, converted = sung(24_000, 220)[0], np.ascontiguousarray(sung(24_000, 220)[0][::-1])
    f0_hz = np.full(126, 220, np.float32)
    pitch = Pitch(f0_hz, np.ones(126, np.float32), 0.008)
    stages = ResidentCarry(device="cuda"), ResidentCarry()
    wanted = stages[1].carry(source, converted, pitch, 1.5, 0.6)
    for _ in range(CALLS):
        found = stages[0].carry(source, converted, pitch, 1.5, 0.6)
        assert difference_db(found, wanted) < MOST_DB
    assert len(stages[0].graphs) == 1


def test_a_long_mix_in_blocks() -> None:
    noise = np.random.default_rng(5).standard_normal((2, 8 * RATE_HZ)).astype(np.float32)
    vocals = np.tile(sung(RATE_HZ, 220, 2), (1, 8))
    converted = Audio(np.tile(sung(24_000, 330), (1, 8)), 24_000)
    stems = Stems(Audio(vocals, RATE_HZ), Audio(0.5 * noise, RATE_HZ))
    mixer, plain = ResidentMixer(device="cuda"), ResidentMixer()
    mixer.limit_pass(0.01)
    assert mixer.whole_s < stems.vocals.seconds < plain.whole_s
    wanted = plain.mixdown(converted, stems)
    for _ in range(2):
        found = mixer.mixdown(converted, stems)
        assert difference_db(found.mix.samples, wanted.mix.samples) < MOST_DB
        assert difference_db(found.vocal.samples, wanted.vocal.samples) < MOST_DB
    assert len(mixer.graphs) >= 3, "to hear, to place and to limit"


def test_what_was_kept_is_what_would_have_gone_up() -> None:
    vocal = sung(RATE_HZ, 220, 2)
    hearing = Hearing(device="cuda")
    wanted = [hearing.hear(Audio(vocal, RATE_HZ), 10) for _ in range(CALLS)][-1]
    kept = vocal.copy()
    residence.keep(kept, torch.from_numpy(vocal).cuda())
    assert residence.of(kept, hearing.device) is not None
    for _ in range(CALLS):
        found = hearing.hear(Audio(kept, RATE_HZ), 10)
        np.testing.assert_array_equal(found.at_24k, wanted.at_24k)
        np.testing.assert_array_equal(found.pitch.f0_hz, wanted.pitch.f0_hz)
    assert len(hearing.graphs) == 2, "one for what goes up, one for what lies there"
