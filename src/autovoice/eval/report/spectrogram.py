"""Pictures of sound: level over time and frequency."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from autovoice import io
from autovoice.eval.report.axes import FOOT, LEFT, RIGHT, TimeAxis
from autovoice.eval.report.colours import palette
from autovoice.eval.report.png import data_uri, png
from autovoice.eval.report.svg import label, line, tag
from autovoice.types import Audio, FloatArray

Levels = NDArray[np.float64]
ROWS = 200
MOST_COLUMNS = 1200
RANGE_DB = 80.0
_RATE_HZ = 32_000
_WINDOW = 2048
_LOW_HZ = 50.0
_HIGH_HZ = 16_000.0
_TICKS_HZ = (250, 500, 1000, 2000, 4000, 8000)
_LEAST_STEP_S = 0.002
_COLOURS = 64  # steps of 1.25 dB: no eye sees them, and they pack twice as well as 256
_SILENCE = 1e-12
_TOP = 6.0


@dataclass(frozen=True, eq=False)
class Spectrogram:
    """Levels in dB, low frequencies first, ``[ROWS, columns]``; columns spread over the axis."""

    levels_db: Levels


def spectrogram(audio: Audio, axis: TimeAxis) -> Spectrogram:
    """Measure levels over the time of an axis; what lies outside the recording is silent.

    Args:
        audio: any rate; over 16 kHz nothing is shown.
        axis: from when to when.
    """
    first, last = (round(place_s * audio.sample_rate_hz) for place_s in (axis.start_s, axis.end_s))
    part = np.nan_to_num(Audio(audio.samples[:, max(first, 0) : last], audio.sample_rate_hz).mono())
    sound = io.resample(part[None], audio.sample_rate_hz, _RATE_HZ)[0]
    columns = int(np.clip(axis.seconds / _LEAST_STEP_S, 1, MOST_COLUMNS))
    step = axis.seconds * _RATE_HZ / columns
    centres = np.rint((np.arange(columns) + 0.5) * step).astype(np.int64)
    window = np.hanning(_WINDOW + 1)[:-1]
    power = np.stack([_power(sound, int(centre), window) for centre in centres], axis=1)
    return Spectrogram(10.0 * np.log10(_bands(power) + _SILENCE))


def loudest_db(pictures: list[Spectrogram]) -> float:
    """Return the top of the colour scale for pictures that are to be compared."""
    return max(float(picture.levels_db.max()) for picture in pictures)


def picture(shown: Spectrogram, axis: TimeAxis, name: str, top_db: float) -> Markup:
    """Draw one as SVG, with the pixels as PNG.

    Args:
        shown: what to draw.
        axis: the one it was measured with.
        name: words for those who cannot see it.
        top_db: level of the lightest colour; the darkest is 80 dB under it.
    """
    steps = (shown.levels_db[::-1] - top_db + RANGE_DB) / RANGE_DB * (_COLOURS - 1)
    pixels = np.clip(np.rint(steps), 0, _COLOURS - 1).astype(np.uint8)
    bottom = _TOP + ROWS
    parts = [
        _image(LEFT, _TOP, RIGHT - LEFT, ROWS, pixels),
        tag("rect", x=LEFT, y=_TOP, width=RIGHT - LEFT, height=float(ROWS), class_="frame"),
        axis.foot(bottom),
        *_scale(),
    ]
    for tick_hz in _TICKS_HZ:
        y = bottom - ROWS * float(_place(np.array(tick_hz)))
        words = f"{tick_hz} Hz" if tick_hz < 1000 else f"{tick_hz // 1000} kHz"
        parts += [line(LEFT - 4, y, LEFT, y, "axis"), label(LEFT - 8, y + 4, words, anchor="end")]
    return axis.drawing(bottom + FOOT, name, *parts)


def _power(sound: FloatArray, centre: int, window: Levels) -> Levels:
    first = centre - _WINDOW // 2
    frame = np.zeros(_WINDOW)
    inside = sound[max(first, 0) : max(first + _WINDOW, 0)]
    place = max(-first, 0)
    frame[place : place + len(inside)] = inside
    spectrum = np.fft.rfft(frame * window) / window.sum()
    power: Levels = np.square(np.abs(spectrum))
    return power


def _bands(power: Levels) -> Levels:
    """Return the mean power between the edges of each row, ``[bins, N] -> [ROWS, N]``.

    Differences of the running sum serve rows narrower than a bin and rows of many alike.
    """
    sums = np.concatenate((np.zeros((1, power.shape[1])), np.cumsum(power, axis=0)))
    edges = _edge_hz(np.arange(ROWS + 1) / ROWS) * _WINDOW / _RATE_HZ + 0.5
    edges = np.clip(edges, 0.0, len(sums) - 1.0)
    left = np.minimum(edges.astype(np.int64), len(sums) - 2)
    part = (edges - left)[:, None]
    at_edges = (1.0 - part) * sums[left] + part * sums[left + 1]
    bands: Levels = np.diff(at_edges, axis=0) / np.diff(edges)[:, None]
    return np.maximum(bands, 0.0)


def _mel(frequency_hz: Levels) -> Levels:
    mel: Levels = 2595.0 * np.log10(1.0 + frequency_hz / 700.0)
    return mel


def _place(frequency_hz: Levels) -> Levels:
    """Return the height of a frequency, 0 at the bottom to 1 at the top."""
    low, high = _mel(np.array([_LOW_HZ, _HIGH_HZ]))
    place: Levels = (_mel(frequency_hz) - low) / (high - low)
    return place


def _edge_hz(place: Levels) -> Levels:
    low, high = _mel(np.array([_LOW_HZ, _HIGH_HZ]))
    frequency_hz: Levels = 700.0 * (10.0 ** ((low + place * (high - low)) / 2595.0) - 1.0)
    return frequency_hz


def _scale() -> list[Markup]:
    """Draw the colours with their levels at the right edge."""
    colours = np.arange(_COLOURS, dtype=np.uint8)[::-1, None]
    parts = [_image(RIGHT + 8, _TOP, 10.0, ROWS, colours)]
    for under_db in (0, 40, 80):
        y = _TOP + ROWS * under_db / RANGE_DB
        words = "0 dB" if under_db == 0 else f"−{under_db}"
        parts.append(label(RIGHT + 22, min(max(y + 4, _TOP + 10), _TOP + ROWS), words))
    return parts


def _image(x: float, y: float, width: float, height: float, pixels: NDArray[np.uint8]) -> Markup:
    return tag(
        "image",
        x=x,
        y=y,
        width=width,
        height=height,
        href=data_uri(png(pixels, palette(_COLOURS)), "image/png"),
        preserveAspectRatio="none",
    )
