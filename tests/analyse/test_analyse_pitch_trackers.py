"""The trackers on the real weights: synthetic voices of known pitch, and singing against WORLD."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from autovoice.analyse.pitch import FcpeTracker, PitchTracker, SwiftF0Tracker, resample_pitch
from autovoice.errors import InputError
from autovoice.types import FloatArray, Pitch

RATE = 16_000
EVAL = Path(__file__).parents[3] / "shared" / "eval"


@pytest.fixture(scope="module")
def swift() -> SwiftF0Tracker:
    return SwiftF0Tracker()


@pytest.fixture(scope="module")
def fcpe() -> FcpeTracker:
    return FcpeTracker()


@pytest.fixture(params=["swift", "fcpe"])
def tracker(request: pytest.FixtureRequest) -> PitchTracker:
    found: PitchTracker = request.getfixturevalue(request.param)
    return found


def voice(f0_hz: FloatArray, noise: float = 0.002) -> FloatArray:
    """Sum harmonics under a vowel's formants, with a little noise."""
    phase = 2 * np.pi * np.cumsum(f0_hz) / RATE
    samples = np.zeros(f0_hz.size)
    for harmonic in range(1, int(7600 / f0_hz.min()) + 1):
        partial = harmonic * f0_hz
        vowel = 0.15 + np.exp(-(((partial - 600) / 250) ** 2))
        vowel += 0.6 * np.exp(-(((partial - 1400) / 350) ** 2))
        samples += (partial < 7600) * vowel / harmonic * np.sin(harmonic * phase + harmonic**2)
    rough = noise * np.random.default_rng(0).standard_normal(samples.size)
    return (0.3 * samples / np.abs(samples).max() + rough).astype(np.float32)


def flat(f0_hz: float, seconds: float = 1.0) -> FloatArray:
    return np.full(int(seconds * RATE), f0_hz)


def cents_off(pitch: Pitch, f0_hz: FloatArray) -> FloatArray:
    """Read the pitch on the decoder's grid; return the error where voiced, the ends left out."""
    frames = f0_hz.size * 80 // RATE
    moved = resample_pitch(pitch, 1 / 80, 0.5 / 80, frames)
    true = np.interp((np.arange(frames) + 0.5) / 80 * RATE, np.arange(f0_hz.size) + 0.5, f0_hz)
    inner = slice(6, frames - 6)
    assert (moved.f0_hz[inner] > 0).mean() > 0.98
    voiced = moved.f0_hz[inner] > 0
    return 1200 * np.log2(moved.f0_hz[inner][voiced] / true[inner][voiced])


@pytest.mark.parametrize("f0_hz", [65.4, 98.0, 220.0, 440.0, 560.0, 698.5, 880.0, 1100.0])
def test_flat_tones_are_read_to_a_cent(swift: SwiftF0Tracker, f0_hz: float) -> None:
    error = cents_off(swift.track(voice(flat(f0_hz))), flat(f0_hz))
    assert np.median(np.abs(error)) < 1.0
    assert (np.abs(error) < 50).mean() > 0.97


@pytest.mark.parametrize("f0_hz", [110.0, 440.0])
def test_the_second_method_reads_them_too(fcpe: FcpeTracker, f0_hz: float) -> None:
    error = cents_off(fcpe.track(voice(flat(f0_hz))), flat(f0_hz))
    assert np.median(np.abs(error)) < 1.0


def test_vibrato_and_glides_keep_their_shape_and_place(tracker: PitchTracker) -> None:
    time_s = np.arange(int(1.5 * RATE)) / RATE
    vibrato = 330.0 * 2.0 ** (np.sin(2 * np.pi * 6 * time_s) / 12)
    rising = 180.0 * 4.0 ** (time_s / 1.5)
    for curve in (vibrato, rising, rising[::-1].copy()):
        error = cents_off(tracker.track(voice(curve)), curve)
        assert np.median(np.abs(error)) < 2.0
        assert np.abs(np.median(error)) < 1.0  # a wrong frame centre would tilt the glides
        assert np.percentile(np.abs(error), 95) < 12.0


def test_a_real_octave_leap_is_kept(tracker: PitchTracker) -> None:
    curve = np.concatenate([flat(220.0, 0.6), flat(440.0, 0.6)])
    found = tracker.track(voice(curve)).f0_hz
    np.testing.assert_allclose(found[10:68], 220.0, rtol=0.02)
    np.testing.assert_allclose(found[82:140], 440.0, rtol=0.02)


@pytest.mark.parametrize("noise", [0.0, 1e-5, 0.1])
def test_silence_and_noise_are_unvoiced(tracker: PitchTracker, noise: float) -> None:
    rough = noise * np.random.default_rng(4).standard_normal(RATE)
    pitch = tracker.track(rough.astype(np.float32))
    assert (pitch.f0_hz > 0).mean() < 0.03


def test_the_gap_between_two_notes_is_unvoiced(tracker: PitchTracker) -> None:
    samples = voice(flat(300.0, 2.0), noise=0.0)
    samples[RATE * 4 // 5 : RATE * 6 // 5] = 0.0
    found = tracker.track(samples).f0_hz
    assert (found[107:143] == 0).all()
    assert (found[6:94] > 0).all()


def test_level_does_not_change_the_pitch(tracker: PitchTracker) -> None:
    samples = voice(flat(260.0))
    loud, quiet = tracker.track(samples), tracker.track(samples / 50)
    both = (loud.f0_hz > 0) & (quiet.f0_hz > 0)
    assert both.mean() > 0.95
    np.testing.assert_allclose(quiet.f0_hz[both], loud.f0_hz[both], rtol=1e-3)


@pytest.mark.parametrize("length", [0, 1, 100, 256, 1000, 1024, 5001])
def test_every_length_gives_a_full_curve(tracker: PitchTracker, length: int) -> None:
    pitch = tracker.track(voice(flat(200.0))[:length])
    assert pitch.f0_hz.shape == pitch.confidence.shape == (length // 128 + 1,)
    assert pitch.f0_hz.dtype == pitch.confidence.dtype == np.float32
    assert np.isfinite(pitch.f0_hz).all()
    assert (pitch.hop_s, pitch.offset_s) == (0.008, 0.0)


def test_chunked_equals_whole(swift: SwiftF0Tracker, fcpe: FcpeTracker) -> None:
    time_s = np.arange(int(1.6 * RATE)) / RATE
    samples = voice(260.0 * 2.0 ** (np.sin(2 * np.pi * 5 * time_s) / 6))
    for whole, cut in (
        (swift, SwiftF0Tracker(chunk_frames=17)),
        (fcpe, FcpeTracker(chunk_frames=120)),
    ):
        expected, found = whole.track(samples), cut.track(samples)
        np.testing.assert_allclose(found.confidence, expected.confidence, atol=1e-4)
        np.testing.assert_allclose(found.f0_hz, expected.f0_hz, rtol=1e-4)


def test_bad_samples_are_refused_with_advice(tracker: PitchTracker) -> None:
    with pytest.raises(InputError, match="mono"):
        tracker.track(np.zeros((2, 100), dtype=np.float32))
    with pytest.raises(InputError, match="finite"):
        tracker.track(np.array([0.0, np.nan], dtype=np.float32))


@pytest.mark.parametrize("name", ["smstools_singing_female", "gtsinger_en_tenor1_acap"])
def test_real_singing_agrees_between_the_methods(
    swift: SwiftF0Tracker, fcpe: FcpeTracker, name: str
) -> None:
    path = EVAL / f"{name}.flac"
    if not path.exists():
        pytest.skip(f"{path.name} is not beside the repository")
    audio, rate = soundfile.read(path, frames=120_000, dtype="float32", always_2d=True)
    samples = soxr.resample(audio.mean(axis=1), rate, RATE)
    first, second = swift.track(samples), fcpe.track(samples)
    both = (first.f0_hz > 0) & (second.f0_hz > 0)
    cents = np.abs(1200 * np.log2(first.f0_hz[both] / second.f0_hz[both]))
    assert both.mean() > 0.3
    assert np.median(cents) < 3.0
    assert (cents < 50).mean() > 0.97
    assert ((first.f0_hz > 0) != (second.f0_hz > 0)).mean() < 0.12
