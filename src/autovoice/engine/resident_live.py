"""Windows of live sessions, from the source to the sound: many sessions in one pass.

What has to be remembered of a session from window to window, the decoder's moments and the colour
that was learnt, stays on the device in a table with a row for each session. So a chunk costs its
session one place in one batch, with one copy each way for all of them.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autovoice.analyse.content import ContentEncoder
from autovoice.analyse.resident import Hearing
from autovoice.convert import Converter
from autovoice.convert.converter import CONTENT_LAYERS
from autovoice.convert.resident import PITCH_HOP_S, curves
from autovoice.engine.batching.batcher import MAX_SHORT
from autovoice.engine.carrying import ACTIVE, LEAST_SUNG
from autovoice.engine.live.window import MEMORY_S
from autovoice.nn.decoder import SAMPLE_RATE_HZ
from autovoice.nn.graphs import CAPTURE_AT
from autovoice.nn.stage import NetworkStage
from autovoice.nn.transfer import Numbers, Rows, fetched, uploaded
from autovoice.types import FloatArray
from autovoice.vocode import Vocoder
from autovoice.vocode.live_windows import STATE_LEAST, Heard, Plan, sung

# What goes into a pass of 64 windows, and is still worth a graph: most of its kernels are small.
_MOST_VALUES = 1 << 25
_FIRST_SLOTS = 64


class Stream:
    """A session's row in the table.

    Args:
        slot: its number.
    """

    def __init__(self, slot: int) -> None:
        self.slot = slot
        # Whether the next window begins anew.
        self.fresh = True


@dataclass(frozen=True, eq=False)
class Asked:
    """What one pass reads of a window.

    Args:
        stream: whose it is.
        sound: ``[600 F]`` at 24 kHz.
        noise: ``[600 F]``.
        style: ``[128]``.
        adapter: what training added to the voice.
        gain: that brings the source to the networks' level.
        anchor: the phase at ``Plan.start`` in turns; None where no harmonics go on.
        semitones: shift of the melody.
        sung_s, heard_s: how much was sung and heard of late.
    """

    stream: Stream
    sound: FloatArray
    noise: FloatArray
    style: FloatArray
    adapter: Mapping[str, Any]
    gain: float
    anchor: float | None
    semitones: int
    sung_s: float
    heard_s: float


@dataclass(frozen=True, eq=False)
class Sung:
    """What came of a window.

    Args:
        samples: ``[before + new + after]`` at 24 kHz.
        cycles: ``[2 before + 1]``, the phase around the end of what was asked for.
        pitch_hz: what was sung in the part that was asked for, every 8 ms.
        carries: whether the source's own excitation carries the voice.
        sung_s, heard_s: how much was sung and heard of late, with this window.
        pitch_hop_s: between values of ``pitch_hz``.
    """

    samples: FloatArray
    cycles: NDArray[np.float64]
    pitch_hz: FloatArray
    carries: bool
    sung_s: float
    heard_s: float
    pitch_hop_s: float = PITCH_HOP_S


class LiveSinger(NetworkStage):
    """Sing windows in other voices.

    Args:
        hearing: what finds melody, energy and activity.
        encoder, converter, vocoder: the stages whose networks are run, on the same device.
    """

    exact = True

    def __init__(
        self, hearing: Hearing, encoder: ContentEncoder, converter: Converter, vocoder: Vocoder
    ) -> None:
        super().__init__(device=vocoder.device)
        self.hearing, self.encoder = hearing, encoder
        self.converter, self.vocoder = converter, vocoder
        self.graphs.most_values = hearing.graphs.most_values = _MOST_VALUES
        self._states: Tensor | None = None
        self._lock = threading.Lock()
        self._free: list[int] = []
        self._slots = 0

    def open(self) -> Stream:
        """Return a row of the table; it is free again when nobody holds it any more."""
        with self._lock:
            if not self._free:
                self._free.append(self._slots)
                self._slots += 1
            stream = Stream(self._free.pop())
        weakref.finalize(stream, self._free.append, stream.slot).atexit = False
        return stream

    def sing(self, window: Asked, plan: Plan) -> Sung:
        """Sing a window.

        Args:
            window: of ``plan.samples``.
            plan: where in it what is.
        """
        adapter = id(window.adapter) if window.adapter else None
        key, seconds = (plan, adapter), plan.samples / SAMPLE_RATE_HZ
        return self.batched(self._run, (window, plan), key=key, seconds=seconds)

    def rehearse(self, window: Asked, plan: Plan, most: int) -> None:
        """Sing a window of a stream that nobody hears in every size of batch, the largest first.

        The first pass of a size loads kernels and the second captures graphs; both take many times
        what the third does.

        Args:
            window, plan: see ``sing``.
            most: windows that may come at once, at least 1.
        """
        size = 1 << (min(most, MAX_SHORT).bit_length() - 1)
        while size:
            batch = [(window, plan)] * size
            for _ in range(CAPTURE_AT):
                self.guarded(partial(self._run, batch))
            size //= 2

    def _run(self, items: Sequence[tuple[Asked, Plan]]) -> list[Sung]:
        """Sing windows of one plan and adapter in one pass."""
        windows, (_, plan) = [window for window, _ in items], items[0]
        sound, noise, style, numbers, anchor, slots = self._up(windows, plan)
        state = self._state(slots, numbers[4:5].T)
        work = partial(self._sung, plan, windows[0].adapter)
        made, phase, pitch_hz, totals, state = work(sound, noise, style, numbers, anchor, state)
        self._keep(slots, state)
        samples, cycles, f0_hz, told = fetched(made, phase, pitch_hz, totals)
        for window in windows:
            window.stream.fresh = False
        return [
            Sung(
                samples[row],
                cycles[row],
                f0_hz[row],
                bool(told[0, row]),
                *map(float, told[1:, row]),
            )
            for row in range(len(windows))
        ]

    def _up(self, windows: Sequence[Asked], plan: Plan) -> tuple[Tensor, ...]:
        """Bring all that a pass reads to the device, in one copy."""
        first = 300 * plan.skipped
        numbers = [
            float(value)
            for values in zip(
                *((w.gain, w.semitones, w.sung_s, w.heard_s, w.stream.fresh) for w in windows),
                strict=True,
            )
            for value in values
        ]
        anchors = [float("nan") if w.anchor is None else w.anchor for w in windows]
        made = uploaded(
            self.device,
            Rows([w.sound for w in windows], plan.samples),
            Rows([w.noise[first:] for w in windows], plan.samples - first),
            Rows([w.style for w in windows], len(windows[0].style)),
            Numbers(numbers, torch.float32),
            Numbers(anchors, torch.float64),
            Numbers([w.stream.slot for w in windows], torch.int64),
        )
        return (*made[:3], made[3].view(-1, len(windows)), *made[4:])

    def _sung(self, plan: Plan, adapter: Mapping[str, Any], *tensors: Tensor) -> tuple[Tensor, ...]:
        """Hear, convert and sing a batch."""
        sound, noise, style, numbers, anchor, state = tensors
        gain = numbers[0][:, None].contiguous()
        at_16k, pitch_hz, energy, active = self.hearing.windows(sound, gain)
        planes = self.encoder.planes(at_16k)
        asr = self.converter.words(planes, plan.frames, adapter)
        self.vocoder.wear(adapter)
        given = (sound, noise, style, numbers, anchor, state, pitch_hz, energy, active, asr)
        work: Callable[..., tuple[Tensor, ...]] = partial(_sing, self.vocoder, plan)
        return self.graphs.several(("sing", plan), work, *given)

    def _state(self, slots: Tensor, fresh: Tensor) -> Tensor:
        """Return what was kept of streams, ``[B, S]``."""
        if self._states is None:
            return torch.zeros(len(slots), STATE_LEAST, device=self.device)
        self._grow()
        return torch.where(fresh > 0, 0.0, self._states[slots])

    def _keep(self, slots: Tensor, state: Tensor) -> None:
        if self._states is None:
            self._states = torch.zeros(_FIRST_SLOTS, state.shape[1], device=self.device)
            self._grow()
        self._states[slots] = state

    def _grow(self) -> None:
        """Make room for all streams, twice as much each time."""
        assert self._states is not None  # noqa: S101
        while len(self._states) < self._slots:
            self._states = torch.cat([self._states, torch.zeros_like(self._states)])


def _sing(vocoder: Vocoder, plan: Plan, *given: Tensor) -> tuple[Tensor, ...]:
    """Decide what carries, and sing; see ``vocode.live_windows.sung``.

    Returns:
        Sound, phases, the pitch that is new, ``[3, B]`` (what carries, how much was sung and
        heard), and the streams' state.
    """
    sound, noise, style, numbers, anchor, state, pitch_hz, energy, active, asr = given
    gain, semitones, sung_s, heard_s, _ = numbers[:, :, None]
    factor = _at_samples(active, plan.samples)
    fresh = _newest(pitch_hz, plan)
    keep = max(0.0, 1.0 - plan.new / SAMPLE_RATE_HZ / MEMORY_S)
    loud = factor[:, max(plan.start, 0) : plan.heard.stop] > ACTIVE
    sung_s = sung_s * keep + (fresh > 0).sum(1, keepdim=True) * PITCH_HOP_S
    heard_s = heard_s * keep + loud.sum(1, keepdim=True) / SAMPLE_RATE_HZ
    carries = (semitones == 0) & (sung_s >= LEAST_SUNG * heard_s) & (heard_s > 0)
    f0_hz, level = curves(pitch_hz, energy, plan.frames, semitones)
    heard = Heard(sound, noise, pitch_hz, asr, f0_hz, level, style, gain, anchor, carries, factor)
    made, phase, state = sung(vocoder, plan, heard, state)
    totals = torch.cat([carries.float(), sung_s, heard_s], 1).T.contiguous()
    return made, phase, fresh.contiguous(), totals, state


def _newest(pitch_hz: Tensor, plan: Plan) -> Tensor:
    """Return the pitch of what is asked for."""
    first, last = (
        max(0, round(place / SAMPLE_RATE_HZ / PITCH_HOP_S))
        for place in (plan.heard.start, plan.heard.stop)
    )
    return pitch_hz[:, first:last]


def _at_samples(values: Tensor, length: int) -> Tensor:
    """Return a curve of 80 frames/s at each sample, as ``chunks.curve_at``; ``[B, length]``."""
    hop = SAMPLE_RATE_HZ // 80
    place = (torch.arange(length, device=values.device) - hop // 2) / hop
    place = place.clamp(0, values.shape[1] - 1)
    left = place.long().clamp_max(max(values.shape[1] - 2, 0))
    right = (left + 1).clamp_max(values.shape[1] - 1)
    return torch.lerp(values[:, left], values[:, right], (place - left)[None])


def live_singer_of(hearing: Any, encoder: Any, converter: Any, vocoder: Any) -> LiveSinger | None:
    """Make a singer of four stages, where they are those whose networks it knows."""
    known = isinstance(encoder, ContentEncoder) and isinstance(converter, Converter)
    if not (known and isinstance(vocoder, Vocoder) and encoder.layers == CONTENT_LAYERS):
        return None
    return (
        LiveSinger(hearing, encoder, converter, vocoder) if isinstance(hearing, Hearing) else None
    )
