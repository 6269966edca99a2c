"""Live sessions on the project's own engine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from autovoice.server.live.capacity import Capacity
from autovoice.server.settings import Settings
from autovoice.server.voicebank import VoiceBank
from autovoice.types import FloatArray

if TYPE_CHECKING:
    from autovoice.engine import Engine, LiveSession

# What is converted before the first session, to load the models and to measure.
PROBE_VOICE = "kumo"


class EngineMaker:
    """Sessions on one engine, admitted by what a chunk was measured to take.

    Args:
        settings: of the service.
        device: where it runs.
        engine: to use; by default one is made on ``load``.
    """

    def __init__(self, settings: Settings, device: str, engine: Engine | None = None) -> None:
        self._settings, self._device, self._given = settings, device, engine
        self._voices = VoiceBank.of(settings)
        self._capacity = Capacity(settings.max_streams)
        self._chunk_s = 0.0

    def load(self) -> None:
        """Fetch missing weights, load the models, and measure a chunk."""
        if self._given is None:
            from autovoice import weights
            from autovoice.engine import Engine

            needed = weights.needed_by("convert")
            weights.pull([name for name in needed if weights.status(name).state != "ready"])
            self._given = Engine(self._device, self._settings.vram_bytes)
        with self._given.session(PROBE_VOICE, warm_up=False) as probe:
            self._chunk_s = probe.warm_up()

    def batch_sizes(self) -> Mapping[int, int]:
        """Return those of the engine."""
        return {} if self._given is None else self._given.batch_sizes

    def open(
        self, voice: str, owner: str, sample_rate_hz: int, chunk_ms: float,
        options: Mapping[str, Any],
    ) -> EngineSession:  # fmt: skip
        """Begin; see ``LiveMaker.open``."""
        if self._given is None:
            raise RuntimeError("load() comes before open()")
        found = self._voices.find(voice, owner)
        live = self._given.session(
            found, sample_rate_hz=sample_rate_hz, chunk_ms=chunk_ms, warm_up=False, **options
        )
        hosted = EngineSession(live, self._voices, owner, self._capacity)
        load = self._chunk_s / (chunk_ms / 1000)
        self._capacity.admit(hosted, load)
        if load > 1:
            live.warn(self._chunk_s)
        hosted.notes = live.notes
        return hosted


class EngineSession:
    """One session."""

    def __init__(
        self, live: LiveSession, voices: VoiceBank, owner: str, capacity: Capacity
    ) -> None:
        self._live, self._voices, self._owner, self._capacity = live, voices, owner, capacity
        self.latency_samples = live.latency_samples
        self.notes: tuple[str, ...] = ()

    def convert(self, samples: FloatArray) -> FloatArray:
        """Convert, and learn what it takes."""
        made = self._live.convert(samples)
        self._capacity.measured(self, self._live.load)
        return made

    def change_voice(self, voice: str) -> None:
        """Sing on in another voice."""
        self._live.change_voice(self._voices.find(voice, self._owner))

    def close(self) -> None:
        """Leave."""
        self._capacity.leave(self)
        self._live.close()
