"""A live session: sound in, as much sound out, a fixed time later."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np

from autovoice.engine.live.converter import LiveConverter, Turn
from autovoice.engine.live.host import HOST
from autovoice.engine.live.options import MODEL_HZ, LiveOptions, live_options_from
from autovoice.engine.live.stats import LiveStats, Meter
from autovoice.engine.stages import Stages
from autovoice.engine.warming import settle
from autovoice.errors import InputError
from autovoice.io.streaming import StreamResampler
from autovoice.types import Audio, FloatArray

if TYPE_CHECKING:
    from autovoice.voices import Voice

log = logging.getLogger(__name__)
_TONE_HZ = 180.0


class LiveSession:
    """Convert live sound in a voice; made by ``Engine.session``.

    One caller at a time; many sessions share an engine, and each takes its turn.

    Args:
        turn: gives the networks for one window.
        stages: whose builders are used.
        find: finds a voice by what a caller named.
        voice: the first voice.
        options: see ``LiveOptions``.
    """

    def __init__(
        self,
        turn: Turn,
        stages: Stages,
        find: Callable[[Any], Voice],
        voice: Voice,
        options: LiveOptions,
    ) -> None:
        self.options, self.voice = options, voice
        self._find, self._turn, self._stages = find, turn, stages
        self._lock = threading.Lock()
        self._closed = False
        self._meter = Meter()
        rate = options.sample_rate_hz
        self._inward = StreamResampler(rate, MODEL_HZ)
        self._converter = LiveConverter(turn, stages, voice.speaker, options)
        self._outward = StreamResampler(MODEL_HZ, rate, behind=self._converter.look)
        self._owed = _held(self._inward, self._outward, rate)
        self.latency_samples = self._owed + self._outward.late
        self._ready: FloatArray = np.zeros(0, np.float32)
        self.notes: tuple[str, ...] = ()
        self._load = 0.0

    @property
    def stats(self) -> LiveStats:
        """Figures so far."""
        rate = self.options.sample_rate_hz
        whole = self.options.chunk_samples + self.latency_samples
        return self._meter.stats(1000 * whole / rate, self._converter.shift.semitones)

    @property
    def load(self) -> float:
        """What the last chunk took of the networks' time, over how long it lasts."""
        return self._load

    def warm_up(self, streams: int = 1) -> float:
        """Convert a tone that nobody hears, twice; return the seconds of the second, full window.

        It loads what is not loaded yet, and tells whether this machine keeps up.

        Args:
            streams: sessions with these options that may send chunks at once: every size of batch
                up to that is run through on a GPU, which takes seconds. Default 1.
        """
        chunk_s = self.options.chunk_ms / 1000
        count = round(chunk_s * MODEL_HZ)
        probe = LiveConverter(self._turn, self._stages, self.voice.speaker, self.options)
        fill = -(-round(self.options.context_ms * MODEL_HZ / 1000) // count)
        tone = (0.2 * (np.arange(count) * _TONE_HZ / MODEL_HZ % 1.0) - 0.1).astype(np.float32)
        _timed(probe, tone)
        for _ in range(fill):
            probe.hear(tone)
        took_s = min(_timed(probe, tone) for _ in range(2))
        if streams > 1:
            probe.rehearse(count, streams)
            settle()
        if took_s > 0.8 * chunk_s:
            self.warn(took_s)
        return took_s

    def warn(self, took_s: float) -> None:
        """Note that chunks take so many seconds, which is too long."""
        words = (
            f"this machine takes {1000 * took_s:.0f} ms for a chunk of "
            f"{self.options.chunk_ms:g} ms and will not keep up; use longer chunks, a shorter "
            "context_ms, or a GPU"
        )
        self.notes = (words,)
        log.warning("live: %s", words)

    def convert(self, samples: FloatArray) -> FloatArray:
        """Take in sound and return as much, ``latency_samples`` late.

        Any number of samples will do, but each call costs a whole window: give chunks of
        ``options.chunk_samples``. Longer ones are cut.

        Args:
            samples: ``[T]`` or ``[C, T]`` in [-1, 1]; channels are averaged, NaN counts as silence.

        Shape: ``[T]`` -> ``[T]``, ``[C, T]`` -> ``[1, T]``; finite, in [-1, 1].

        Raises:
            InputError: wrong shape, or the session is closed.
        """
        mono = _mono(samples)
        with self._lock:
            if self._closed:
                raise InputError("live: this session is closed; open another one")
            size = self.options.chunk_samples
            parts = [self._chunk(mono[at : at + size]) for at in range(0, len(mono), size)]
        out = np.concatenate(parts) if len(parts) > 1 else parts[0] if parts else mono
        return out if np.ndim(samples) == 1 else out[None]

    def convert_all(self, samples: FloatArray) -> FloatArray:
        """Send a whole recording through, chunk by chunk; return it as long and in time.

        Shape: ``[T]`` -> ``[T]``.
        """
        size = self.options.chunk_samples
        parts = [self.convert(samples[at : at + size]) for at in range(0, len(samples), size)]
        return np.concatenate([*parts, self.flush()])[self.latency_samples :]

    def flush(self) -> FloatArray:
        """Return the last ``latency_samples``, those of what was given last; ``[T]``."""
        return self.convert(np.zeros(self.latency_samples, np.float32))

    def change_voice(self, voice: str | Path | Voice | Audio) -> None:
        """Sing on in another voice from the next chunk on, cross-faded.

        Raises:
            VoiceError: there is no such voice; the old one sings on.
        """
        found = self._find(voice)
        with self._lock:
            self.voice = found
            self._converter.change_voice(found.speaker)

    def close(self) -> None:
        """End the session; what it remembers is let go."""
        with self._lock:
            self._closed = True
            self._ready = np.zeros(0, np.float32)

    def __enter__(self) -> LiveSession:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _chunk(self, samples: FloatArray) -> FloatArray:
        begun = time.perf_counter()
        with HOST:
            heard = self._inward.feed(samples)
            made, silent = heard, True
            if len(heard):
                made, silent = self._converter.convert(heard)
            out = self._taken(len(samples), self._outward.feed(_bounded(made)))
        sound_s = len(samples) / self.options.sample_rate_hz
        self._load = self._converter.busy_s / sound_s if len(heard) else 0.0
        self._meter.add(time.perf_counter() - begun, sound_s, silent=silent)
        return out

    def _taken(self, count: int, made: FloatArray) -> FloatArray:
        """Return the next ``count`` samples: first the silence that is owed, then what is made.

        Args:
            count: of samples.
            made: ``[n]``, what is added to what is ready.
        """
        owed = min(self._owed, count)
        self._owed -= owed
        silence: FloatArray = np.zeros(owed, np.float32)
        whole = np.concatenate([silence, self._ready, made])
        self._ready = whole[count:].copy()
        return whole[:count].clip(-1.0, 1.0)


def open_session(
    turn: Turn, stages: Stages, find: Callable[[Any], Voice], voice: Any, options: dict[str, Any]
) -> LiveSession:
    """Return a session that is ready for its first chunk; see ``Engine.session``."""
    warm = int(options.pop("warm_up", True))
    wanted = live_options_from(options)
    session = LiveSession(turn, stages, find, find(voice), wanted)
    if warm:
        session.warm_up(warm)
    return session


def _held(inward: StreamResampler, outward: StreamResampler, rate_hz: int) -> int:
    """Return the most samples that the resamplers hold back, whatever the chunks are.

    Both counts go by whole fractions, so one period of the two rates tells all.
    """
    period = rate_hz // int(np.gcd(rate_hz, MODEL_HZ))
    taken = range(1, period + 2 * inward.reach + 2 * outward.reach * period + 2)
    most = min(len(taken), 4 * rate_hz)
    return max(count - outward.ready(inward.ready(count)) for count in taken[:most])


def _mono(samples: FloatArray) -> FloatArray:
    found = np.asarray(samples, dtype=np.float32)
    if found.ndim not in {1, 2} or (found.ndim == 2 and not found.shape[0]):
        raise InputError(f"live: found shape {list(found.shape)}, expected [T] or [C, T]")
    clean: FloatArray = found
    # What is not a number is in no range.
    if not (found.min(initial=0.0) >= -1.0 and found.max(initial=0.0) <= 1.0):
        clean = np.nan_to_num(found, posinf=1.0, neginf=-1.0).clip(-1.0, 1.0)
    mono: FloatArray = clean if clean.ndim == 1 else clean.mean(axis=0)
    return mono


def _bounded(samples: FloatArray) -> FloatArray:
    """Bend what is over 0.9 so that it stays under 1."""
    if samples.min(initial=0.0) >= -0.9 and samples.max(initial=0.0) <= 0.9:
        return samples
    size = np.abs(samples)
    over = np.maximum(size - 0.9, 0.0)
    bent = np.sign(samples) * (np.minimum(size, 0.9) + 0.1 * np.tanh(over / 0.1))
    bounded: FloatArray = bent.astype(np.float32)
    return bounded


def _timed(probe: LiveConverter, tone: FloatArray) -> float:
    begun = time.perf_counter()
    with HOST:
        probe.convert(tone)
    return time.perf_counter() - begun
