"""One voice, live, at 24 kHz: each call takes in new samples and gives as many back."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager

import numpy as np
from numpy.typing import NDArray

from autovoice import io
from autovoice.engine.carrying import LEAST_SUNG
from autovoice.engine.chunks import curve_at
from autovoice.engine.live.history import History
from autovoice.engine.live.join import Joiner, cut
from autovoice.engine.live.options import MODEL_HZ, LiveOptions
from autovoice.engine.live.shift import LiveShift
from autovoice.engine.live_stages import RunningLevel
from autovoice.engine.stages import Stages
from autovoice.types import Analysis, FloatArray, Pitch, Speaker

LISTEN_HZ = 16_000
# Windows are whole frames of the decoder, 25 ms, and at least so many.
FRAME_SAMPLES = 600
LEAST_FRAMES = 12
# Level is measured in frames of 10 ms; a gate that was open stays open so long.
_LEVEL_SAMPLES = 240
HOLD_S = 0.2
# So long it is remembered how much was sung of what was heard.
MEMORY_S = 5.0

# The networks hear the level of the last ten seconds; what they make is as loud as the source was
# in the last second.
LEVEL_S, BALANCE_S = 10.0, 1.0

Turn = Callable[[], AbstractContextManager[Stages]]


class Balance:
    """Keep what is made as loud as what was heard.

    Args:
        level: makes what follows a level, of a rate and a memory.
    """

    def __init__(self, level: Callable[[int, float], RunningLevel]) -> None:
        self._heard, self._made = level(MODEL_HZ, BALANCE_S), level(MODEL_HZ, BALANCE_S)

    def gain(self, heard: FloatArray, made: FloatArray) -> np.float32:
        """Return the factor for what is made now."""
        return np.float32(self._made.push(made) / self._heard.push(heard))


class LiveConverter:
    """Convert a stream window by window, with all that has to be remembered from one to the next.

    Args:
        turn: gives the networks for one window.
        stages: whose builders are used.
        speaker: the voice.
        options: of the session.
    """

    def __init__(self, turn: Turn, stages: Stages, speaker: Speaker, options: LiveOptions) -> None:
        self._turn, self._speaker = turn, speaker
        self.look = options.model_samples(options.lookahead_ms)
        self._render = options.model_samples(options.render_ms)
        chunk = options.model_samples(options.chunk_ms) + 2
        longest = options.model_samples(options.context_ms) + chunk + self.look
        self._longest = -(-longest // FRAME_SAMPLES)
        self._history = History(self._longest * FRAME_SAMPLES + chunk, options.seed)
        self._joiner = Joiner(
            options.model_samples(options.fade_ms), options.model_samples(options.search_ms)
        )
        live = stages.builders.live
        self._live, self._activity = live, stages.builders.activity
        self._level = live.level(MODEL_HZ, LEVEL_S)
        self._balance = Balance(live.level)
        self._renderer = live.renderer()
        self._colouring = live.colouring(stages.device)
        # What the last call took of the networks' time, seconds.
        self.busy_s = 0.0
        self.shift = LiveShift(options.semitones, stages.builders.fit)
        self._gate = 10 ** (options.gate_dbfs / 20)
        self._quiet = MODEL_HZ  # samples since somebody was heard
        self._sung_s = self._heard_s = 0.0
        # Where the harmonics have got to at the next seam; None where there are none.
        self._cycles: float | None = None

    def change_voice(self, speaker: Speaker) -> None:
        """Sing on in another voice; the next call fades over to it."""
        self._speaker = speaker
        self._colouring.forget()
        self._renderer.forget()
        self._balance = Balance(self._live.level)
        self.shift.choose(speaker)

    def hear(self, samples: FloatArray) -> None:
        """Take in sound that is not to be converted, only to be context."""
        self._history.push(samples)

    def convert(self, samples: FloatArray) -> tuple[FloatArray, bool]:
        """Take in new samples; return as many, ``look`` samples late, and whether all was silent.

        Args:
            samples: ``[n]`` at 24 kHz, finite, at most a chunk.
        """
        self._history.push(samples)
        gain = self._level.push(samples)
        self.busy_s = 0.0
        if self._silent(samples):
            self._cycles = None
            return self._joiner.join(samples[:0], 0, len(samples), search=False), True
        frames = min(max(self._history.heard // FRAME_SAMPLES, LEAST_FRAMES), self._longest)
        window, noise = self._history.latest(frames * FRAME_SAMPLES)
        start = len(window) - self.look - len(samples)
        settled = slice(start, start + len(samples))
        with self._turn() as stages:
            begun = time.perf_counter()
            made, cycles, sung = self._window(stages, window, noise, settled, gain)
            self.busy_s = time.perf_counter() - begun
        joined = self._joiner.join(made, start, len(samples), search=not sung)
        end = settled.stop + self._joiner.moved
        self._cycles = None if cycles is None else float(cycles[min(max(end, 0), len(cycles) - 1)])
        return joined, False

    def _silent(self, samples: FloatArray) -> bool:
        """Tell whether neither what comes out now nor what follows it can be heard."""
        count = -(-len(samples) // _LEVEL_SAMPLES)
        frames = cut(samples, 0, count * _LEVEL_SAMPLES).reshape(count, _LEVEL_SAMPLES)
        loud = np.flatnonzero(np.sqrt(np.square(frames).mean(axis=1)) > self._gate)
        if len(loud):
            self._quiet = len(samples) - (int(loud[-1]) + 1) * _LEVEL_SAMPLES
            return False
        self._quiet = min(self._quiet + len(samples), 60 * MODEL_HZ)
        return self._quiet >= self.look + len(samples) + HOLD_S * MODEL_HZ

    def _window(
        self, stages: Stages, window: FloatArray, noise: FloatArray, settled: slice, gain: float
    ) -> tuple[FloatArray, NDArray[np.float64] | None, bool]:
        """Convert a window; return its sound, its phase, and whether the source carries it."""
        analysis = self._analyse(stages, window, gain)
        pitch = analysis.pitch
        self._hear(pitch, analysis, settled)
        features = stages.converter.convert(analysis, self._speaker, semitones=self.shift.semitones)
        start = settled.start
        anchored = self._cycles is not None and 0 <= start < len(window)
        anchor = self._live.anchor(start, self._cycles or 0.0) if anchored else None
        sound = self._renderer.render(
            stages.vocoder,
            features,
            self._speaker,
            noise=noise,
            new=settled.stop - settled.start,
            anchor=anchor,
            samples=self._render + len(window) - start,
        )
        made = cut(sound.samples, 0, len(window))
        carries = self._carries()
        if carries:  # as loud as the source, frame by frame
            made = self._colouring.carry(window, made, pitch, gain=gain, settled=settled)
            return made, sound.cycles, True
        made = made * curve_at(analysis.activity, len(window), MODEL_HZ)
        newest = slice(max(start, 0), settled.stop)
        return made * self._balance.gain(window[newest], made[newest]), sound.cycles, False

    def _analyse(self, stages: Stages, window: FloatArray, gain: float) -> Analysis:
        at_16k = io.resample(window[None], MODEL_HZ, LISTEN_HZ)[0]
        pitch = stages.pitch.track(at_16k)
        return Analysis(
            pitch=pitch,
            content=stages.content.encode(at_16k),
            energy=self._live.energy(window, gain),
            activity=self._activity(at_16k, LISTEN_HZ, pitch),
            seconds=len(window) / MODEL_HZ,
        )

    def _hear(self, pitch: Pitch, analysis: Analysis, settled: slice) -> None:
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
        self._heard_s = self._heard_s * keep + float((heard > 0.5).sum()) / MODEL_HZ
        self.shift.add(newest, pitch.hop_s, self._speaker)

    def _carries(self) -> bool:
        return self.shift.semitones == 0 and self._sung_s >= LEAST_SUNG * self._heard_s > 0
