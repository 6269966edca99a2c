"""Where a melody leaves a voice's comfortable range.

Notes count whole: a frame belongs to the note that it is nearest to, and so do the ends of the
range. Vibrato and loose tuning on the last note of the range are not outside of it, and a note that
is said to be outside has another name than the end of the range.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from autovoice.note_names import nearest_note
from autovoice.types import Pitch, PitchRange, RangeSpan

Notes = NDArray[np.int64]
# A breath or a word between two high notes does not make two places of them.
MERGED_GAP_S = 0.5
# What is shorter is a slide or a slip of the pitch tracker.
LEAST_S = 0.1
_UNVOICED = -10_000


@dataclass(frozen=True, eq=False)
class Melody:
    """A melody as notes, prepared for asking how it lies in a voice.

    Args:
        notes: ``[F]`` MIDI numbers, any value where unvoiced.
        voiced: ``[F]`` where there is a note.
        hop_s, offset_s: as in ``Pitch``.
    """

    notes: Notes
    voiced: NDArray[np.bool_]
    hop_s: float
    offset_s: float

    @staticmethod
    def of(pitch: Pitch) -> Melody:
        """Return the notes of a pitch curve."""
        voiced = np.isfinite(pitch.f0_hz) & (pitch.f0_hz > 0)
        notes = np.full(len(voiced), _UNVOICED, np.int64)
        semitones = 69.0 + 12.0 * np.log2(pitch.f0_hz[voiced].astype(np.float64) / 440.0)
        notes[voiced] = np.floor(semitones + 0.5).astype(np.int64)
        return Melody(notes, voiced, pitch.hop_s, pitch.offset_s)

    def places(
        self, side: Literal["above", "below"], voice: PitchRange, semitones: int
    ) -> list[NDArray[np.int64]]:
        """Return the frames outside on one side, one array for each place.

        Frames less than half a second apart are one place; a place with less than 0.1 s of notes
        outside is left out.
        """
        end_hz = voice.high_hz if side == "above" else voice.low_hz
        frames, ends = self._beyond(side, nearest_note(end_hz) - semitones)
        places = np.split(frames, ends[1:-1])
        return [place for place in places if len(place) >= self._least]

    def _beyond(self, side: Literal["above", "below"], limit: int) -> tuple[Notes, Notes]:
        """Return the frames beyond a note, and the ends of the places in them, 0 first."""
        beyond = self.notes > limit if side == "above" else self.notes < limit
        frames = (beyond & self.voiced).nonzero()[0]
        gaps_s = (frames[1:] - frames[:-1] - 1) * self.hop_s
        breaks = (gaps_s >= MERGED_GAP_S).nonzero()[0] + 1
        return frames, np.array([0, *breaks, len(frames)])

    def share(self, side: Literal["above", "below"], voice: PitchRange, semitones: int) -> float:
        """Return how much of the voiced time lies outside on one side, 0 to 1."""
        end_hz = voice.high_hz if side == "above" else voice.low_hz
        lowest, highest = self._ends
        # Beyond its lowest and highest note a melody is outside altogether, or not at all.
        limit = min(max(nearest_note(end_hz) - semitones, lowest - 1), highest + 1)
        if limit >= highest if side == "above" else limit <= lowest:
            return 0.0
        found = self._found.get((side, limit))
        if found is None:
            _, ends = self._beyond(side, limit)
            sizes = ends[1:] - ends[:-1]
            found = int(sizes[sizes >= self._least].sum())
            self._found[side, limit] = found
        return found / max(self._count, 1)

    def share_outside(self, voice: PitchRange, semitones: int) -> float:
        """Return how much of the voiced time lies outside, 0 to 1."""
        return self.share("above", voice, semitones) + self.share("below", voice, semitones)

    def spans(self, voice: PitchRange, semitones: int) -> tuple[RangeSpan, ...]:
        """Return the places outside, in the order of time."""
        sides: tuple[Literal["above", "below"], ...] = ("above", "below")
        spans = [
            self._span(place, side, voice, semitones)
            for side in sides
            for place in self.places(side, voice, semitones)
        ]
        return tuple(sorted(spans, key=lambda span: (span.start_s, span.end_s)))

    @cached_property
    def _found(self) -> dict[tuple[str, int], int]:
        """Frames outside that were counted before, by side and limit: keys ask again and again."""
        return {}

    @cached_property
    def _ends(self) -> tuple[int, int]:
        """The lowest and the highest note."""
        sung = self.notes[self.voiced]
        return (int(sung.min()), int(sung.max())) if len(sung) else (0, 0)

    @cached_property
    def _count(self) -> int:
        """Voiced frames."""
        return int(self.voiced.sum())

    @property
    def _least(self) -> int:
        """Frames of the shortest place."""
        return max(1, math.ceil(LEAST_S / self.hop_s - 1e-6))

    def _span(
        self,
        place: NDArray[np.int64],
        side: Literal["above", "below"],
        voice: PitchRange,
        semitones: int,
    ) -> RangeSpan:
        # The farthest note that is held: a frame alone may be a slip of the tracker.
        notes = np.sort(self.notes[place]) + semitones
        if side == "above":
            note = int(notes[-self._least])
            beyond = note - nearest_note(voice.high_hz)
        else:
            note = int(notes[self._least - 1])
            beyond = nearest_note(voice.low_hz) - note
        half_s = self.hop_s / 2
        start_s, end_s = (self.offset_s + int(place[k]) * self.hop_s for k in (0, -1))
        return RangeSpan(
            start_s=max(start_s - half_s, 0.0),
            end_s=end_s + half_s,
            side=side,
            note=note,
            beyond_semitones=beyond,
            outside_s=len(place) * self.hop_s,
        )
