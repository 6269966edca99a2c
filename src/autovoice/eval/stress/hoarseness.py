"""Noise between the harmonics: hoarse notes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import fft, signal

from autovoice.eval.stress.heard import Curve, Heard, Marks, enough
from autovoice.eval.world import HOP_S
from autovoice.types import Audio, FloatArray

PERIODS = 4.5
# The method itself reads 24 to 30 dB on tones without any noise.
LIMITS_DB = (-10.0, 25.0)
_SEARCHED = 0.06
_DETAIL = 4
_QUIETER_DB = 40.0


def harmonics_change_db(heard: Heard) -> float:
    """Return how much clearer notes are than in the source: harmonics to noise, difference.

    The mean of ``harmonics_db`` over the source's sung frames, without 30 ms at the ends of each
    stretch, in which the output is at most 40 dB quieter, of the output less that of the source.
    The output is judged at its own pitch where that is within 200 cents of the wanted one, else at
    the wanted one.

    Returns:
        dB; 0 when as clear, negative when hoarser, positive when clearer.

    Raises:
        NotApplicable: there are fewer than 20 such frames.
    """
    frames = heard.sung & (heard.output_db >= heard.source_db - _QUIETER_DB)
    enough(frames, "sung frames of the source that sound in the output")
    ours = harmonics_db(heard.output, heard.sung_hz, frames)
    theirs = harmonics_db(heard.source, heard.source_hz, frames)
    return float(np.mean(ours) - np.mean(theirs))


def harmonics_db(audio: Audio, f0_hz: Curve, frames: Marks) -> Curve:
    """Return the ratio of harmonics to noise of each marked frame.

    ``10 log10(r / (1 - r))`` with ``r`` the highest normalised autocorrelation within 6 % of the
    period, of 4.5 periods under a Hann window, divided by the autocorrelation of that window.

    Args:
        audio: mono.
        f0_hz, frames: ``[F]`` each, every 10 ms; all marked frames are voiced.

    Returns:
        ``[frames.sum()]``, dB, limited to -10 to 25.

    Source: Boersma, "Accurate short-term analysis of the fundamental frequency and the
    harmonics-to-noise ratio of a sampled sound", 1993.
    """
    samples, rate_hz = audio.mono(), audio.sample_rate_hz
    ratios = [
        _periodic_share(samples, rate_hz, place * HOP_S, float(f0_hz[place]))
        for place in np.flatnonzero(frames)
    ]
    share = np.clip(ratios, 1e-3, 1.0 - 1e-6)
    ratio_db: Curve = np.clip(10.0 * np.log10(share / (1.0 - share)), *LIMITS_DB)
    return ratio_db


def _periodic_share(samples: FloatArray, rate_hz: int, at_s: float, f0_hz: float) -> float:
    """Return the share of power that repeats after one period, 0 to 1."""
    width = round(PERIODS * rate_hz / f0_hz)
    first = max(0, round(at_s * rate_hz) - width // 2)
    part = samples[first : first + width].astype(np.float64)
    window = signal.get_window("hann", len(part), fftbins=False)
    part = (part - part.mean()) * window
    length = fft.next_fast_len(2 * len(part), real=True)
    lags = np.arange(
        int((1 - _SEARCHED) * _DETAIL * rate_hz / f0_hz),
        int((1 + _SEARCHED) * _DETAIL * rate_hz / f0_hz) + 2,
    )
    ours, theirs = (_correlation(each, length) for each in (part, window))
    if ours[0] <= 0.0:
        return 0.0
    lags = lags[lags < _DETAIL * (len(part) - 1)]
    if len(lags) < 3:
        return 0.0
    repeated = ours[lags] / ours[0] / np.maximum(theirs[lags] / theirs[0], 1e-9)
    return _peak(repeated)


def _peak(curve: NDArray[np.float64]) -> float:
    """Return the highest value of a parabola through the highest point and its neighbours."""
    top = int(np.clip(np.argmax(curve), 1, len(curve) - 2))
    left, middle, right = curve[top - 1 : top + 2]
    bend = left - 2.0 * middle + right
    if bend >= 0.0 or middle < max(left, right):
        return float(max(left, middle, right))
    return float(middle - 0.125 * (left - right) ** 2 / bend)


def _correlation(part: NDArray[np.float64], length: int) -> NDArray[np.float64]:
    """Return the autocorrelation at every quarter of a sample (zero-padded spectrum)."""
    power = np.square(np.abs(fft.rfft(part, length)))
    correlation: NDArray[np.float64] = fft.irfft(power, _DETAIL * length)
    return correlation
