"""How well the melody was kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autovoice.eval.card import Melody
from autovoice.eval.harvest import harvest
from autovoice.eval.world import HOP_S
from autovoice.types import Audio, FloatArray

Curve = NDArray[np.float64]
# From recordings, (samples [T], sample_rate_hz) of each, to F0 every 10 ms.
Tracker = Callable[[Sequence[tuple[FloatArray, int]]], list[Curve]]
MOST_DELAY_S = 0.1
_DELAY_STEP_S = 0.002
_LEAST_FRAMES = 10
_CLIP_CENTS = 200.0


@dataclass(frozen=True)
class PitchScore:
    """The melody of an output against that of its source, moved by the applied shift.

    Args:
        rmse_hz: root mean square difference, Hz.
        median_cents: median absolute difference, cents.
        within_50_cents, beyond_200_cents: shares of the compared frames, 0 to 1.
        voicing_error: share of all frames that only one of the two calls voiced.
        log_f0_correlation: Pearson, -1 to 1; None for a melody that does not move.
        delay_s: how much later the output is, which was taken out.
        frames: frames that both call voiced, 10 ms each.
    """

    rmse_hz: float
    median_cents: float
    within_50_cents: float
    beyond_200_cents: float
    voicing_error: float
    log_f0_correlation: float | None
    delay_s: float
    frames: int


def pitch_score(
    output: Audio, source: Audio, semitones: float = 0.0, *, tracker: Tracker = harvest
) -> PitchScore | None:
    """Compare the melody of ``output`` with that of ``source`` moved by ``semitones``.

    A constant delay up to 100 ms is taken out.

    Args:
        output, source: converted vocal and source vocal.
        semitones: the shift that was applied.
        tracker: finds F0 in both. Default ``harvest``.

    Returns:
        None where fewer than ten frames are voiced in both.
    """
    ours, theirs = tracker([(audio.mono(), audio.sample_rate_hz) for audio in (output, source)])
    return compare_f0(ours, theirs, semitones)


def melody(
    output: Audio, source: Audio, semitones: float = 0.0, *, tracker: Tracker = harvest
) -> tuple[PitchScore | None, Melody]:
    """Track both once; return the score together with the curves.

    Args:
        output, source, semitones, tracker: as for ``pitch_score``.

    Returns:
        The score, None where fewer than ten frames are voiced in both (``why_no_score`` tells
        more); and the curves, each as long as the source's, the output cut or filled up as
        unvoiced. ``wanted_hz`` is later by ``PitchScore.delay_s``.
    """
    ours, theirs = tracker([(audio.mono(), audio.sample_rate_hz) for audio in (output, source)])
    score = compare_f0(ours, theirs, semitones)
    moved = theirs * 2.0 ** (semitones / 12.0)
    wanted = moved if score is None else shifted(moved, score.delay_s)
    filled = np.zeros_like(theirs)
    filled[: len(ours)] = ours[: len(theirs)]
    return score, Melody(source_hz=theirs, wanted_hz=wanted, output_hz=filled, hop_s=HOP_S)


def why_no_score(curves: Melody) -> str:
    """Say what was found where ``melody`` gave no score."""
    ours, theirs = curves.output_hz > 0, curves.source_hz > 0
    return (
        f"found {int(ours.sum())} voiced frames in the output, {int(theirs.sum())} in the source "
        f"and {int((ours & theirs).sum())} at the same time; needs {_LEAST_FRAMES}, 10 ms each"
    )


def compare_f0(output_hz: Curve, source_hz: Curve, semitones: float = 0.0) -> PitchScore | None:
    """Compare two F0 curves of 10 ms frames, ``[F]`` and ``[F']``, 0 where unvoiced."""
    moved = source_hz * 2.0 ** (semitones / 12.0)
    steps = round(MOST_DELAY_S / _DELAY_STEP_S)
    delays = sorted(range(-steps, steps + 1), key=abs)
    costs = [_cost(output_hz, shifted(moved, step * _DELAY_STEP_S)) for step in delays]
    # The shortest of equally good delays, since `delays` starts with them.
    delay_s = delays[int(np.argmin(costs))] * _DELAY_STEP_S
    wanted = shifted(moved, delay_s)
    ours, wanted = _paired(output_hz, wanted)
    both = (ours > 0) & (wanted > 0)
    if int(both.sum()) < _LEAST_FRAMES:
        return None
    cents = np.abs(1200.0 * np.log2(ours[both] / wanted[both]))
    return PitchScore(
        rmse_hz=float(np.sqrt(np.mean((ours[both] - wanted[both]) ** 2))),
        median_cents=float(np.median(cents)),
        within_50_cents=float((cents <= 50.0).mean()),
        beyond_200_cents=float((cents > 200.0).mean()),
        voicing_error=float(((ours > 0) != (wanted > 0)).mean()),
        log_f0_correlation=_correlation(np.log(ours[both]), np.log(wanted[both])),
        delay_s=delay_s,
        frames=int(both.sum()),
    )


def shifted(f0_hz: Curve, delay_s: float) -> Curve:
    """Return the curve ``delay_s`` later: interpolated where voiced, else the nearest frame."""
    place = np.arange(len(f0_hz)) - delay_s / HOP_S
    left = np.floor(place + 1e-9).astype(np.int64)
    part = np.clip(place - left, 0.0, 1.0)
    padded = np.pad(f0_hz, (1, 2))
    last = len(padded) - 1
    before, after = padded[np.clip(left + 1, 0, last)], padded[np.clip(left + 2, 0, last)]
    voiced = (before > 0) & (after > 0)
    mixed = (1.0 - part) * before + part * after
    result: Curve = np.where(voiced, mixed, np.where(part < 0.5, before, after))
    return result


def _paired(one: Curve, other: Curve) -> tuple[Curve, Curve]:
    count = min(len(one), len(other))
    return one[:count], other[:count]


def _cost(output_hz: Curve, wanted_hz: Curve) -> float:
    """Return the mean difference in cents, at most 200; a frame voiced in one alone counts 200.

    A constant error does not count, or a delay would be found that hides it in a glide.
    """
    ours, wanted = _paired(output_hz, wanted_hz)
    either, both = (ours > 0) | (wanted > 0), (ours > 0) & (wanted > 0)
    if not either.any():
        return 0.0
    cents = np.full(len(ours), _CLIP_CENTS)
    if both.any():
        apart = 1200.0 * np.log2(ours[both] / wanted[both])
        cents[both] = np.abs(apart - np.median(apart)).clip(max=_CLIP_CENTS)
    return round(float(cents[either].mean()), 6)


def _correlation(one: Curve, other: Curve) -> float | None:
    if min(one.std(), other.std()) < 1e-6:
        return None
    return float(np.corrcoef(one, other)[0, 1])
