"""Speaker embeddings of the score card: the published package's own, from end to end."""

from __future__ import annotations

import json
import sys
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from autovoice.errors import AutoVoiceError, InputError
from autovoice.eval import resemblyzer
from autovoice.eval.judges import Builders
from autovoice.eval.resemblyzer import WINDOW_SAMPLES, Resemblyzer
from autovoice.eval.similarity import cosine, embedding
from autovoice.types import Audio, FloatArray
from published_figures import PLAYED_HZ, RATE_HZ, cuts

FIGURES = json.loads(Path(__file__).with_name("published_figures.json").read_text("utf-8"))["files"]
TOLERANCE = 1e-3


@pytest.fixture(scope="module")
def encoder() -> Resemblyzer:
    return Resemblyzer()


@pytest.fixture(scope="module")
def sounds() -> dict[str, FloatArray]:
    return dict(cuts())


def _published(name: str, what: str = "prepared") -> FloatArray:
    return np.array(FIGURES[name]["ge2e"][what], np.float32)


@pytest.mark.parametrize("name", sorted(FIGURES))
@pytest.mark.parametrize(
    ("rate_hz", "what"), [(RATE_HZ, "prepared"), (PLAYED_HZ, f"played_at_{PLAYED_HZ}_hz")]
)
def test_embeddings_are_the_packages_from_end_to_end(
    name: str, rate_hz: int, what: str, encoder: Resemblyzer, sounds: dict[str, FloatArray]
) -> None:
    found = encoder.embed(sounds[name], rate_hz)
    np.testing.assert_allclose(found, _published(name, what), atol=TOLERANCE)
    assert found.dtype == np.float32


def test_similarities_are_the_packages_from_end_to_end(
    encoder: Resemblyzer, sounds: dict[str, FloatArray]
) -> None:
    ours = {name: encoder.embed(sounds[name], RATE_HZ) for name in FIGURES}
    for one, other in combinations(sorted(FIGURES), 2):
        wanted = cosine(_published(one), _published(other))
        assert cosine(ours[one], ours[other]) == pytest.approx(wanted, abs=TOLERANCE)


@pytest.mark.parametrize("name", sorted(FIGURES))
def test_the_same_windows_are_kept(
    name: str, encoder: Resemblyzer, sounds: dict[str, FloatArray]
) -> None:
    sound, noted = sounds[name], FIGURES[name]["ge2e"]
    wanted = np.concatenate([noted["gain"] * sound[start:end] for start, end in noted["kept"]])
    found = encoder.prepare(sound)
    assert len(found) == len(wanted)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    ("voiced", "kept"),
    [
        ("0000011110000000", "0000000000000000"),  # four of eight are not most of them
        ("0000011111000000", "0011111111110000"),
        ("1111111111111111", "1111111111111111"),
        ("1111111100000000000000001111111111", "1111111111000000000001111111111111"),
    ],
)
def test_short_bursts_go_and_short_pauses_stay(voiced: str, kept: str) -> None:
    flags = np.array([flag == "1" for flag in voiced])
    found = resemblyzer._smoothed(flags)
    assert "".join("01"[int(flag)] for flag in found) == kept


def test_level_does_not_matter_below_the_level_it_is_raised_to(
    encoder: Resemblyzer, sounds: dict[str, FloatArray]
) -> None:
    quiet = sounds["vowels"] * np.float32(0.05)
    found = encoder.embed(quiet, RATE_HZ) @ encoder.embed(quiet * np.float32(0.1), RATE_HZ)
    assert found > 0.9999


@pytest.mark.parametrize(
    "samples",
    [
        np.zeros(0, np.float32),
        np.zeros(RATE_HZ, np.float32),
        np.full(WINDOW_SAMPLES - 1, 0.1, np.float32),
        np.sin(np.arange(RATE_HZ, dtype=np.float32) * 0.01) * np.float32(1e-7),
        # A click is no voice.
        np.eye(1, RATE_HZ, 8000, dtype=np.float32)[0],
    ],
)
def test_no_voice_is_refused(encoder: Resemblyzer, samples: FloatArray) -> None:
    with pytest.raises(InputError, match=r"expected (a voice|one that)"):
        encoder.embed(samples, RATE_HZ)
    assert embedding(Audio(samples[None], RATE_HZ), encoder) is None


@pytest.mark.parametrize(
    ("samples", "rate_hz"),
    [
        (np.zeros((2, 9), np.float32), RATE_HZ),
        (np.full(9, np.nan, np.float32), RATE_HZ),
        (np.zeros(9, np.float32), 0),
    ],
)
def test_bad_samples_are_refused(encoder: Resemblyzer, samples: FloatArray, rate_hz: int) -> None:
    with pytest.raises(InputError, match="expected finite mono"):
        encoder.embed(samples, rate_hz)


def test_beyond_full_scale_nothing_wraps_around(
    encoder: Resemblyzer, sounds: dict[str, FloatArray]
) -> None:
    loud = sounds["vowels"] * np.float32(4.0)
    clipped = np.clip(loud, -1.0, 1.0)
    assert len(clipped) > len(encoder.prepare(loud)) == len(encoder.prepare(clipped))


def test_cards_are_judged_by_it() -> None:
    assert isinstance(Builders().encoder("cpu", 1), Resemblyzer)


def test_the_extra_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "webrtcvad", None)
    with pytest.raises(AutoVoiceError, match=r"pip install 'autovoice\[eval\]'"):
        Resemblyzer()
