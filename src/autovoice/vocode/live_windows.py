"""Windows of several streams as tensors: one pass of the decoder, and its colour on the sources."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from autovoice.nn.decoder import FRAME_SAMPLES, SAMPLE_RATE_HZ
from autovoice.nn.decoder_window import HOP_SAMPLES, DecoderWindow
from autovoice.nn.moment_memory import MomentMemory
from autovoice.types import Pitch
from autovoice.vocode.differential import HOP_SAMPLES as FILTER_HOP
from autovoice.vocode.differential import DifferentialOptions, at_hops, strength_for
from autovoice.vocode.live_carry import COLOUR_WIDTH, Colour, coloured


@dataclass(frozen=True)
class Plan:
    """What the windows of one pass have in common; whole numbers only.

    Args:
        frames: of a window, 25 ms each.
        start: the first sample that is asked for; before 0 there is silence.
        new: samples asked for.
        before, after: samples wanted around them, for the seam.
        rendered: samples at the window's end that the decoder's second half makes.
    """

    frames: int
    start: int
    new: int
    before: int
    after: int
    rendered: int

    @property
    def samples(self) -> int:
        """Length of a window."""
        return FRAME_SAMPLES * self.frames

    @property
    def skipped(self) -> int:
        """Frames of 300 samples for which no sound is made."""
        wanted = max(self.rendered, FRAME_SAMPLES)
        return max(0, (self.samples - wanted) // HOP_SAMPLES)

    @property
    def heard(self) -> slice:
        """Where what is asked for lies in the window."""
        return slice(self.start, self.start + self.new)

    def cut(self, sound: Tensor) -> Tensor:
        """Return what is wanted of ``[B, samples]``: ``[B, before + new + after]``."""
        first, stop = self.start - self.before, self.start + self.new + self.after
        padded = F.pad(sound, (max(-first, 0), max(stop - self.samples, 0)))
        return padded[:, max(first, 0) : max(first, 0) + stop - first]


@lru_cache(maxsize=256)
def plan_of(**values: int) -> Plan:
    """Return the one ``Plan`` of such values: the same object compares with itself at once."""
    return Plan(**values)


@dataclass(frozen=True)
class Heard:
    """What the decoder reads of ``B`` windows of ``F`` frames, and what was found in them.

    Args:
        sound: ``[B, 600 F]`` at 24 kHz.
        noise: ``[B, n]``, that of the window's end; more than is rendered.
        pitch_hz: ``[B, P]`` every 8 ms, not moved.
        asr, f0_hz, energy: ``[B, 512, F]``, ``[B, 2 F]``, ``[B, 2 F]``.
        style: ``[B, 128]``.
        gain: ``[B, 1]``, of the source.
        anchor: ``[B]`` float64, the phase at ``Plan.start`` in turns; not a number where none.
        carries: ``[B, 1]`` bool, where the source's own excitation carries the voice.
        active: ``[B, 600 F]``, a factor for each sample.
    """

    sound: Tensor
    noise: Tensor
    pitch_hz: Tensor
    asr: Tensor
    f0_hz: Tensor
    energy: Tensor
    style: Tensor
    gain: Tensor
    anchor: Tensor
    carries: Tensor
    active: Tensor


def sung(vocoder: Any, plan: Plan, heard: Heard, state: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Sing windows; called from inside of a turn, the voice worn.

    Args:
        vocoder: the stage whose network it is.
        plan: of all windows.
        heard: what is sung.
        state: ``[B, S]``, what was kept of each stream; zeros where one begins, ``STATE_LEAST``
            wide before the first pass.

    Returns:
        ``[B, before + new + after]`` sound; ``[B, 2 before + 1]`` float64, the phase of the
        fundamental around the end of what is asked for, in turns; and the state now.
    """
    moments = state[:, STATE_LEAST:] if state.shape[1] > STATE_LEAST else None
    memory = MomentMemory(moments, state[:, :1], plan.new / SAMPLE_RATE_HZ)
    cycles = vocoder.network.generator.m_source.cycles(heard.f0_hz)
    start = _start_phase(cycles, heard.anchor, plan.start)
    noise = F.pad(heard.noise, (plan.samples - heard.noise.shape[1], 0))
    given = DecoderWindow(
        heard.asr, heard.f0_hz, heard.energy, heard.style, noise, start, memory, plan.skipped
    )
    end = vocoder.window(given)
    made = F.pad(end, (HOP_SAMPLES * plan.skipped, 0))
    known = Colour.read(state[:, 1:STATE_LEAST])
    hops = _at_hops(heard.pitch_hz, plan.samples // FILTER_HOP + 1)
    # Strangers' voices: a session does not know whose voice its source is.
    options = DifferentialOptions(strength=strength_for(0.0))
    pair = torch.stack([heard.sound, made])
    carried, learnt = coloured(pair, hops, heard.gain, known, settled=plan.heard, options=options)
    colour = torch.where(heard.carries, learnt.written(), known.written())
    sound = torch.where(heard.carries, carried, made * heard.active)
    last = torch.arange(-plan.before, plan.before + 1, device=made.device)
    places = (plan.start + plan.new + last).clamp(0, plan.samples - 1)
    phase = torch.remainder(cycles[:, places] + start[:, None], 1.0)
    return plan.cut(sound), phase, torch.cat([memory.weight, colour, memory.kept], 1)


# Of a stream that has not begun: the weight of its moments, and its colour.
STATE_LEAST = 1 + COLOUR_WIDTH


def _start_phase(cycles: Tensor, anchor: Tensor, sample: int) -> Tensor:
    """Return the phase before the first sample with which each wave goes on, ``[B]``."""
    if not 0 <= sample < cycles.shape[1]:
        return torch.zeros_like(anchor)
    start = torch.remainder(anchor - cycles[:, sample], 1.0)
    return torch.where(anchor.isnan(), 0.0, start)


def _at_hops(pitch_hz: Tensor, hops: int) -> Tensor:
    """Read the pitch at every hop of the filter, as ``differential.at_hops``; ``[B, hops]``."""
    return pitch_hz[:, _nearest(pitch_hz.shape[1], hops, pitch_hz.device)]


@cache
def _nearest(frames: int, hops: int, device: torch.device) -> Tensor:
    """Keep the frame of each hop on a device: graphs read it where it lies."""
    places = np.arange(frames, dtype=np.float32)
    found = at_hops(Pitch(places, np.ones_like(places), 0.008), hops)
    return torch.from_numpy(found).long().to(device)
