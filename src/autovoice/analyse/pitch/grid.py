"""Move a pitch curve to another frame grid."""

from __future__ import annotations

import numpy as np

from autovoice.analyse.pitch.voicing import runs
from autovoice.types import FloatArray, Pitch


def resample_pitch(pitch: Pitch, hop_s: float, offset_s: float, frames: int) -> Pitch:
    """Read a pitch curve at other times.

    The logarithm of F0 is interpolated by a cubic inside each voiced run and never across a gap;
    a frame is voiced when the nearest frame of the source is. The decoder's grid is
    ``hop_s = 1 / 80``, ``offset_s = 0.5 / 80``.

    Args:
        pitch: the curve to read.
        hop_s: seconds between the new frames.
        offset_s: centre of the first new frame in seconds.
        frames: how many new frames.

    Shape: ``[F]`` -> ``[frames]``.
    """
    f0_hz = np.zeros(frames, dtype=np.float32)
    confidence = np.zeros(frames, dtype=np.float32)
    if pitch.f0_hz.size and frames:
        position = (offset_s + hop_s * np.arange(frames) - pitch.offset_s) / pitch.hop_s
        source = np.arange(pitch.f0_hz.size)
        confidence = np.interp(position, source, pitch.confidence).astype(np.float32)
        # half up: the nearest frame, and no frame beyond the ends
        nearest = np.floor(position + 0.5).astype(np.int64)
        for first, end in runs(pitch.f0_hz > 0):
            inside = (nearest >= first) & (nearest < end)
            log_f0 = np.log(pitch.f0_hz[first:end].astype(np.float64))
            f0_hz[inside] = np.exp(_cubic(log_f0, position[inside] - first))
    return Pitch(f0_hz, confidence, hop_s, offset_s)


def _cubic(values: FloatArray, position: FloatArray) -> FloatArray:
    """Interpolate by Catmull-Rom; hold the first and the last value beyond the ends.

    Linear interpolation on a 16 ms grid cuts 4.5 cents off the peaks of a vibrato of 6 Hz and
    100 cents; this cuts 0.3.
    """
    last = len(values) - 1
    place = np.clip(position, 0, last)
    index = np.minimum(place.astype(np.int64), max(last - 1, 0))
    part = place - index
    before, here, there, after = (values[np.clip(index + k, 0, last)] for k in (-1, 0, 1, 2))
    # Straight on at the ends of a run: reflect the slope instead of flattening it.
    before = np.where(index == 0, 2 * here - there, before)
    after = np.where(index + 1 >= last, 2 * there - here, after)
    curve: FloatArray = here + 0.5 * part * (
        (there - before)
        + part
        * (
            (2 * before - 5 * here + 4 * there - after)
            + part * (3 * (here - there) + after - before)
        )
    )
    return curve
