"""When the source's own excitation carries a voice, and whose voice the source has."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from autovoice.engine.chunks import curve_at
from autovoice.types import Curve, FloatArray, Pitch, Speaker

if TYPE_CHECKING:
    from autovoice.voices import Encoders

LISTEN_HZ = 16_000
MODEL_HZ = 24_000
# Of the time in which somebody is heard, the least share that has to be sung for the source's own
# excitation to carry the voice.
ACTIVE, LEAST_SUNG = 0.5, 0.3
# So much of the singing tells whose voice it is.
LISTENING_S = 30.0


@dataclass(frozen=True)
class Carry:
    """Bring the converted vocal's colour onto the source, both ``[T]`` at 24 kHz, of any length.

    Args:
        device: where to filter.
    """

    device: str

    def __call__(
        self,
        source: FloatArray,
        converted: FloatArray,
        pitch: Pitch,
        nearness: float,
        out: FloatArray,
        *,
        own: FloatArray | None = None,
    ) -> None:
        """Write to ``out``.

        Args:
            source, converted: both vocals.
            pitch: of both.
            nearness: cosine of the two voices' embeddings.
            out: ``[T]``.
            own: ``[T]``, the source decoded in its own voice. Default: it was not.
        """
        from autovoice.analyse.loudness import level_gain
        from autovoice.vocode.differential import DifferentialOptions, carry_excitation

        carry_excitation(
            source,
            converted,
            pitch,
            own=own,
            gain=level_gain(source, MODEL_HZ),
            device=self.device,
            options=DifferentialOptions.between(nearness),
            out=out,
        )


@dataclass(frozen=True, eq=False)
class Vocal:
    """A source vocal as the networks hear it, and what was found in it.

    Args:
        ticks: its length, rounded up.
        at_16k, at_24k: mono samples, filled up with silence to whole ticks.
        pitch, energy, activity: curves over all of it.
        gain: what brings it to the voice model's level. Default: whoever needs it measures it.
    """

    ticks: int
    at_16k: FloatArray
    at_24k: FloatArray
    pitch: Pitch
    energy: Curve
    activity: Curve
    gain: float | None = None

    @cached_property
    def sung(self) -> Pitch:
        """The pitch where somebody is heard: what is muted anyway asks for no octave."""
        frames = len(self.pitch.f0_hz)
        if not len(self.activity.values):
            return replace(self.pitch, f0_hz=np.zeros(frames, np.float32))
        at_s = self.pitch.offset_s + np.arange(frames) * self.pitch.hop_s
        place = (at_s - self.activity.offset_s) / self.activity.hop_s
        heard = np.interp(place, np.arange(len(self.activity.values)), self.activity.values)
        return replace(self.pitch, f0_hz=np.where(heard >= 0.5, self.pitch.f0_hz, np.float32(0)))

    @property
    def is_sung(self) -> bool:
        """Whether enough of it has a pitch: a whisper has no voice that a filter could change."""
        active_s = (self.activity.values > ACTIVE).sum() * self.activity.hop_s
        sung_s = (self.sung.f0_hz > 0).sum() * self.pitch.hop_s
        return bool(sung_s) and bool(sung_s >= LEAST_SUNG * active_s)

    def heard(self, sample_rate_hz: int) -> FloatArray:
        """Return the first 30 s in which somebody is heard, without the pauses, at 16 or 24 kHz."""
        samples = self.at_16k if sample_rate_hz == LISTEN_HZ else self.at_24k
        places = np.flatnonzero(self.activity.values > ACTIVE)
        most = round(LISTENING_S / self.activity.hop_s)
        end = 0 if not len(places) else int(places[:most][-1] + 1)
        cut = samples[: round(end * self.activity.hop_s * sample_rate_hz)]
        found: FloatArray = cut[curve_at(self.activity, len(cut), sample_rate_hz) > ACTIVE]
        return found


@dataclass(frozen=True, eq=False)
class Carrier:
    """Who sings a vocal that is to carry another voice.

    Args:
        nearness: cosine of the singer's and the wanted voice's embeddings, 0 if too little is
            heard.
        own: the singer's voice, in which the vocal is decoded too; None where that brings nothing.
    """

    nearness: float
    own: Speaker | None


def carrier_of(vocal: Vocal, speaker: Speaker, encoders: Encoders, *, own_pass: bool) -> Carrier:
    """Listen to who sings a vocal.

    Only near voices need it, such as somebody's own. A trained voice is compared with the recording
    itself: it is decoded by other weights than the singer's own voice would be, so the errors of
    the two would not be the same.

    Args:
        vocal: with enough sung in it.
        speaker: the wanted voice.
        encoders: what listens.
        own_pass: whether the vocal may be decoded in its own voice.
    """
    from autovoice.vocode.differential import own_share_for

    at_16k = vocal.heard(LISTEN_HZ)
    if len(at_16k) < LISTEN_HZ:
        return Carrier(0.0, None)
    embedding = encoders.embedding(at_16k, LISTEN_HZ)
    nearness = float(embedding @ speaker.embedding)
    if not own_pass or not own_share_for(nearness) or speaker.adapter:
        return Carrier(nearness, None)
    style = encoders.style(vocal.heard(MODEL_HZ), embedding)
    return Carrier(nearness, Speaker(style, embedding, 0.0, 0.0, 0.0))
