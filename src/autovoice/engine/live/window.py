"""A window of a live session on its way through the networks, one session at a time or many."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from autovoice import io
from autovoice.engine.carrying import ACTIVE, LEAST_SUNG
from autovoice.engine.chunks import curve_at
from autovoice.engine.live.join import cut
from autovoice.engine.live.options import MODEL_HZ, LiveOptions
from autovoice.engine.live.shift import LiveShift
from autovoice.engine.stages import Stages
from autovoice.types import Analysis, FloatArray, Pitch, Speaker

if TYPE_CHECKING:
    from autovoice.engine.resident_stages import LiveSinger

LISTEN_HZ = 16_000
# Windows are whole frames of the decoder, 25 ms.
FRAME_SAMPLES = 600
# So long it is remembered how much was sung of what was heard.
MEMORY_S = 5.0


@dataclass(frozen=True, eq=False)
class Window:
    """What is heard of a stream at once.

    Args:
        samples: ``[T]`` at 24 kHz.
        noise: ``[T]``, that of each sample the same in every window.
        settled: the samples that this window is asked for; may begin before the first.
        gain: that brings the source to the networks' level.
        cycles: the phase at ``settled.start`` in turns; None where no harmonics go on.
    """

    samples: FloatArray
    noise: FloatArray
    settled: slice
    gain: float
    cycles: float | None

    @property
    def new(self) -> int:
        """Samples asked for."""
        return int(self.settled.stop - self.settled.start)


@dataclass(frozen=True, eq=False)
class Sung:
    """What came of a window.

    Args:
        samples: at 24 kHz.
        start: where among them what was asked for begins.
        cycles: the phase of the fundamental from ``first_cycle`` of the window on; None for none.
        first_cycle: see there.
        carries: whether the source's own excitation carries the voice; else it is the decoder's
            own sound, not yet as loud as the source.
    """

    samples: FloatArray
    start: int
    cycles: NDArray[np.float64] | None
    first_cycle: int
    carries: bool

    def phase(self, sample: int) -> float | None:
        """Return the phase at a sample of the window, in turns."""
        if self.cycles is None:
            return None
        return float(self.cycles[min(max(sample - self.first_cycle, 0), len(self.cycles) - 1)])


class Windows:
    """Take a stream's windows through the networks, and remember what was sung.

    Args:
        stages: whose builders are used.
        options: of the session.
        shift: of the melody, which goes on with what is heard.
    """

    def __init__(self, stages: Stages, options: LiveOptions, shift: LiveShift) -> None:
        self._live, self._activity = stages.builders.live, stages.builders.activity
        self._renderer = self._live.renderer()
        self._colouring = self._live.colouring(stages.device)
        self._shift = shift
        self._look = options.model_samples(options.lookahead_ms)
        self._render = options.model_samples(options.render_ms)
        self._search = options.model_samples(options.search_ms)
        self._fade = options.model_samples(options.fade_ms)
        self._sung_s = self._heard_s = 0.0
        # Who sings many sessions' windows at once, and what it keeps of this one.
        self._kept: tuple[LiveSinger, Any] | None = None

    def forget(self) -> None:
        """Begin anew: another voice sings."""
        self._colouring.forget()
        self._renderer.forget()
        if self._kept is not None:
            self._kept[1].fresh = True

    def sing(self, stages: Stages, window: Window, speaker: Speaker) -> Sung:
        """Sing a window; ``stages`` are lent for it."""
        singer = stages.resident.live
        if singer is None:
            return self._alone(stages, window, speaker)
        return self._together(singer, window, speaker)

    def rehearse(self, stages: Stages, window: Window, speaker: Speaker, most: int) -> None:
        """Have a window sung in every size of batch up to ``most``, where batches there are."""
        singer = stages.resident.live
        if singer is not None:
            asked, plan = self._asked(singer, window, speaker)
            singer.rehearse(asked, plan, most)

    def _together(self, singer: LiveSinger, window: Window, speaker: Speaker) -> Sung:
        """Sing it in one pass with whatever windows of other sessions wait then."""
        asked, plan = self._asked(singer, window, speaker)
        made = singer.sing(asked, plan)
        self._sung_s, self._heard_s = made.sung_s, made.heard_s
        self._shift.add(made.pitch_hz, made.pitch_hop_s, speaker)
        first = window.settled.stop - plan.before
        return Sung(made.samples, plan.before, made.cycles, first, made.carries)

    def _asked(self, singer: LiveSinger, window: Window, speaker: Speaker) -> tuple[Any, Any]:
        """Return what the singer reads of a window, and where in it what is."""
        plan_of, asked_of = _makers()
        if self._kept is None or self._kept[0] is not singer:
            self._kept = singer, singer.open()
        start, reach = window.settled.start, self._search
        plan = plan_of(
            frames=len(window.samples) // FRAME_SAMPLES,
            start=start,
            new=window.new,
            before=reach,
            after=self._fade + reach,
            rendered=self._render + len(window.samples) - start,
        )
        anchored = 0 <= start < len(window.samples)
        asked = asked_of(
            stream=self._kept[1],
            sound=window.samples,
            noise=window.noise,
            style=speaker.style,
            adapter=speaker.adapter,
            gain=window.gain,
            anchor=window.cycles if anchored else None,
            semitones=self._shift.semitones,
            sung_s=self._sung_s,
            heard_s=self._heard_s,
        )
        return asked, plan

    def _alone(self, stages: Stages, window: Window, speaker: Speaker) -> Sung:
        """Sing it stage by stage."""
        samples, settled, gain = window.samples, window.settled, window.gain
        analysis = self._analyse(stages, samples, gain)
        pitch = analysis.pitch
        self._hear(pitch, analysis, settled, speaker)
        semitones = self._shift.semitones
        features = stages.converter.convert(analysis, speaker, semitones=semitones)
        start = settled.start
        anchored = window.cycles is not None and 0 <= start < len(samples)
        sound = self._renderer.render(
            stages.vocoder,
            features,
            speaker,
            noise=window.noise,
            new=window.new,
            anchor=self._live.anchor(start, window.cycles or 0.0) if anchored else None,
            samples=self._render + len(samples) - start,
        )
        made = cut(sound.samples, 0, len(samples))
        carries = semitones == 0 and self._sung_s >= LEAST_SUNG * self._heard_s > 0
        if carries:  # as loud as the source, frame by frame
            made = self._colouring.carry(samples, made, pitch, gain=gain, settled=settled)
        else:
            made = made * curve_at(analysis.activity, len(samples), MODEL_HZ)
        return Sung(made, start, sound.cycles, 0, carries)

    def _analyse(self, stages: Stages, samples: FloatArray, gain: float) -> Analysis:
        at_16k = io.resample(samples[None], MODEL_HZ, LISTEN_HZ)[0]
        pitch = stages.pitch.track(at_16k)
        return Analysis(
            pitch=pitch,
            content=stages.content.encode(at_16k),
            energy=self._live.energy(samples, gain),
            activity=self._activity(at_16k, LISTEN_HZ, pitch),
            seconds=len(samples) / MODEL_HZ,
        )

    def _hear(self, pitch: Pitch, analysis: Analysis, settled: slice, speaker: Speaker) -> None:
        """Remember what was sung in the part that this window is asked for."""
        first, last = (
            int(np.clip(round((place / MODEL_HZ - pitch.offset_s) / pitch.hop_s), 0, None))
            for place in (settled.start, settled.stop)
        )
        newest = pitch.f0_hz[first:last]
        seconds = (settled.stop - settled.start) / MODEL_HZ
        heard = curve_at(analysis.activity, settled.stop, MODEL_HZ)[max(settled.start, 0) :]
        keep = max(0.0, 1.0 - seconds / MEMORY_S)
        self._sung_s = self._sung_s * keep + float((newest > 0).sum()) * pitch.hop_s
        self._heard_s = self._heard_s * keep + float((heard > ACTIVE).sum()) / MODEL_HZ
        self._shift.add(newest, pitch.hop_s, speaker)


@cache
def _makers() -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Return what makes plans and windows for many sessions' singer; it needs PyTorch."""
    from autovoice.engine.resident_live import Asked
    from autovoice.vocode.live_windows import plan_of

    return plan_of, Asked
