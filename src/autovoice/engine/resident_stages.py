"""What stands between the networks, as tensors on their device, and where it is built.

On the CPU there is none of it: the stages of ``stages.Builders`` do the same there, and do it for
songs of any length.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from autovoice.types import Audio, Curve, FloatArray, Pitch, Speaker, Stems


class Mixed(Protocol):
    """A finished mix, and the new vocal alone as it stands in it."""

    @property
    def mix(self) -> Audio:
        """The mix, shaped like the song."""

    @property
    def vocal(self) -> Audio:
        """The vocal, shaped like the song."""


class Mixer(Protocol):
    """Put the new vocal where the old one was."""

    def fits(self, converted: Audio, stems: Stems) -> bool:
        """Tell whether it can be mixed so."""

    def mixdown(self, converted: Audio, stems: Stems) -> Mixed:
        """Return the mix and the vocal alone."""


class Heard(Protocol):
    """What was found in a vocal."""

    @property
    def at_16k(self) -> FloatArray:
        """``[1600 N]``, mono, of ``N`` ticks of 100 ms."""

    @property
    def at_24k(self) -> FloatArray:
        """``[2400 N]``, mono."""

    @property
    def pitch(self) -> Pitch:
        """The melody."""

    @property
    def energy(self) -> Curve:
        """The decoder's energy."""

    @property
    def activity(self) -> Curve:
        """Where somebody is heard."""

    @property
    def gain(self) -> float:
        """What brings it to the level at which the voice model hears."""


class Hearing(Protocol):
    """Find melody, loudness and activity of a vocal."""

    def fits(self, vocals: Audio) -> bool:
        """Tell whether it can be heard so."""

    def hear(self, vocals: Audio, ticks: int) -> Heard:
        """Hear a vocal of so many ticks, rounded up."""


class Carry(Protocol):
    """Bring the converted vocal's colour onto the source, both ``[T]`` at 24 kHz."""

    def fits(self, source: FloatArray) -> bool:
        """Tell whether it can be done so."""

    def carry(
        self,
        source: FloatArray,
        converted: FloatArray,
        pitch: Pitch,
        gain: float,
        nearness: float,
        *,
        own: FloatArray | None = None,
    ) -> FloatArray:
        """Return ``[T]``; ``nearness`` is the cosine of the two voices' embeddings.

        ``own`` is the source decoded in its own voice, if it was.
        """


class Singer(Protocol):
    """Sing a piece in another voice, from the vocal to the sound."""

    def fits(self, at_16k: FloatArray) -> bool:
        """Tell whether it can be done so."""

    def sing(
        self,
        at_16k: FloatArray,
        curves: tuple[Pitch, Curve],
        activity: FloatArray,
        speaker: Speaker,
        *,
        semitones: float,
        seed: int,
    ) -> FloatArray:
        """Return samples at 24 kHz, as many as ``activity`` has factors for them."""


class LiveSinger(Protocol):
    """Sing windows of live sessions, those of many in one pass."""

    def open(self) -> Any:
        """Return what is kept of a session, which ``sing`` takes with each of its windows."""

    def sing(self, window: Any, plan: Any) -> Any:
        """Sing a window; see ``resident_live``."""

    def rehearse(self, window: Any, plan: Any, most: int) -> None:
        """Sing a window in every size of batch up to ``most``, that nobody hears."""


def _hearing(device: str) -> Hearing:
    from autovoice.analyse.resident import Hearing as SwiftHearing

    return SwiftHearing(device=device)


def _carry(device: str) -> Carry:
    from autovoice.vocode.resident_carry import ResidentCarry

    return ResidentCarry(device=device)


def _mixer(device: str) -> Mixer:
    from autovoice.mix.resident import ResidentMixer

    return ResidentMixer(device=device)


def _singer(encoder: Any, converter: Any, vocoder: Any) -> Singer | None:
    from autovoice.engine.resident_piece import singer_of

    return singer_of(encoder, converter, vocoder)


def _live(device: str, encoder: Any, converter: Any, vocoder: Any) -> LiveSinger | None:
    from autovoice.analyse.resident import Hearing as SwiftHearing
    from autovoice.engine.resident_live import live_singer_of

    return live_singer_of(SwiftHearing(device=device), encoder, converter, vocoder)


@dataclass(frozen=True)
class ResidentBuilders:
    """How each is made from a device; None where the plain stages do it.

    Args:
        singer, live: are made of the encoder of words, the converter and the vocoder.
        everywhere: on the CPU too, for tests and measurements. Default: elsewhere only.
    """

    hearing: Callable[[str], Hearing | None] = _hearing
    singer: Callable[[Any, Any, Any], Singer | None] = _singer
    carry: Callable[[str], Carry | None] = _carry
    mixer: Callable[[str], Mixer | None] = _mixer
    live: Callable[[str, Any, Any, Any], LiveSinger | None] = _live
    everywhere: bool = False


@dataclass(frozen=True)
class Resident:
    """What there is on a device, each built when it is first used.

    Args:
        builders: how each is made.
        device: where.
        built: keeps what was built, by name.
        networks: the encoder of words, the converter and the vocoder.
    """

    builders: ResidentBuilders
    device: str
    built: Callable[..., Any]
    networks: Callable[[], tuple[Any, Any, Any]]

    @property
    def hearing(self) -> Hearing | None:
        """What hears a vocal."""
        hearing: Hearing | None = self._one("hearing", self.builders.hearing)
        return hearing

    @property
    def singer(self) -> Singer | None:
        """What sings a piece."""
        singer: Singer | None = self._one(
            "singer", lambda _: self.builders.singer(*self.networks()), retried=True
        )
        return singer

    @property
    def carry(self) -> Carry | None:
        """What carries the excitation."""
        carry: Carry | None = self._one("carry", self.builders.carry)
        return carry

    @property
    def mixer(self) -> Mixer | None:
        """What mixes."""
        mixer: Mixer | None = self._one("mixer", self.builders.mixer)
        return mixer

    @property
    def live(self) -> LiveSinger | None:
        """What sings windows of live sessions."""
        live: LiveSinger | None = self._one(
            "live", lambda device: self.builders.live(device, *self.networks()), retried=True
        )
        return live

    def _one(self, name: str, build: Callable[[str], Any], *, retried: bool = False) -> Any:
        if self.device == "cpu" and not self.builders.everywhere:
            return None
        return self.built(f"resident {name}", build, retried=retried)
