"""The judges of a card: networks that are loaded once, and what they found out before."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from autovoice.engine.machine import usable_cores
from autovoice.eval.cache import Cache
from autovoice.eval.harvest import harvest
from autovoice.eval.pitch import Curve, Tracker
from autovoice.eval.similarity import VoiceEncoder, embedding
from autovoice.eval.words import VERSION as WORDS_VERSION
from autovoice.eval.words import Transcriber, Transcript
from autovoice.eval.world import world
from autovoice.types import Audio, FloatArray

if TYPE_CHECKING:
    from autovoice.eval.dnsmos import DnsMosScore

Built = TypeVar("Built")
# How many judges work at a time.
LANES = 2
# What is kept is made anew when its judge changes.
F0_VERSION = "harvest-1"
EMBEDDING_VERSION = "resemblyzer-2"
DISTILLMOS_VERSION = "distillmos-1"
DNSMOS_VERSION = "dnsmos-1"


class Opinion(Protocol):
    """Predicts how natural a recording sounds."""

    def score(self, audio: Audio) -> Any:
        """Return the score."""


@dataclass(frozen=True, eq=False)
class Sound:
    """What is judged of a recording.

    Args:
        audio: the part.
        key: its content hash where findings are worth keeping: sources and references come
            again, outputs do not.
    """

    audio: Audio
    key: str | None = None


def _encoder(device: str, _threads: int) -> VoiceEncoder:
    from autovoice.eval.resemblyzer import Resemblyzer

    return Resemblyzer(device)


def _transcriber(_device: str, threads: int) -> Transcriber:
    # On the processor whatever the device: the same words on every machine, and CTranslate2
    # brings no CUDA of its own that would fit PyTorch's.
    return Transcriber(threads=max(1, threads // LANES))


def _distillmos(device: str, _threads: int) -> Opinion:
    from autovoice.eval.distillmos import DistillMos

    return DistillMos(device)


def _dnsmos(_device: str, threads: int) -> Opinion:
    from autovoice.eval.dnsmos import DnsMos

    return DnsMos(max(1, threads // LANES))


def _tracker(_device: str, threads: int) -> Tracker:
    world()  # here, under the lock of the judges: its threads would load it twice
    # All of them: its threads never wait for one another, so they fill what others leave idle.
    return partial(harvest, threads=threads)


@dataclass(frozen=True)
class Builders:
    """How each judge is made, of a device and a number of threads."""

    encoder: Callable[[str, int], VoiceEncoder] = _encoder
    transcriber: Callable[[str, int], Transcriber] = _transcriber
    distillmos: Callable[[str, int], Opinion] = _distillmos
    dnsmos: Callable[[str, int], Opinion] = _dnsmos
    tracker: Callable[[str, int], Tracker] = _tracker


class Judges:
    """Judge recordings; each network is loaded when it is first asked, and stays.

    Args:
        device: ``cpu``, ``cuda`` or ``cuda:N``, for the speaker encoder and DistillMOS.
        threads: of the others together, two of which work at a time; 0 for as many as cores.
        cache: where findings are kept; None for nowhere.
        builders: how the networks are made. Default: the project's own.
    """

    def __init__(
        self, device: str, threads: int, cache: Cache | None, builders: Builders | None = None
    ) -> None:
        self.device, self.cache = device, cache
        self.threads = threads or usable_cores()
        self.builders = builders or Builders()
        self._built: dict[str, Any] = {}
        self._lock = threading.Lock()

    def f0_hz(self, sound: Sound) -> Curve:
        """Track the melody, ``[F]`` every 10 ms, 0 where unvoiced."""
        audio = sound.audio

        def track() -> Curve:
            tracker = self._network("tracker", self.builders.tracker)
            return tracker([(audio.mono(), audio.sample_rate_hz)])[0]

        return self._known(sound, "f0", F0_VERSION, track)

    def embedding(self, sound: Sound) -> FloatArray | None:
        """Embed the voice, ``[256]``; None in silence."""
        return self._known(
            sound,
            "speaker",
            self._on_device(EMBEDDING_VERSION),
            lambda: embedding(sound.audio, self._network("encoder", self.builders.encoder)),
        )

    def transcripts(self, sound: Sound, language: str | None) -> tuple[Transcript, Transcript]:
        """Write the words down with a beam and greedily."""

        def write() -> list[dict[str, str]]:
            listener = self._network("transcriber", self.builders.transcriber)
            return [asdict(each) for each in listener.transcribe_each(sound.audio, language)]

        version = f"{WORDS_VERSION} {language or 'detected'}"
        beam, greedy = self._known(sound, "words", version, write)
        return Transcript(**beam), Transcript(**greedy)

    def distillmos(self, sound: Sound) -> float:
        """Predict the opinion score."""

        def score() -> float:
            judge = self._network("distillmos", self.builders.distillmos)
            return float(judge.score(sound.audio))

        return self._known(sound, "distillmos", self._on_device(DISTILLMOS_VERSION), score)

    def dnsmos(self, sound: Sound) -> tuple[float, float, float]:
        """Predict overall quality, quality of the voice and quality of the background."""

        def score() -> list[float]:
            found: DnsMosScore = self._network("dnsmos", self.builders.dnsmos).score(sound.audio)
            return [float(found.ovrl), float(found.sig), float(found.bak)]

        ovrl, sig, bak = self._known(sound, "dnsmos", DNSMOS_VERSION, score)
        return ovrl, sig, bak

    def load(self, *, words: bool, naturalness: bool) -> None:
        """Load the networks now.

        Raises:
            WeightsError: weights cannot be had.
            AutoVoiceError: the ``eval`` extra is not installed.
        """
        self._network("encoder", self.builders.encoder)
        if words:
            self._network("transcriber", self.builders.transcriber)
        if naturalness:
            self._network("distillmos", self.builders.distillmos)
            self._network("dnsmos", self.builders.dnsmos)

    def _on_device(self, version: str) -> str:
        """Keep apart what kinds of device found: their sums differ in the last digits."""
        return f"{version} {self.device.partition(':')[0]}"

    def _known(self, sound: Sound, metric: str, version: str, make: Callable[[], Built]) -> Built:
        if self.cache is None or sound.key is None:
            return make()
        return self.cache.value(sound.key, metric, version, make)

    def _network(self, name: str, build: Callable[[str, int], Built]) -> Built:
        with self._lock:
            if name not in self._built:
                self._built[name] = build(self.device, self.threads)
            network: Built = self._built[name]
            return network
