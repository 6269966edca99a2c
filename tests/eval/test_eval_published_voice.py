"""The speaker encoder against the published package, Resemblyzer, as the similarity uses it."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from autovoice.analyse.speaker import SpeakerEncoder
from autovoice.eval.similarity import cosine
from autovoice.types import FloatArray
from published_figures import cuts

FIGURES = json.loads(Path(__file__).with_name("published_figures.json").read_text("utf-8"))["files"]
TOLERANCE = 1e-3


@pytest.fixture(scope="module")
def encoder() -> SpeakerEncoder:
    return SpeakerEncoder()


@pytest.fixture(scope="module")
def sounds() -> dict[str, FloatArray]:
    return dict(cuts())


def _published(name: str, what: str) -> FloatArray:
    return np.array(FIGURES[name]["ge2e"][what], np.float32)


@pytest.mark.parametrize("name", sorted(FIGURES))
def test_embeddings_of_equal_sound_are_equal(
    name: str, encoder: SpeakerEncoder, sounds: dict[str, FloatArray]
) -> None:
    sound, noted = sounds[name], FIGURES[name]["ge2e"]
    np.testing.assert_allclose(
        encoder.embed_prepared(sound), _published(name, "as_it_is"), atol=TOLERANCE
    )
    # What the package's own preparation makes of it: louder, and without what it took for silence.
    active = np.concatenate([noted["gain"] * sound[start:end] for start, end in noted["kept"]])
    found = encoder.embed_prepared(active.astype(np.float32))
    np.testing.assert_allclose(found, _published(name, "prepared"), atol=TOLERANCE)


def test_similarities_of_equal_sound_are_equal(
    encoder: SpeakerEncoder, sounds: dict[str, FloatArray]
) -> None:
    ours = {name: encoder.embed_prepared(sounds[name]) for name in FIGURES}
    for one, other in combinations(sorted(FIGURES), 2):
        wanted = cosine(_published(one, "as_it_is"), _published(other, "as_it_is"))
        assert cosine(ours[one], ours[other]) == pytest.approx(wanted, abs=TOLERANCE)


@pytest.mark.parametrize("name", sorted(FIGURES))
def test_our_own_preparation_hears_the_same_voice(
    name: str, encoder: SpeakerEncoder, sounds: dict[str, FloatArray]
) -> None:
    # Silences are found by level instead of by WebRTC's detector, so stretches begin elsewhere.
    found = cosine(encoder.embed(sounds[name], 16_000), _published(name, "prepared"))
    assert found is not None
    assert found > 0.98
