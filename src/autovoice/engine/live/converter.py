"""One voice, live, at 24 kHz: each call takes in new samples and gives as many back."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager

import numpy as np

from autovoice.engine.live.history import History
from autovoice.engine.live.host import aside
from autovoice.engine.live.join import Joiner
from autovoice.engine.live.options import MODEL_HZ, LiveOptions
from autovoice.engine.live.shift import LiveShift
from autovoice.engine.live.window import FRAME_SAMPLES, Sung, Window, Windows
from autovoice.engine.live_stages import RunningLevel
from autovoice.engine.stages import Stages
from autovoice.types import FloatArray, Speaker

# Windows are at least so many frames long.
LEAST_FRAMES = 12
# Level is measured in frames of 10 ms; a gate that was open stays open so long.
_LEVEL_SAMPLES = 240
HOLD_S = 0.2
# The networks hear the level of the last ten seconds; what they make is as loud as the source was
# in the last second.
LEVEL_S, BALANCE_S = 10.0, 1.0

Turn = Callable[[], AbstractContextManager[Stages]]


def whole_windows(stages: Stages) -> bool:
    """Tell whether windows have their full length from the first on.

    Shorter ones cost less on a CPU. Where passes replay graphs each length that is new costs many
    times a pass: on an H200 the lengths of the first 1.5 s took 7 s.
    """
    return stages.resident.live is not None


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
        chunk = options.model_samples(options.chunk_ms) + 2
        longest = options.model_samples(options.context_ms) + chunk + self.look
        self._longest = -(-longest // FRAME_SAMPLES)
        self._history = History(self._longest * FRAME_SAMPLES + chunk, options.seed)
        self._joiner = Joiner(
            options.model_samples(options.fade_ms), options.model_samples(options.search_ms)
        )
        self._new_level = stages.builders.live.level
        self._level = self._new_level(MODEL_HZ, LEVEL_S)
        self._balance = Balance(self._new_level)
        # What the last call took of the networks' time, seconds.
        self.busy_s = 0.0
        self.shift = LiveShift(options.semitones, stages.builders.fit)
        self._windows = Windows(stages, options, self.shift)
        # Louder than this, the sum of a frame's squares is no silence.
        self._gate = 10 ** (options.gate_dbfs / 10) * _LEVEL_SAMPLES
        self._quiet = MODEL_HZ  # samples since somebody was heard
        # Where the harmonics have got to at the next seam; None where there are none.
        self._cycles: float | None = None

    def change_voice(self, speaker: Speaker) -> None:
        """Sing on in another voice; the next call fades over to it."""
        self._speaker = speaker
        self._windows.forget()
        self._balance = Balance(self._new_level)
        self.shift.choose(speaker)

    def hear(self, samples: FloatArray) -> None:
        """Take in sound that is not to be converted, only to be context."""
        self._history.push(samples)

    def convert(self, samples: FloatArray) -> tuple[FloatArray, bool]:
        """Take in new samples; return as many, ``look`` samples late, and whether all was silent.

        Called by who holds ``HOST``, which is free while the window is sung.

        Args:
            samples: ``[n]`` at 24 kHz, finite, at most a chunk.
        """
        self._history.push(samples)
        gain = self._level.push(samples)
        self.busy_s = 0.0
        if self._silent(samples):
            self._cycles = None
            return self._joiner.join(samples[:0], 0, len(samples), search=False), True
        with aside(), self._turn() as stages:
            window = self._window(len(samples), gain, whole=whole_windows(stages))
            begun = time.perf_counter()
            sung = self._windows.sing(stages, window, self._speaker)
            self.busy_s = time.perf_counter() - begun
        made = sung.samples if sung.carries else self._balanced(window, sung)
        joined = self._joiner.join(made, sung.start, len(samples), search=not sung.carries)
        self._cycles = sung.phase(window.settled.stop + self._joiner.moved)
        return joined, False

    def rehearse(self, count: int, most: int) -> None:
        """Have windows of ``count`` new samples sung in every size of batch up to ``most``."""
        with self._turn() as stages:
            window = self._window(count, 1.0, whole=True)
            self._windows.rehearse(stages, window, self._speaker, most)

    def _window(self, count: int, gain: float, *, whole: bool) -> Window:
        """Return what is heard now, of which ``count`` samples are new.

        Args:
            count: of samples.
            gain: to the networks' level.
            whole: as long as windows get, with silence before the first sound.
        """
        frames = min(max(self._history.heard // FRAME_SAMPLES, LEAST_FRAMES), self._longest)
        frames = self._longest if whole else frames
        heard, noise = self._history.latest(frames * FRAME_SAMPLES)
        start = len(heard) - self.look - count
        settled = slice(start, start + count)
        return Window(heard, noise, settled, gain, self._cycles)

    def _balanced(self, window: Window, sung: Sung) -> FloatArray:
        """Return what the decoder made, as loud as the source."""
        newest = window.samples[max(window.settled.start, 0) : window.settled.stop]
        made = sung.samples[max(sung.start, 0) : sung.start + window.new]
        return sung.samples * self._balance.gain(newest, made[-len(newest) :])

    def _silent(self, samples: FloatArray) -> bool:
        """Tell whether neither what comes out now nor what follows it can be heard."""
        for start in reversed(range(0, len(samples), _LEVEL_SAMPLES)):
            frame = samples[start : start + _LEVEL_SAMPLES]
            if float(frame @ frame) > self._gate:
                self._quiet = len(samples) - start - _LEVEL_SAMPLES
                return False
        self._quiet = min(self._quiet + len(samples), 60 * MODEL_HZ)
        return self._quiet >= self.look + len(samples) + HOLD_S * MODEL_HZ
