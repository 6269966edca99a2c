from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from autovoice import weights
from autovoice.separate.spleeter import Spleeter
from autovoice.types import Audio, Stems

pytestmark = pytest.mark.e2e

EVAL = Path(__file__).parents[3] / "shared" / "eval"
FIRST_S, LAST_S = 5, 13


def part(name: str) -> Audio:
    path = EVAL / f"constructed_vocadito1_vibeace_{name}.flac"
    if not path.exists():
        pytest.skip("the evaluation audio is not beside the repository")
    rate_hz = soundfile.info(path).samplerate
    samples, _ = soundfile.read(
        path, start=FIRST_S * rate_hz, stop=LAST_S * rate_hz, dtype="float32", always_2d=True
    )
    return Audio(np.ascontiguousarray(samples.T), rate_hz)


@pytest.fixture(scope="module")
def separator() -> Spleeter:
    return Spleeter(tensors=weights.tensors("spleeter-2stems"))


@pytest.fixture(scope="module")
def stems(separator: Spleeter) -> Stems:
    return separator.separate(part("mix"))


def si_sdr_db(estimate: Audio, truth: Audio) -> float:
    """Return the scale-invariant signal-to-distortion ratio (Le Roux et al. 2019)."""
    e, t = estimate.samples.ravel(), truth.samples.ravel()
    target = (e @ t) / (t @ t) * t
    return float(10 * np.log10((target @ target) / ((e - target) @ (e - target))))


def test_both_stems_are_nearer_to_the_truth_than_the_mix(stems: Stems) -> None:
    mix = part("mix")
    gain_db = si_sdr_db(stems.vocals, part("voc")) - si_sdr_db(mix, part("voc"))
    # Measured: 13 dB over the whole file, whose vocal lies 14.7 dB under the backing.
    assert gain_db > 10
    assert si_sdr_db(stems.backing, part("acc")) > si_sdr_db(mix, part("acc")) + 1


def test_stems_sum_to_the_mix(stems: Stems) -> None:
    total = stems.vocals.samples + stems.backing.samples
    np.testing.assert_allclose(total, part("mix").samples, atol=1e-6)


def test_a_vocal_on_one_side_stays_there(separator: Spleeter) -> None:
    vocal = part("voc").samples * np.array([[4.0], [0.0]], np.float32)
    found = separator.separate(Audio(vocal + part("acc").samples, 44100)).vocals.samples
    left, right = (float(np.sqrt(np.mean(channel**2))) for channel in found)
    assert left > 4 * right
