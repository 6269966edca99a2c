"""Change the sample rate of tensors, by soxr's own filter.

The filter is read off soxr once for a pair of rates: what it answers to a click at each of the
input's phases. A change of rate is then one matrix product over frames of the input, which a
CUDA graph can hold, and whose result is soxr's to the rounding of float32.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
import soxr
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

# The rates of recordings. Others may have no small common divisor with the model's, and thus a
# filter of gigabytes.
RATES_HZ = frozenset(
    (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 88_200, 96_000,
     176_400, 192_000)
)  # fmt: skip
# What the filter has beyond its reach is under this share of its height.
_FLOOR = 1e-9
# Frames shorter than this leave a matrix product nothing to do, and do not hold how soxr begins.
_LEAST_FRAME = 120


def can_resample(from_hz: int, to_hz: int) -> bool:
    """Tell whether ``resampled`` knows both rates."""
    return from_hz in RATES_HZ and to_hz in RATES_HZ


def resampled(samples: Tensor, from_hz: int, to_hz: int, length: int) -> Tensor:
    """Change the sample rate.

    Args:
        samples: ``[..., T]`` float32.
        from_hz, to_hz: two of ``RATES_HZ``.
        length: samples wanted; the sound is silent beyond its end.

    Shape: ``[..., T]`` -> ``[..., length]``; sample ``k`` is at the time ``k / to_hz``.

    Raises:
        ValueError: a rate that is not among ``RATES_HZ``.
    """
    if from_hz == to_hz:
        return F.pad(samples, (0, length - samples.shape[-1]))
    bank, edge, step = _bank_on(from_hz, to_hz, samples.device)
    rows, made = bank.shape
    reach = (rows - step) // 2
    frames = -(-length // made)
    missing = (frames - 1) * step + rows - reach - samples.shape[-1]
    padded = F.pad(samples, (reach, max(missing, len(edge) - samples.shape[-1], 0)))
    out = (padded.unfold(-1, rows, step)[..., :frames, :] @ bank).flatten(-2)
    out[..., : edge.shape[1]] += padded[..., reach : reach + len(edge)] @ edge
    return out[..., :length]


@dataclass(frozen=True)
class Span:
    """Which samples of a sound a stretch of it at another rate is made of.

    Args:
        first, stop: of the sound; what lies outside of it is silence.
        offset: samples that are made before the stretch begins.
        length: of the stretch, samples.
        begins: where among them the sound begins; None where it began before.
    """

    first: int
    stop: int
    offset: int
    length: int
    begins: int | None


def span_of(from_hz: int, to_hz: int, start: int, stop: int) -> Span:
    """Return what samples ``start`` to ``stop`` at ``to_hz`` are made of; see ``resampled_span``.

    Raises:
        ValueError: a rate that is not among ``RATES_HZ``.
    """
    if from_hz == to_hz:
        return Span(start, stop, 0, stop - start, None)
    bank, _, step = filter_bank(from_hz, to_hz)
    rows, made = bank.shape
    reach, frame = (rows - step) // 2, start // made
    first = frame * step - reach
    last = (-(-stop // made) - 1) * step - reach
    begins = -first if frame <= 0 < -(-stop // made) else None
    return Span(first, last + rows, start - frame * made, stop - start, begins)


def resampled_span(samples: Tensor, from_hz: int, to_hz: int, span: Span) -> Tensor:
    """Change the sample rate of a stretch: what ``resampled`` of the whole sound has there.

    Args:
        samples: ``[..., span.stop - span.first]`` float32.
        from_hz, to_hz: two of ``RATES_HZ``.
        span: what ``span_of`` says of both.

    Shape: ``[..., span.length]``.
    """
    if from_hz == to_hz:
        return samples
    bank, edge, step = _bank_on(from_hz, to_hz, samples.device)
    rows, made = bank.shape
    out = (samples.unfold(-1, rows, step) @ bank).flatten(-2)
    if span.begins is not None:
        at = (span.begins - (rows - step) // 2) // step * made
        heard = samples[..., span.begins : span.begins + len(edge)]
        out[..., at : at + edge.shape[1]] += heard @ edge
    return out[..., span.offset : span.offset + span.length]


@cache
def _bank_on(from_hz: int, to_hz: int, device: torch.device) -> tuple[Tensor, Tensor, int]:
    """Keep a filter on a device for good: graphs read it where it lies."""
    bank, edge, step = filter_bank(from_hz, to_hz)
    return bank.to(device), edge.to(device), step


@lru_cache(8)
def filter_bank(from_hz: int, to_hz: int) -> tuple[Tensor, Tensor, int]:
    """Read the filter off soxr.

    Returns:
        ``[rows, made]``: what each of ``rows`` samples of the input adds to each of ``made`` of
        the output; what each of the very first samples adds to the first of the output beyond
        that, as soxr begins otherwise than after a pause; how many of the input's samples the
        ``made`` stand for, the middle ones of ``rows``.

    Raises:
        ValueError: a rate that is not among ``RATES_HZ``.
    """
    if not can_resample(from_hz, to_hz):
        raise ValueError(f"rates: found {from_hz} and {to_hz} Hz, expected two of RATES_HZ")
    common = math.gcd(from_hz, to_hz)
    times = -(-_LEAST_FRAME * common // min(from_hz, to_hz))
    step, made = from_hz // common * times, to_hz // common * times
    around = max(2, -(-4_000 // step))
    middle = around * step
    # An input sample of a later frame is the same click one frame of the output earlier.
    answers = _answers(from_hz, to_hz, middle, step, (2 * around + 1) * step)
    rows = answers.reshape(-1, made, step)[::-1].transpose(0, 2, 1).reshape(-1, made)
    loudest = np.abs(rows).max()
    heard = np.flatnonzero(np.abs(rows).max(axis=1) > _FLOOR * loudest)
    reach = int(max(middle - heard[0], heard[-1] + 1 - middle - step, 1))
    bank = rows[middle - reach : middle + step + reach]
    # The first output frame, which hears nothing before the sound.
    begun = _answers(from_hz, to_hz, 0, step + reach, 2 * middle)[:made].T
    edge = begun - bank[reach:]
    wide, high = (_last(np.abs(edge).max(axis=1 - axis) > 1e-8 * loudest) for axis in (0, 1))
    made_of = (torch.from_numpy(x.astype(np.float32)) for x in (bank, edge[:wide, :high]))
    return next(made_of), next(made_of), step


def _last(marked: NDArray[np.bool_]) -> int:
    """Return how far one has to read to see all that is marked, at least 1."""
    return int(np.flatnonzero(marked).max(initial=0)) + 1


def _answers(from_hz: int, to_hz: int, first: int, count: int, length: int) -> NDArray[np.float64]:
    """Return what soxr makes of clicks at ``count`` places from ``first`` on, ``[made, count]``."""
    clicks = np.zeros((length, count))
    clicks[first + np.arange(count), np.arange(count)] = 1
    answers: NDArray[np.float64] = soxr.resample(clicks, from_hz, to_hz, quality="VHQ")
    return answers
