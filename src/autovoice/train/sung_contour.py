"""Invent sung pitch curves: notes of a scale, legato, vibrato, drift; a whole batch at once."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

FRAMES_PER_S = 80
_SCALES = (
    (0, 2, 4, 5, 7, 9, 11),
    (0, 2, 3, 5, 7, 8, 10),
    (0, 2, 4, 7, 9),
    (0, 3, 5, 7, 10),
    tuple(range(12)),
)


@dataclass(frozen=True)
class SingingStyle:
    """Bounds of the random choices.

    Args:
        low_hz: lowest note. Default 80.
        high_hz: highest note. Default 900.
        range_octaves: between a singer's lowest and highest note. Default 1.3.
        note_s: shortest and longest note. Default 0.15-1.2.
        glide_s: shortest and longest slide from note to note. Default 0.03-0.12.
        vibrato_hz: slowest and fastest vibrato. Default 4.5-7.
        vibrato_cents: greatest depth either way. Default 80.
        drift_cents: greatest slow deviation. Default 15.
    """

    low_hz: float = 80.0
    high_hz: float = 900.0
    range_octaves: float = 1.3
    note_s: tuple[float, float] = (0.15, 1.2)
    glide_s: tuple[float, float] = (0.03, 0.12)
    vibrato_hz: tuple[float, float] = (4.5, 7.0)
    vibrato_cents: float = 80.0
    drift_cents: float = 15.0


def uniform(shape: tuple[int, ...], low: float, high: float, generator: torch.Generator) -> Tensor:
    """Draw evenly from ``[low, high)`` on the generator's device."""
    return low + (high - low) * torch.rand(shape, generator=generator, device=generator.device)


def sung_contour(
    voice_hz: Tensor, frames: int, generator: torch.Generator, style: SingingStyle | None = None
) -> Tensor:
    """Return pitch curves in Hz at 80 frames/s, voiced throughout.

    Args:
        voice_hz: ``[B]`` the voice's usual pitch; the range is centred there or up to an octave
            above.
        frames: length of the curves.
        generator: on the device of ``voice_hz``.
        style: bounds of the random choices. Default: see :class:`SingingStyle`.

    Shape: ``[B, frames]``.
    """
    style = style or SingingStyle()
    batch = len(voice_hz)
    half = 6.0 * style.range_octaves
    lowest, highest = _semitones(style.low_hz) + half, _semitones(style.high_hz) - half
    raised = uniform((batch, 1), 0.0, 12.0, generator)
    centre = 12 * torch.log2(voice_hz.clamp(min=1.0))[:, None] + raised
    centre = centre.clamp(lowest, max(lowest, highest))
    count = math.ceil(frames / FRAMES_PER_S / style.note_s[0]) + 2
    notes = _melody(centre, half, count, generator)
    onsets_s = _onsets(batch, count, style, generator)
    time_s = (torch.arange(frames, device=voice_hz.device) + 0.5) / FRAMES_PER_S
    now = torch.searchsorted(onsets_s, time_s.expand(batch, -1).contiguous(), right=True) - 1
    since_s = time_s - onsets_s.gather(1, now)
    pitch = _legato(notes, now, since_s, style, generator)
    pitch = pitch + _vibrato(now, since_s, count, style, generator)
    pitch = pitch + _drift(time_s, batch, style, generator)
    return torch.exp2(pitch / 12)


def _semitones(hz: float) -> float:
    return 12 * math.log2(hz)


def _melody(centre: Tensor, half: float, count: int, generator: torch.Generator) -> Tensor:
    """Walk at random within ``centre`` +- ``half`` semitones and snap to a scale, ``[B, K]``."""
    batch, device = len(centre), centre.device
    steps = 3.0 * torch.randn((batch, count), generator=generator, device=device)
    walk = uniform((batch, 1), 0.0, 4 * half, generator) + steps.cumsum(dim=1)
    # Folding the walk reflects it at both ends of the range.
    walk = (torch.remainder(walk, 4 * half) - 2 * half).abs() - half
    allowed = torch.zeros(len(_SCALES), 12, device=device)
    for row, scale in enumerate(_SCALES):
        allowed[row, list(scale)] = 1
    chosen = torch.randint(len(_SCALES), (batch,), generator=generator, device=device)
    penalty = (1 - allowed[chosen]) * 100
    # Degrees relative to a tonic near the centre, tuned to no particular concert pitch.
    tonic = centre + uniform((batch, 1), -6.0, 6.0, generator)
    reach = math.ceil(half) + 7
    degrees = torch.arange(-reach, reach + 1, device=device)
    distance = (walk[..., None] + (centre - tonic)[..., None] - degrees).abs()
    distance = distance + penalty[:, torch.remainder(degrees, 12)][:, None]
    return tonic + degrees[distance.argmin(dim=-1)]


def _onsets(batch: int, count: int, style: SingingStyle, generator: torch.Generator) -> Tensor:
    """Return when each note starts, ``[B, K]``; the first before the curve does."""
    low, high = (math.log(s) for s in style.note_s)
    lengths_s = torch.exp(uniform((batch, count), low, high, generator))
    onsets_s = lengths_s.cumsum(dim=1) - lengths_s
    return onsets_s - lengths_s[:, :1] * uniform((batch, 1), 0.0, 1.0, generator)


def _legato(
    notes: Tensor, now: Tensor, since_s: Tensor, style: SingingStyle, generator: torch.Generator
) -> Tensor:
    glide_s = uniform((notes.shape[0], notes.shape[1]), *style.glide_s, generator)
    ratio = (since_s / glide_s.gather(1, now)).clamp(0, 1)
    eased = ratio * ratio * (3 - 2 * ratio)
    current, previous = notes.gather(1, now), notes.gather(1, (now - 1).clamp(min=0))
    return previous + (current - previous) * eased


def _vibrato(
    now: Tensor, since_s: Tensor, count: int, style: SingingStyle, generator: torch.Generator
) -> Tensor:
    """Return the deviation in semitones; it sets in late in each note."""
    shape = (len(now), count)
    depth = uniform(shape, -0.5, 1.0, generator).clamp(min=0) * style.vibrato_cents / 100
    delay_s = uniform(shape, 0.08, 0.4, generator)
    rate_hz = uniform((len(now), 1), *style.vibrato_hz, generator)
    grown = ((since_s - delay_s.gather(1, now)) / 0.2).clamp(0, 1)
    return depth.gather(1, now) * grown * torch.sin(2 * math.pi * rate_hz * since_s)


def _drift(time_s: Tensor, batch: int, style: SingingStyle, generator: torch.Generator) -> Tensor:
    """Return a slow wander in semitones: three sines of 0.2-2.5 Hz."""
    shape = (batch, 3, 1)
    rate_hz = uniform(shape, 0.2, 2.5, generator)
    phase = uniform(shape, 0.0, 2 * math.pi, generator)
    depth = uniform(shape, 0.0, style.drift_cents / 300, generator)
    return (depth * torch.sin(2 * math.pi * rate_hz * time_s + phase)).sum(dim=1)
