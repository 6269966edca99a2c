"""Where a conversion went well and where it did not, phrase by phrase."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage, signal

from autovoice.eval.aligned import aligned_mono, common_rate_hz
from autovoice.eval.card import Melody, Phrase
from autovoice.eval.figure import Figure, NotApplicable, attempt, measured
from autovoice.eval.frames import FLOOR_DB, Levels, levels_db, loud_db
from autovoice.eval.world import HOP_S
from autovoice.nn.mel_bank import slaney_bank
from autovoice.types import Audio, FloatArray

Span = tuple[float, float]
Mask = NDArray[np.bool_]

# Every figure of a phrase, with its unit.
FIGURES = {
    "median_cents": "cents",
    "beyond_50_cents": "",
    "voicing_error": "",
    "level_db": "dB",
    "spectral_db": "dB",
}
PAUSE_UNDER_DB = 30.0
_SMOOTH_FRAMES = 10
_LEAST_FRAMES = 10
_LIMIT_DB = 60.0
_SPECTRUM_RATE_HZ = 16_000
_LEAST_RATE_HZ = 8000
_WINDOW_S = 0.032
_BANDS = 40
_RANGE_DB = 50.0


@dataclass(frozen=True, eq=False)
class _Pair:
    """Both recordings as phrases need them; ``why_not`` where they cannot be laid together."""

    output_db: Levels
    source_db: Levels
    output: FloatArray
    source: FloatArray
    rate_hz: int
    why_not: str | None = None


def find_phrases(
    source: Audio, *, least_gap_s: float = 0.25, least_s: float = 0.4, most_s: float = 12.0
) -> list[Span]:
    """Find the stretches between the pauses of a recording.

    A pause is where the level stays more than 30 dB under the loud level. What is too long is
    divided where it is quietest in its middle half.

    Args:
        source: any rate.
        least_gap_s: a shorter pause is none. Default 0.25.
        least_s: a shorter stretch is left out. Default 0.4.
        most_s: longest phrase; at least twice ``least_s``. Default 12.

    Returns:
        Start and end of each in seconds, in order; none in silence.
    """
    level = levels_db(source)
    if level.size == 0 or level.max() <= FLOOR_DB + 20.0:
        return []
    sounding = level >= loud_db(level) - PAUSE_UNDER_DB
    smooth = ndimage.uniform_filter1d(level, _SMOOTH_FRAMES)
    found: list[tuple[int, int]] = []
    for first, last in _runs(sounding, round(least_gap_s / HOP_S)):
        if last - first >= round(least_s / HOP_S):
            found.extend(_divided(smooth, first, last, round(most_s / HOP_S)))
    # A frame reaches half a hop to either side of its centre.
    return [
        (max(0.0, (first - 0.5) * HOP_S), min(source.seconds, (last - 0.5) * HOP_S))
        for first, last in found
    ]


def phrase_cards(
    output: Audio, source: Audio, melody: Melody, spans: Sequence[Span]
) -> tuple[Phrase, ...]:
    """Judge every phrase alone.

    Figures: ``median_cents`` and ``beyond_50_cents`` (share) of the frames that both call voiced;
    ``voicing_error`` (share of the phrase); ``level_db``, output less source, after the median of
    that over all phrases is taken out, limited to 60 dB; ``spectral_db``, the root mean square
    difference of 40 mel bands in dB, with the levels of the phrase matched, the mean over frames
    (another voice is some decibels away by nature: compare phrases with one another).

    Args:
        output, source: any rates.
        melody: curves of the two, see ``pitch.melody``.
        spans: start and end of each phrase in seconds, see ``find_phrases``.

    Returns:
        One per span. A figure with nothing to judge says why.
    """
    pair = _pair(output, source)
    differences = [_level_difference(pair, span) for span in spans]
    known = [each for each in differences if isinstance(each, float)]
    overall = float(np.median(known)) if known else 0.0
    phrases = []
    for span, difference in zip(spans, differences, strict=True):
        figures = _pitch_figures(melody, span)
        figures["level_db"] = (
            measured(np.clip(difference - overall, -_LIMIT_DB, _LIMIT_DB))
            if isinstance(difference, float)
            else Figure(None, difference)
        )
        figures["spectral_db"] = attempt(_spectral(pair, span))
        phrases.append(Phrase(span[0], span[1], figures))
    return tuple(phrases)


def _runs(sounding: Mask, least_gap: int) -> list[tuple[int, int]]:
    """Return first and last + 1 of each run, shorter gaps closed."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], sounding.astype(np.int8), [0]))))
    runs: list[tuple[int, int]] = []
    for first, last in edges.reshape(-1, 2).tolist():
        if runs and first - runs[-1][1] < least_gap:
            runs[-1] = (runs[-1][0], last)
        else:
            runs.append((first, last))
    return runs


def _divided(smooth: Levels, first: int, last: int, most: int) -> list[tuple[int, int]]:
    if last - first <= max(most, 4):
        return [(first, last)]
    quarter = (last - first) // 4
    middle = first + quarter + int(np.argmin(smooth[first + quarter : last - quarter]))
    return _divided(smooth, first, middle, most) + _divided(smooth, middle, last, most)


def _pair(output: Audio, source: Audio) -> _Pair:
    nothing = np.zeros(0, np.float32)
    try:
        rate_hz = common_rate_hz(output, source, least_hz=_LEAST_RATE_HZ, most_hz=_SPECTRUM_RATE_HZ)
        ours, theirs = aligned_mono(output, source, rate_hz)
    except NotApplicable as reason:
        return _Pair(np.zeros(0), np.zeros(0), nothing, nothing, 1, str(reason))
    return _Pair(levels_db(output), levels_db(source), ours, theirs, rate_hz)


def _pitch_figures(melody: Melody, span: Span) -> dict[str, Figure]:
    first, last = (max(0, round(place_s / melody.hop_s)) for place_s in span)
    ours, wanted = melody.output_hz[first:last], melody.wanted_hz[first:last]
    count = min(len(ours), len(wanted))
    ours, wanted = ours[:count], wanted[:count]
    both, either = (ours > 0) & (wanted > 0), (ours > 0) | (wanted > 0)
    figures: dict[str, Figure] = {}
    if int(both.sum()) < _LEAST_FRAMES:
        why = f"found {int(both.sum())} frames voiced in both, needs {_LEAST_FRAMES} (10 ms each)"
        figures["median_cents"] = figures["beyond_50_cents"] = Figure(None, why)
    else:
        cents = np.abs(1200.0 * np.log2(ours[both] / wanted[both]))
        figures["median_cents"] = measured(np.median(cents))
        figures["beyond_50_cents"] = measured((cents > 50.0).mean())
    if either.any():
        figures["voicing_error"] = measured((either & ~both).sum() / count)
    else:
        figures["voicing_error"] = Figure(None, "found no voiced frame in either, needs one")
    return figures


def _level_difference(pair: _Pair, span: Span) -> float | str:
    """Return output less source in dB, or why there is none."""
    if pair.why_not is not None:
        return pair.why_not
    first, last = (round(place_s / HOP_S) for place_s in span)
    ours, theirs = pair.output_db[first:last], pair.source_db[first:last]
    if len(ours) < _LEAST_FRAMES or len(theirs) < _LEAST_FRAMES:
        return f"found {min(len(ours), len(theirs))} frames in both, needs {_LEAST_FRAMES}"
    levels = [10.0 * np.log10(np.mean(10.0 ** (part / 10.0))) for part in (ours, theirs)]
    if levels[1] <= FLOOR_DB + 20.0:
        return "the source is silent here, sound is needed"
    return float(levels[0] - levels[1])


def _spectral(pair: _Pair, span: Span) -> Callable[[], float]:
    return lambda: _spectral_db(pair, span)


def _spectral_db(pair: _Pair, span: Span) -> float:
    if pair.why_not is not None:
        raise NotApplicable(pair.why_not)
    first, last = (round(place_s * pair.rate_hz) for place_s in span)
    ours, theirs = (
        _log_mel(part[first:last], pair.rate_hz, name)
        for part, name in ((pair.output, "output"), (pair.source, "source"))
    )
    return float(np.sqrt(np.square(ours - theirs).mean(axis=1)).mean())


def _log_mel(samples: FloatArray, rate_hz: int, name: str) -> NDArray[np.float64]:
    """Return mel bands in dB to the mean of all, floored at 50 dB under it, ``[F, 40]``."""
    width, hop = round(_WINDOW_S * rate_hz), round(HOP_S * rate_hz)
    if len(samples) < width + _LEAST_FRAMES * hop:
        raise NotApplicable(
            f"found {len(samples) / rate_hz:.2f} s of both here, needs "
            f"{_WINDOW_S + _LEAST_FRAMES * HOP_S:.2f} s"
        )
    frames = np.lib.stride_tricks.sliding_window_view(samples, width)[::hop]
    spectrum = fft.rfft(frames * signal.get_window("hann", width), axis=1)
    bank = slaney_bank(bands=_BANDS, n_fft=width, sample_rate_hz=rate_hz, low_hz=50.0)
    mel = np.square(np.abs(spectrum)) @ bank.numpy().astype(np.float64).T
    mean = float(mel.mean())
    if mean <= 1e-14:
        raise NotApplicable(f"the {name} is silent here, sound is needed")
    level: NDArray[np.float64] = 10.0 * np.log10(np.maximum(mel / mean, 10.0 ** (-_RANGE_DB / 10)))
    return level
