"""Is it one person? Clusters of speaker embeddings far apart are several."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from autovoice.types import FloatArray

# Measured on eleven recordings of eight people, stretches of 4 s: centres of different people
# read 0.48 to 0.76 (nine in ten under 0.66), one singer's song and speech 0.69 and 0.92, a
# stretch against its own centre 0.82 and more.
APART = 0.66
_LEAST_S = 2.5
_ROUNDS = 20


def main_speaker(embeddings: FloatArray, seconds: FloatArray) -> NDArray[np.bool_]:
    """Tell which stretches belong to the voice that is heard longest.

    Two groups whose centres are nearer than 0.66 are one person; people who sound alike are
    therefore not told apart.

    Args:
        embeddings: ``[N, 256]``, of unit length.
        seconds: ``[N]`` length of each stretch.

    Shape: ``[N]``.
    """
    kept = np.ones(len(embeddings), np.bool_)
    for _ in range(len(embeddings)):
        places = np.flatnonzero(kept)
        first = _halves(embeddings[places])
        lengths = seconds[places]
        shorter = min(float(lengths[first].sum()), float(lengths[~first].sum()))
        if shorter < _LEAST_S or not _apart(embeddings[places], first):
            return kept
        larger = first if lengths[first].sum() >= lengths[~first].sum() else ~first
        kept[places[~larger]] = False
    return kept


def _halves(embeddings: FloatArray) -> NDArray[np.bool_]:
    """Divide into two groups around the two that are least alike (spherical 2-means)."""
    alike = embeddings @ embeddings.T
    one, other = np.unravel_index(int(np.argmin(alike)), alike.shape)
    centres = embeddings[[one, other]]
    first = np.ones(len(embeddings), np.bool_)
    for _ in range(_ROUNDS):
        near = embeddings @ centres.T
        again = near[:, 0] >= near[:, 1]
        if (again == first).all() or again.all() or not again.any():
            return again
        first = again
        centres = np.stack([_centre(embeddings[first]), _centre(embeddings[~first])])
    return first


def _apart(embeddings: FloatArray, first: NDArray[np.bool_]) -> bool:
    return bool(_centre(embeddings[first]) @ _centre(embeddings[~first]) < APART)


def _centre(embeddings: FloatArray) -> FloatArray:
    mean = embeddings.mean(axis=0)
    centre: FloatArray = mean / max(float(np.linalg.norm(mean)), 1e-9)
    return centre
