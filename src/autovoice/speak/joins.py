"""Utterances to running speech: silence trimmed, ends faded, pauses as written."""

from __future__ import annotations

import numpy as np

from autovoice.types import FloatArray

# Quieter than this against the loudest frame is silence at the ends.
SILENCE_DB = -46.0
FRAME_S = 0.005
# What stays of the silence around the voice: breath, the closing of a consonant.
BEFORE_S, AFTER_S = 0.03, 0.06
FADE_S = 0.01


def joinable(samples: FloatArray, sample_rate_hz: int, pause_s: float) -> FloatArray:
    """Return an utterance that can be put between others: silent ends cut off, then its pause.

    The ends go to zero within 10 ms, so that a join makes no click. The 60 ms that stay after the
    voice count as part of the pause.

    Args:
        samples: ``[T]`` mono.
        sample_rate_hz: their rate.
        pause_s: silence that follows the voice, seconds, at least 0.

    Shape: ``[T] -> [T']``; empty where there is nothing but silence.
    """
    heard = _heard(samples, max(1, round(FRAME_S * sample_rate_hz)))
    if heard is None:
        return np.zeros(0, np.float32)
    first = max(0, heard[0] - round(BEFORE_S * sample_rate_hz))
    last = min(len(samples), heard[1] + round(AFTER_S * sample_rate_hz))
    cut = samples[first:last].astype(np.float32)
    fade = min(round(FADE_S * sample_rate_hz), len(cut) // 2)
    if fade:
        ramp = (0.5 - 0.5 * np.cos(np.pi * np.arange(fade) / fade)).astype(np.float32)
        cut[:fade] *= ramp
        cut[-fade:] *= ramp[::-1]
    silence = max(0, round(pause_s * sample_rate_hz) - (last - heard[1]))
    return np.concatenate([cut, np.zeros(silence, np.float32)])


def _heard(samples: FloatArray, frame: int) -> tuple[int, int] | None:
    """Return the first sample that is heard and the one past the last."""
    whole = len(samples) // frame
    if not whole:
        return None
    frames = samples[: whole * frame].reshape(whole, frame).astype(np.float64)
    power = np.square(frames).mean(axis=1)
    loudest = float(power.max())
    if loudest <= 1e-10:
        return None
    places = np.flatnonzero(power > loudest * 10 ** (SILENCE_DB / 10))
    return int(places[0]) * frame, int(places[-1] + 1) * frame
