"""Sibilants, breaths and whispering that ring."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import fft, signal

from autovoice.eval.figure import NotApplicable
from autovoice.eval.stress.heard import LEAST_FRAMES, Heard, enough
from autovoice.eval.world import HOP_S
from autovoice.types import Audio

WINDOW_S = 0.04
BAND_HZ = 1000.0
FROM_HZ = 1000.0
TO_HZ = 10_000.0
_QUIETER_DB = 40.0


def flatness_change_db(heard: Heard) -> float:
    """Return how much flatter the noise is than in the source; lines in it make it ring.

    The flatness of a band of 1 kHz is the geometric mean of its power spectrum divided by the
    arithmetic mean, in dB: -2.5 for noise, less for a buzz or a whistle. It is averaged over the
    bands from 1 to 10 kHz, weighted by their power in the source, and over the frames of
    ``Heard.hissing`` (Hann window of 40 ms) in which the output is at most 40 dB quieter.

    Returns:
        dB; 0 when kept, negative when it rings.

    Raises:
        NotApplicable: there are fewer than 20 such frames, or the rate is under 8 kHz.

    Source: the spectral flatness of Johnston, "Transform coding of audio signals using perceptual
    noise criteria", 1988, in bands.
    """
    if heard.source.sample_rate_hz < 8000:
        raise NotApplicable(f"found a rate of {heard.source.sample_rate_hz} Hz, needs 8000 Hz")
    frames = heard.hissing & (heard.output_db >= heard.source_db - _QUIETER_DB)
    enough(frames, "unvoiced frames of the source that sound in the output")
    ours, theirs = (_bands(audio, np.flatnonzero(frames)) for audio in (heard.output, heard.source))
    weights = theirs.mean(axis=2)
    weights = weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-30)
    sounding = weights.sum(axis=1) > 0.5
    if int(sounding.sum()) < LEAST_FRAMES:
        raise NotApplicable(f"found {int(sounding.sum())} frames with power over 1 kHz, needs 20")
    change = (_flatness_db(ours) - _flatness_db(theirs)) * weights
    return float(np.mean(change.sum(axis=1)[sounding]))


def _bands(audio: Audio, frames: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return power spectra by band, ``[frames, bands, bins]``."""
    rate_hz, width = audio.sample_rate_hz, round(WINDOW_S * audio.sample_rate_hz)
    padded = np.pad(audio.mono(), width)
    starts = np.round(frames * HOP_S * rate_hz).astype(np.int64) + width - width // 2
    cut = padded[np.minimum(starts[:, None] + np.arange(width), len(padded) - 1)]
    power = np.square(np.abs(fft.rfft(cut * signal.get_window("hann", width), axis=1)))
    bins = round(BAND_HZ * WINDOW_S)
    first = round(FROM_HZ * WINDOW_S)
    count = (min(round(TO_HZ * WINDOW_S), power.shape[1]) - first) // bins
    inside = power[:, first : first + count * bins].astype(np.float64)
    return inside.reshape(len(frames), count, bins)


def _flatness_db(bands: NDArray[np.float64]) -> NDArray[np.float64]:
    power = np.maximum(bands, 1e-20)
    mean_db = 10.0 * np.log10(power.mean(axis=2))
    flatness: NDArray[np.float64] = (10.0 * np.log10(power)).mean(axis=2) - mean_db
    return flatness
