"""The stages as the pipeline sees them, and where each is built.

This is the only place that names the implementations, with ``sung_stages`` and ``carrying`` beside
it: to replace a stage, change one line of ``Builders``. Nothing is built before it is used.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from autovoice.engine import devices, memory
from autovoice.engine.carrying import Carry
from autovoice.engine.live_stages import LiveBuilders
from autovoice.engine.resident_stages import Mixed, Resident, ResidentBuilders
from autovoice.engine.sung_stages import SungBuilders
from autovoice.types import (
    Analysis,
    Audio,
    Content,
    Curve,
    FloatArray,
    Pitch,
    RangeFit,
    Speaker,
    Stems,
)

if TYPE_CHECKING:
    from autovoice.nn.stage import NetworkStage, Scheduler
    from autovoice.speak.utterance import Utterance
    from autovoice.voices import Encoders

log = logging.getLogger(__name__)


class Separator(Protocol):
    """Take a mix apart."""

    def separate(self, audio: Audio, *, progress: Callable[[float], None] | None = None) -> Stems:
        """Return vocals and backing of ``audio``."""


class PitchTracker(Protocol):
    """Follow the melody."""

    def track(self, samples: FloatArray) -> Pitch:
        """Return the pitch of ``samples: [T]`` at 16 kHz."""


class ContentEncoder(Protocol):
    """Hear the words."""

    def encode(self, samples: FloatArray) -> Content:
        """Return the words of ``samples: [T]`` at 16 kHz."""


class Converter(Protocol):
    """Say the same in another voice."""

    def convert(self, analysis: Analysis, speaker: Speaker, *, semitones: int) -> Any:
        """Return what the vocoder reads."""


class SpeechFront(Protocol):
    """Decide how phonemes are spoken."""

    def features(self, utterance: Utterance, speaker: Speaker, *, speed: float) -> Any:
        """Return what the vocoder reads."""


class Vocoder(Protocol):
    """Make sound of features."""

    def synthesise(
        self, features: Any, speaker: Speaker, manner: Any = None, *, seed: int
    ) -> Audio:
        """Return 24 kHz mono audio; every random number comes from ``seed``.

        Of ``manner`` the decoder takes its statistics, if given.
        """


class TextFront(Protocol):
    """Read text: sentences and their phonemes, one after another, never all at once."""

    def __call__(
        self,
        text: str | Iterable[str],
        *,
        language: str,
        lexicon: Mapping[str, str] | None,
        ssml: bool | None,
    ) -> Iterator[Utterance]:
        """Yield what is to be said."""


def _spleeter(device: str) -> Separator:
    from autovoice.separate.spleeter import Spleeter

    return Spleeter(device=device)


def _identity(_device: str) -> Separator:
    from autovoice.separate.identity import Identity

    return Identity()


def _pitch(device: str) -> PitchTracker:
    from autovoice.analyse.pitch import SwiftF0Tracker

    return SwiftF0Tracker(device=device)


def _content(device: str) -> ContentEncoder:
    from autovoice.analyse.content import ContentEncoder as Whisper

    return Whisper(device=device)


def _converter(device: str) -> Converter:
    from autovoice.convert import Converter as Adapter

    return Adapter(device=device)


def _vocoder(device: str) -> Vocoder:
    from autovoice.vocode import Vocoder as Decoder

    return Decoder(device=device)


def _energy(samples: FloatArray) -> Curve:
    from autovoice.analyse.loudness import at_level, decoder_energy, level_gain

    return at_level(decoder_energy(samples), level_gain(samples, 24_000))


def _activity(samples: FloatArray, sample_rate_hz: int, pitch: Pitch) -> Curve:
    from autovoice.analyse.activity import activity

    return activity(samples, sample_rate_hz, pitch)


def _fit(pitch: Pitch, speaker: Speaker) -> int:
    from autovoice.convert.fit import semitones_auto

    return semitones_auto(pitch, speaker)


def _compare(pitch: Pitch, speaker: Speaker, semitones: int) -> RangeFit:
    from autovoice.convert.range_fit import range_fit

    return range_fit(pitch, speaker, semitones)


def _mix(converted: Audio, stems: Stems, device: str) -> Mixed:
    from autovoice.mix import mixdown

    return mixdown(converted, stems, device=device)


def _speech(device: str) -> SpeechFront:
    from autovoice.speak.acoustic import AcousticFront

    return AcousticFront(device=device)


def _speech_vocoder(device: str) -> Vocoder:
    from autovoice.vocode.speech import speech_vocoder

    return speech_vocoder(device)


def _text(
    text: str | Iterable[str],
    *,
    language: str,
    lexicon: Mapping[str, str] | None,
    ssml: bool | None,
) -> Iterator[Utterance]:
    from autovoice.speak.text import utterances

    return utterances(text, language=language, lexicon=lexicon, ssml=ssml)


def _join(samples: FloatArray, sample_rate_hz: int, pause_s: float) -> FloatArray:
    from autovoice.speak.joins import joinable

    return joinable(samples, sample_rate_hz, pause_s)


def _limit(samples: FloatArray, sample_rate_hz: int) -> FloatArray:
    from autovoice.mix.limiter import limit

    return limit(samples, sample_rate_hz)


def _encoders(device: str) -> Encoders:
    from autovoice.voices import encoders_on

    return encoders_on(device)


@dataclass(frozen=True)
class Builders:
    """How each stage is made: networks from a device, the rest are plain functions."""

    separator: Callable[[str], Separator] = _spleeter
    identity: Callable[[str], Separator] = _identity
    pitch: Callable[[str], PitchTracker] = _pitch
    content: Callable[[str], ContentEncoder] = _content
    converter: Callable[[str], Converter] = _converter
    vocoder: Callable[[str], Vocoder] = _vocoder
    carry: Callable[[str], Carry] = Carry
    encoders: Callable[[str], Encoders] = _encoders
    energy: Callable[[FloatArray], Curve] = _energy
    activity: Callable[[FloatArray, int, Pitch], Curve] = _activity
    fit: Callable[[Pitch, Speaker], int] = _fit
    compare: Callable[[Pitch, Speaker, int], RangeFit] = _compare
    mix: Callable[[Audio, Stems, str], Mixed] = _mix
    text: TextFront = _text
    speech: Callable[[str], SpeechFront] = _speech
    speech_vocoder: Callable[[str], Vocoder] = _speech_vocoder
    join: Callable[[FloatArray, int, float], FloatArray] = _join
    limit: Callable[[FloatArray, int], FloatArray] = _limit
    sung: SungBuilders = field(default_factory=SungBuilders)
    live: LiveBuilders = field(default_factory=LiveBuilders)
    resident: ResidentBuilders = field(default_factory=ResidentBuilders)


def _unlimited() -> None:
    return None


@dataclass
class Stages:
    """Stages on a device, each built when it is first used and kept for the next call.

    Args:
        device: ``cpu`` or ``cuda:N``.
        builders: how each is made. Default: the project's own.
        mixed_precision: run networks in half precision, where a call does not say so itself.
        scheduler: decides when networks run. Default: at once, in the caller's thread.
        pass_bytes: asked when a stage is built: memory that a pass of it may take. Default: any.

    Calls from several threads are safe.
    """

    device: str
    builders: Builders = field(default_factory=Builders)
    mixed_precision: bool = False
    scheduler: Scheduler | None = None
    pass_bytes: Callable[[], int | None] = _unlimited
    _built: dict[str, Any] = field(default_factory=dict, init=False, repr=False)
    _lock: threading.RLock = field(default_factory=threading.RLock, init=False, repr=False)

    @property
    def separator(self) -> Separator:
        """The stage that takes the mix apart."""
        separator: Separator = self._get("separator", self.builders.separator)
        return separator

    @property
    def identity(self) -> Separator:
        """The stage that leaves an a cappella recording as it is."""
        identity: Separator = self._get("identity", self.builders.identity)
        return identity

    @property
    def pitch(self) -> PitchTracker:
        """The stage that follows the melody."""
        pitch: PitchTracker = self._get("pitch", self.builders.pitch)
        return pitch

    @property
    def content(self) -> ContentEncoder:
        """The stage that hears the words."""
        content: ContentEncoder = self._get("content", self.builders.content, retried=True)
        return content

    @property
    def converter(self) -> Converter:
        """The stage that changes the voice."""
        converter: Converter = self._get("converter", self.builders.converter, retried=True)
        return converter

    @property
    def vocoder(self) -> Vocoder:
        """The stage that makes sound."""
        vocoder: Vocoder = self._get("vocoder", self.builders.vocoder, retried=True)
        return vocoder

    @property
    def speech(self) -> SpeechFront:
        """The stage that decides how phonemes are spoken."""
        speech: SpeechFront = self._get("speech", self.builders.speech, retried=True)
        return speech

    @property
    def speech_vocoder(self) -> Vocoder:
        """The stage that makes sound of speech."""
        vocoder: Vocoder = self._get("speech_vocoder", self.builders.speech_vocoder, retried=True)
        return vocoder

    @property
    def encoders(self) -> Encoders:
        """What listens to recordings of a voice."""

        def scheduled(device: str) -> Encoders:
            made = self.builders.encoders(device)
            # On a GPU every thread that calls cuBLAS keeps 32 MiB: that of the device alone does.
            if made.schedule is not None and device != "cpu":
                made.schedule(self.scheduler)
            return made

        encoders: Encoders = self._get("encoders", scheduled)
        return encoders

    @property
    def resident(self) -> Resident:
        """What replaces the arithmetic between the networks on a device; nothing on the CPU."""

        def networks() -> tuple[Any, Any, Any]:
            return self.content, self.converter, self.vocoder

        return Resident(self.builders.resident, self.device, self._get, networks)

    def move(self, device: str) -> None:
        """Go on on another device; stages are built again there when they are next used."""
        with self._lock:
            self._built.clear()
            self.device = device

    def _get(self, name: str, build: Callable[[str], Any], *, retried: bool = False) -> Any:
        """Return a stage.

        The pipeline itself tries ``retried`` stages again with shorter pieces when memory runs
        out, so their own fall-back to the CPU is off.
        """
        if name in self._built:
            return self._built[name]
        from autovoice.nn.stage import NetworkStage, own_chance

        with self._lock, own_chance():
            if name in self._built:
                return self._built[name]
            log.debug("building %s on %s", name, self.device)
            stage = build(self.device)
            # What building took and does not need any more is not to be kept from everybody.
            devices.release(self.device)
            if isinstance(stage, NetworkStage):
                stage.mixed_precision = self.mixed_precision
                stage.cpu_fallback = not retried
                stage.scheduler = self.scheduler
                self._limit(stage)
            self._built[name] = stage
            return stage

    def _limit(self, stage: NetworkStage) -> None:
        name, most = type(stage).__name__, self.pass_bytes()
        if most is not None and name in memory.NEEDS:
            stage.limit_pass(memory.seconds_in(name, most, memory.needs_on(self.device)))
