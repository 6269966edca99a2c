"""DNSMOS: the figures of the published package, the shared work, order, bad input."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from scipy.signal import butter, sosfiltfilt

from autovoice import io, weights
from autovoice.errors import AutoVoiceError, WeightsError
from autovoice.eval.dnsmos import WINDOW_SAMPLES, DnsMos, repeated, window_starts
from autovoice.eval.dnsmos_graph import SharedGraph
from autovoice.eval.figure import NotApplicable
from autovoice.types import Audio, FloatArray
from published_figures import cuts

FIGURES = json.loads(Path(__file__).with_name("published_figures.json").read_text("utf-8"))["files"]
# Both sides compute in float32 and agree to 1e-5 on one machine.
TOLERANCE = 1e-3


@pytest.fixture(scope="module")
def judge() -> DnsMos:
    return DnsMos(2)


@pytest.fixture(scope="module")
def sounds() -> dict[str, FloatArray]:
    return dict(cuts())


def _audio(samples: FloatArray, sample_rate_hz: int = 16_000) -> Audio:
    return Audio(samples[None], sample_rate_hz)


@pytest.mark.parametrize("name", sorted(FIGURES))
def test_scores_are_those_of_the_published_package(
    name: str, judge: DnsMos, sounds: dict[str, FloatArray]
) -> None:
    found = asdict(judge.score(_audio(sounds[name])))
    assert found == pytest.approx(FIGURES[name]["dnsmos"], abs=TOLERANCE)


def test_shared_work_gives_what_the_graph_gives_window_by_window(
    sounds: dict[str, FloatArray],
) -> None:
    path = weights.file("dnsmos", "sig_bak_ovr.onnx")
    samples = sounds["long"]
    # Neighbours, a gap, and starts that the later poolings do not meet.
    starts = [0, 100, 350, 750]
    windows = np.stack([samples[160 * s : 160 * s + WINDOW_SAMPLES] for s in starts])
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    wanted = np.concatenate([session.run(None, {"input_1": each[None]})[0] for each in windows])
    np.testing.assert_allclose(SharedGraph(path, 2).scores(samples, starts), wanted, atol=1e-4)


def test_noise_lowers_every_score(judge: DnsMos, sounds: dict[str, FloatArray]) -> None:
    clean = sounds["vowels"]
    noise = clean.std() * np.random.default_rng(0).standard_normal(len(clean), np.float32)
    before, after = (asdict(judge.score(_audio(each))) for each in (clean, clean + noise))
    assert all(after[name] < before[name] - 1.0 for name in ("ovrl", "sig", "bak"))


def test_rate_and_channels_do_not_count(judge: DnsMos, sounds: dict[str, FloatArray]) -> None:
    # What lies at the edge of the band counts, and resampling there and back takes it away.
    edge = butter(8, 7_000, "lowpass", fs=16_000, output="sos")
    mono = sosfiltfilt(edge, sounds["vowels"]).astype(np.float32)
    high = io.resample(mono[None], 16_000, 44_100)
    stereo = Audio(np.concatenate((1.2 * high, 0.8 * high)), 44_100)
    wanted = asdict(judge.score(_audio(mono)))
    assert asdict(judge.score(stereo)) == pytest.approx(wanted, abs=0.02)


@pytest.mark.parametrize(
    ("samples", "says"),
    [
        (np.zeros(0, np.float32), "0.00 s"),
        (np.full(1_600, 0.1, np.float32), "0.10 s.*at least 0.5 s"),
        (np.zeros(32_000, np.float32), "2.00 s is silent"),
        (np.full(32_000, np.inf, np.float32), "finite"),
    ],
)
def test_what_cannot_be_judged_says_why(samples: FloatArray, says: str, judge: DnsMos) -> None:
    with pytest.raises(NotApplicable, match=says):
        judge.score(_audio(samples))


def test_a_constant_gets_a_finite_score(judge: DnsMos) -> None:
    found = asdict(judge.score(_audio(np.full(8_000, 1.0, np.float32))))
    assert np.isfinite(list(found.values())).all()


def test_short_sound_is_doubled_until_it_fills_a_window() -> None:
    short = np.arange(16_000, dtype=np.float32)
    np.testing.assert_array_equal(repeated(short), np.tile(short, 16))
    enough = np.zeros(WINDOW_SAMPLES, np.float32)
    assert repeated(enough) is enough


@pytest.mark.parametrize(
    ("seconds", "starts_s"),
    [
        (9.01, [0]),
        (10.9, [0]),
        (11.0, [0, 1]),
        (16.0, [0, 1, 2, 3, 4, 5, 6]),
        # The package's rounding leaves out the windows from 7 to 23 s.
        (32.9, [0, 1, 2, 3, 4, 5, 6]),
        (35.0, [0, 1, 2, 3, 4, 5, 6, 24, 25]),
    ],
)
def test_windows_begin_where_the_package_has_them(seconds: float, starts_s: list[int]) -> None:
    assert window_starts(round(16_000 * seconds)) == [100 * start for start in starts_s]


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(AutoVoiceError, match=r"autovoice\[eval\]"):
        DnsMos()


def test_another_graph_is_refused(tmp_path: Path) -> None:
    value = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
    graph = onnx.helper.make_graph([], "empty", [value], [value])
    path = tmp_path / "empty.onnx"
    onnx.save(onnx.helper.make_model(graph), str(path))
    with pytest.raises(WeightsError, match=r"empty\.onnx.*Concat"):
        SharedGraph(path)
