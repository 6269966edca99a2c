"""Several devices: an engine on each, songs spread over them by what each has to do."""

from __future__ import annotations

import contextlib
import threading
import weakref
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from autovoice.engine import devices
from autovoice.engine.engine import Engine
from autovoice.engine.live.session import LiveSession
from autovoice.engine.load import Song, rough_seconds
from autovoice.engine.results import Conversion, Performance, Speech
from autovoice.engine.talk import Talk, Text
from autovoice.errors import InputError
from autovoice.types import Audio
from autovoice.voices import Voice, VoiceStore

Asked = str | Path | Voice | Audio
Kept = TypeVar("Kept", LiveSession, Talk)
# What a call is taken for whose length is not known.
USUAL_S, USUAL_SONG_S = 10.0, 60.0


class EnginePool:
    """Convert and speak on several devices, through the interface of one ``Engine``.

    A call goes to the device with the least sound in work, as far as lengths are known
    beforehand; it stays there.

    Args:
        device_names: one engine for each, such as ``["cuda:0", "cuda:1"]``. Default: every GPU
            that works, else the CPU.
        make: makes an engine for a device. Default: ``Engine`` with ``options``.
        options: of each engine, see ``Engine``; a cap counts for each device.

    Raises:
        InputError: no device, or one named twice.
        ResourceError: a device cannot be used.
    """

    def __init__(
        self,
        device_names: Sequence[str] | None = None,
        *,
        make: Callable[..., Engine] = Engine,
        **options: Any,
    ) -> None:
        names = _all_devices() if device_names is None else list(device_names)
        if not names or len(set(names)) < len(names):
            raise InputError(f"devices: found {names}, expected one or more, each once")
        self.engines = [make(name, **options) for name in names]
        self._load_s = [0.0] * len(names)
        self._lock = threading.Lock()

    @property
    def devices(self) -> list[str]:
        """Where the engines run now."""
        return [engine.device for engine in self.engines]

    @property
    def device(self) -> str:
        """All devices as one word for people."""
        return ", ".join(self.devices)

    @property
    def batch_sizes(self) -> dict[int, int]:
        """How many passes, of all engines, had each number of pieces, so far."""
        sizes: Counter[int] = Counter()
        for engine in self.engines:
            sizes.update(engine.batch_sizes)
        return dict(sizes)

    @property
    def store(self) -> VoiceStore:
        """The stored voices, which all engines share."""
        return self.engines[0].store

    def load_s(self) -> list[float]:
        """Return the seconds of sound that each engine has in work."""
        with self._lock:
            return list(self._load_s)

    @contextlib.contextmanager
    def engine(self, seconds: float = USUAL_S) -> Iterator[Engine]:
        """Have the engine with the least to do, and count ``seconds`` on it meanwhile."""
        index = self._take(seconds)
        try:
            yield self.engines[index]
        finally:
            self._give(index, seconds)

    def voice(self, voice: Asked) -> Voice:
        """Find a voice; see ``Engine.voice``."""
        if isinstance(voice, Voice):
            return voice
        with self.engine() as engine:
            return engine.voice(voice)

    def warm_up(self, seconds: Sequence[float] = (1.0,), **options: Any) -> dict[str, float]:
        """Let every engine convert tones before the first caller comes; see ``Engine.warm_up``.

        Returns:
            Seconds by device, size and length.
        """
        return {
            f"{engine.device}: {shape}": took_s
            for engine in self.engines
            for shape, took_s in engine.warm_up(seconds, **options).items()
        }

    def convert(self, song: Song, voice: Asked, **options: Any) -> Conversion:
        """Sing a song in another voice; see ``Engine.convert``."""
        with self.engine(rough_seconds(song) or USUAL_S) as engine:
            return engine.convert(song, voice, **options)

    def sing(self, score: str | Path, voice: Asked, **options: Any) -> Performance:
        """Sing a score in a voice; see ``Engine.sing``."""
        with self.engine(USUAL_SONG_S) as engine:
            return engine.sing(score, voice, **options)

    def speak(self, text: Text, voice: Asked, **options: Any) -> Speech:
        """Say a text in a voice; see ``Engine.speak``."""
        with self.engine() as engine:
            return engine.speak(text, voice, **options)

    def session(self, voice: Asked, **options: Any) -> LiveSession:
        """Open a live session; see ``Engine.session``.

        It counts on its engine until it is let go of.
        """
        return self._kept(lambda engine: engine.session(voice, **options))

    def speak_stream(self, text: Text, voice: Asked, **options: Any) -> Talk:
        """Say a text sentence by sentence; see ``Engine.speak_stream``.

        The text counts on its engine until the ``Talk`` is let go of.
        """
        return self._kept(lambda engine: engine.speak_stream(text, voice, **options))

    def _kept(self, begin: Callable[[Engine], Kept]) -> Kept:
        """Begin something that works later, and count it on its engine as long as it is there."""
        index = self._take(USUAL_S)
        try:
            made = begin(self.engines[index])
        except BaseException:
            self._give(index, USUAL_S)
            raise
        weakref.finalize(made, self._give, index, USUAL_S)
        return made

    def _take(self, seconds: float) -> int:
        with self._lock:
            index = min(range(len(self._load_s)), key=self._load_s.__getitem__)
            self._load_s[index] += seconds
            return index

    def _give(self, index: int, seconds: float) -> None:
        with self._lock:
            self._load_s[index] -= seconds


def _all_devices() -> list[str]:
    return [f"cuda:{index}" for index in devices.working_gpus()] or ["cpu"]
