"""Words, converter and decoder of a piece in one pass: what they say to one another stays put."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from autovoice.analyse.content import ContentEncoder
from autovoice.convert import Converter
from autovoice.convert.converter import CONTENT_LAYERS
from autovoice.nn.decoder import SAMPLE_RATE_HZ
from autovoice.nn.stage import NetworkStage
from autovoice.nn.transfer import Rows, fetched, uploaded
from autovoice.types import Curve, FloatArray, Pitch, Speaker
from autovoice.vocode import Vocoder
from autovoice.vocode.breath import breath
from autovoice.vocode.high_notes import Reach
from autovoice.vocode.raising import raised_rows
from autovoice.vocode.vocoder import FRAMES_PER_S

LISTEN_HZ = 16_000


@dataclass(frozen=True, eq=False)
class Piece:
    """What one pass reads of a piece.

    Args:
        at_16k: ``[T]``, the vocal.
        f0_hz, energy: ``[2 F]``, as the decoder reads them.
        noise: ``[600 F]``.
        style: ``[128]``.
        activity: ``[S]``, what the samples are multiplied by, S up to 600 F.
        log_hz, lowered: ``[2 F]``, see ``vocode.high_notes.Reach``.
        turns: the most octaves that are lowered.
        adapter: what training added to the voice.
    """

    at_16k: FloatArray
    f0_hz: FloatArray
    energy: FloatArray
    noise: FloatArray
    style: FloatArray
    activity: FloatArray
    log_hz: FloatArray
    lowered: FloatArray
    turns: int
    adapter: Mapping[str, Any]

    @property
    def frames(self) -> int:
        """F, of 25 ms."""
        return len(self.f0_hz) // 2


class PieceSinger(NetworkStage):
    """Sing pieces in another voice, from the vocal to the sound, without a wait between.

    Args:
        encoder, converter, vocoder: the stages whose networks are run, on one device.
    """

    def __init__(self, encoder: ContentEncoder, converter: Converter, vocoder: Vocoder) -> None:
        super().__init__(device=vocoder.device)
        self.encoder, self.converter, self.vocoder = encoder, converter, vocoder
        self.longest_s = encoder.most_samples / LISTEN_HZ

    def limit_pass(self, seconds: float) -> None:
        """Leave what is longer to the plain stages."""
        self.longest_s = min(self.longest_s, seconds)

    def fits(self, at_16k: FloatArray) -> bool:
        """Tell whether a piece goes through in one window of the recogniser."""
        return 0 < len(at_16k) <= self.longest_s * LISTEN_HZ

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
        """Sing a piece.

        Args:
            at_16k: ``[T]``, one that ``fits``.
            curves: its pitch and energy.
            activity: ``[S]``, a factor for each sample at 24 kHz.
            speaker: the voice.
            semitones: shift of the melody.
            seed: of the breath.

        Shape: ``[S]``.
        """
        seconds = len(activity) / SAMPLE_RATE_HZ
        frames = max(1, round(seconds * FRAMES_PER_S))
        f0_hz, energy = self.converter.curves(*curves, frames, semitones)
        reach = Reach.of(f0_hz, speaker.f0_median_hz if semitones else None)
        noise = breath(frames, seed)
        melody = reach.log_hz, reach.lowered, reach.turns
        piece = Piece(
            at_16k, reach.low_hz, energy, noise, speaker.style, activity, *melody, speaker.adapter
        )
        adapter = id(speaker.adapter) if speaker.adapter else None
        key = (len(at_16k), frames, len(activity), adapter)
        return self.batched(self._run, piece, key=key, seconds=seconds)

    def _run(self, pieces: Sequence[Piece]) -> list[FloatArray]:
        """Sing pieces of one key in one pass."""
        first, device = pieces[0], self.device
        names = "at_16k", "f0_hz", "energy", "noise", "style", "activity", "log_hz", "lowered"
        parts = (
            Rows([getattr(piece, name) for piece in pieces], len(getattr(first, name)))
            for name in names
        )
        cuts, f0_hz, energy, noise, style, activity, *melody = uploaded(device, *parts)
        planes = self.encoder.planes(cuts)
        asr = self.converter.words(planes, first.frames, first.adapter)
        sound = self.vocoder.sound(asr, (f0_hz, energy), style, noise, first.adapter)
        sung = sound[:, : activity.shape[1]] * activity
        turns = max(piece.turns for piece in pieces)
        if turns:
            work = partial(raised_rows, turns=turns, sample_rate_hz=SAMPLE_RATE_HZ)
            sung = self.graphs(f"raised {turns}", work, sung, *melody)
        return list(fetched(sung)[0])


def singer_of(encoder: Any, converter: Any, vocoder: Any) -> PieceSinger | None:
    """Make a singer of three stages, where they are those whose networks it knows."""
    known = isinstance(encoder, ContentEncoder) and isinstance(converter, Converter)
    if not (known and isinstance(vocoder, Vocoder) and encoder.layers == CONTENT_LAYERS):
        return None
    return PieceSinger(encoder, converter, vocoder)
