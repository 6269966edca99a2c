"""The score card of speech that was made from text: there is no source to compare with."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from autovoice.errors import InputError
from autovoice.eval import groups
from autovoice.eval.card import Recording, Words
from autovoice.eval.groups import Figures
from autovoice.eval.judges import Judges, Sound
from autovoice.eval.measures import MEASURES
from autovoice.eval.words import Transcript
from autovoice.types import Audio, FloatArray

NO_SOURCE = "made from text: there is no source recording"
NOT_ASKED = "not asked for"
NO_MELODY = "made from text: no melody was wanted"
_REASONS = {"pitch": NO_MELODY, "copy": "only for a voice copied to itself (kind copy)"}
_MOST_TITLE = 80
PART_S = 12.0


def refusals() -> Figures:
    """Return every measure with the reason why it does not apply; what does replaces it."""
    found: Figures = {}
    for measure in MEASURES:
        found |= groups.refused([measure.key], _REASONS.get(measure.group, NO_SOURCE))
    return found


def text_record(text: str) -> Recording:
    """Describe a text as cards describe recordings: it has no length, rate or channels.

    Raises:
        InputError: there are no words in it.
    """
    line = " ".join(text.split())
    if not line:
        raise InputError("text: found nothing, expected what was to be said")
    shown = line if len(line) <= _MOST_TITLE else line[: _MOST_TITLE - 3] + "..."
    return Recording(f"text: {shown}", hashlib.sha256(line.encode()).hexdigest(), 0.0, 0, 0)


def whisper_language(language: str) -> str:
    """Return the code by which Whisper knows a language: without country, and who reads it.

    >>> whisper_language("en-us"), whisper_language("pt_BR"), whisper_language("espeak:de")
    ('en', 'pt', 'de')
    """
    return language.lower().rpartition(":")[2].replace("_", "-").partition("-")[0]


def cut_at_pauses(audio: Audio, most_s: float = PART_S) -> list[Audio]:
    """Return the pieces of a recording, each cut in the middle of the longest pause in reach.

    Pieces are half as long as ``most_s`` to ``most_s``, the last may be shorter. Without a pause
    the quietest place is cut.

    Args:
        audio: of any length.
        most_s: the longest piece, seconds. Default 12.
    """
    mono, size = audio.mono(), max(1, audio.sample_rate_hz // 100)
    frames = mono[: len(mono) // size * size].reshape(-1, size)
    power = np.square(frames.astype(np.float64)).mean(axis=1)
    # How loud it is within 150 ms to both sides: least in the middle of a long pause.
    around = ndimage.uniform_filter1d(power, 31, mode="nearest")
    most, begin, pieces = round(most_s * 100), 0, []
    while len(power) - begin > most:
        reach = around[begin + most // 2 : begin + most]
        quiet = np.flatnonzero(reach <= reach.min() * 1.001 + 1e-12)
        end = begin + most // 2 + int(quiet[len(quiet) // 2])
        pieces.append(audio.samples[:, begin * size : end * size])
        begin = end
    pieces.append(audio.samples[:, begin * size :])
    return [Audio(piece, audio.sample_rate_hz) for piece in pieces]


@dataclass(frozen=True, eq=False)
class Heard:
    """Speech, and who listens to it.

    Args:
        judges: who listens.
        output: the speech.
        reference: a recording of the voice, or its speaker embedding, ``[256]``.
        sample: the part of the reference that is judged for naturalness.
    """

    judges: Judges
    output: Sound
    reference: Sound | FloatArray
    sample: Sound | FloatArray

    def words(self, text: str, language: str, *, asked: bool) -> tuple[Figures, Words | None]:
        """Compare what Whisper hears with what was to be said."""
        why_not = groups.unheard(self.output, self.output) if asked else NOT_ASKED
        if why_not:
            return groups.refused(groups.keys("words"), why_not), None
        known = whisper_language(language)
        wanted = Transcript(" ".join(text.split()), known)
        heard = self._transcripts(known)
        figures, words, _ = groups.words(heard, (wanted, wanted))
        return figures, words

    def _transcripts(self, language: str) -> tuple[Transcript, Transcript]:
        """Write down sentence by sentence: Whisper leaves out what lies beside a cut, and more."""
        parts = [
            self.judges.transcripts(Sound(part), language)
            for part in cut_at_pauses(self.output.audio)
        ]
        beam, greedy = (
            Transcript(" ".join(each.text for each in column), language)
            for column in zip(*parts, strict=True)
        )
        return beam, greedy

    def similarity(self) -> Figures:
        """Compare the voice with the one that was wanted."""
        embed = self.judges.embedding
        ours, nobody = groups.voice(self.output, embed, "output"), groups.Voice(None, NO_SOURCE)
        return groups.similarity(ours, nobody, groups.target(self.reference, embed))

    def opinions(self, *, asked: bool) -> Figures:
        """Predict how natural it sounds, and the reference beside it."""
        if not asked:
            return groups.refused(groups.keys("naturalness"), NOT_ASKED)
        judges = self.judges
        figures: Figures = {
            "distillmos": groups.tried(
                lambda: judges.distillmos(groups.sound(self.output, "output"))
            ),
            "distillmos_reference": groups.tried(
                lambda: judges.distillmos(groups.sound(self.sample, "reference"))
            ),
        }
        found = groups.dnsmos(lambda _: judges.dnsmos(groups.sound(self.output, "output")))
        return figures | {key: each for key, each in found.items() if not key.endswith("_source")}

    def levels(self) -> Figures:
        """Return how loud it is."""
        found = groups.level(self.output.audio, self.output.audio)
        return {key: found[key] for key in ("loudness_lufs", "true_peak_dbtp")}
