"""Cut recordings into slices at pauses, and choose which are never trained on."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from autovoice.types import FloatArray

FRAMES_PER_S = 80
LEAST_S, MOST_S = 2.0, 8.0
# Many slices of middle length leave more choice of what is held out than few long ones.
_USUAL_S = 5.0
HELD_OUT_SHARE, HELD_OUT_LEAST_S = 0.15, 5.0
# A pause this long may be cut in; one that is longer than the second is left out.
_PAUSE_S, _GAP_S = 0.12, 0.6
_MARGIN_S = 0.1
_LEAST_REST_S = 1.0
# Never much more than this share is kept apart, however short the recordings are.
_HELD_OUT_MOST = 1 / 3
# How many choices of held-out slices are tried, to come near to the wanted length.
_DRAWS = 64


@dataclass(frozen=True)
class Slice:
    """A stretch of one recording.

    Args:
        file: index of the recording.
        start_s, stop_s: where it lies.
    """

    file: int
    start_s: float
    stop_s: float

    @property
    def seconds(self) -> float:
        """Its length."""
        return self.stop_s - self.start_s


def cut(active: NDArray[np.bool_], level_db: FloatArray, file: int = 0) -> list[Slice]:
    """Cut what is active into slices of 2 to 8 s, at pauses where there are any.

    Stretches without a pause are cut at their quietest frame; what is left over under 1 s is
    dropped, under 2 s kept as it is.

    Args:
        active: ``[F]`` at 80 frames/s, where somebody is heard.
        level_db: ``[F]``.
        file: index of the recording.
    """
    slices: list[Slice] = []
    for start, stop in _stretches(active):
        edges = [start]
        while stop - edges[-1] > MOST_S * FRAMES_PER_S:
            edges.append(_cut_at(active, level_db, edges[-1], stop))
        for left, right in pairwise([*edges, stop]):
            if right - left >= _LEAST_REST_S * FRAMES_PER_S:
                slices.append(Slice(file, left / FRAMES_PER_S, right / FRAMES_PER_S))
    return slices


def _stretches(active: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return stretches of activity with a margin, joined over short gaps, in frames."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], active.astype(np.int8), [0]))))
    margin, gap = round(_MARGIN_S * FRAMES_PER_S), round(_GAP_S * FRAMES_PER_S)
    joined: list[tuple[int, int]] = []
    for start, stop in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        begin, end = max(0, start - margin), min(len(active), stop + margin)
        short = joined and joined[-1][1] - joined[-1][0] < LEAST_S * FRAMES_PER_S
        # A short stretch takes the next one in over a longer pause.
        if joined and begin - joined[-1][1] <= gap * (2 if short else 1):
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((begin, end))
    return joined


def _cut_at(active: NDArray[np.bool_], level_db: FloatArray, start: int, stop: int) -> int:
    """Return the frame to cut at: of the pauses in reach that nearest to 5 s, or the quietest."""
    low = start + round(LEAST_S * FRAMES_PER_S)
    usual = round(_USUAL_S * FRAMES_PER_S)
    # What is left must not be shorter than a slice.
    high = min(start + round(MOST_S * FRAMES_PER_S), stop - round(LEAST_S * FRAMES_PER_S))
    quiet = ~active[low:high]
    edges = np.flatnonzero(np.diff(np.concatenate(([0], quiet.astype(np.int8), [0]))))
    pauses = [
        (first + last) // 2
        for first, last in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
        if last - first >= _PAUSE_S * FRAMES_PER_S
    ]
    if pauses:
        return int(low + min(pauses, key=lambda pause: abs(low + pause - start - usual)))
    later = low + (high - low) // 3
    return later + int(np.argmin(level_db[later:high]))


def hold_out(slices: list[Slice], seed: int = 0) -> tuple[list[Slice], list[Slice]]:
    """Split into what is learnt from and what is held out: 15 %, at least 5 s.

    Of recordings under 15 s about a third is held out. The same slices and seed give the same
    choice.

    Returns:
        The slices to train on, and the held-out ones, both in order.

    Raises:
        ValueError: a single slice cannot be split.
    """
    if len(slices) < 2:
        raise ValueError(f"slices: found {len(slices)}, expected two and more")
    total = sum(one.seconds for one in slices)
    wanted = min(max(HELD_OUT_SHARE * total, HELD_OUT_LEAST_S), _HELD_OUT_MOST * total)
    lengths = np.array([one.seconds for one in slices])
    rng = np.random.default_rng(seed)
    best, out = np.inf, {0}
    for _ in range(_DRAWS):
        order = rng.permutation(len(slices))
        # As many as it takes to have enough, but never all.
        count = int(np.searchsorted(np.cumsum(lengths[order]), wanted - 1e-9)) + 1
        drawn = order[: min(count, len(slices) - 1)]
        if abs(held := lengths[drawn].sum() - wanted) < best:
            best, out = abs(held), set(drawn.tolist())
    kept = [one for index, one in enumerate(slices) if index not in out]
    return kept, [slices[index] for index in sorted(out)]
