"""The order of the stages of singing from notes: score, words, phrases, decoder, mix."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from autovoice.config import SingOptions
from autovoice.engine.carrying import MODEL_HZ
from autovoice.engine.results import Performance
from autovoice.engine.scratch import Scratch, relax
from autovoice.engine.speaking import LEAST_PEAK, Speaking
from autovoice.errors import InputError
from autovoice.types import Audio, FloatArray, RangeFit

if TYPE_CHECKING:
    from autovoice.speak.score import Score
    from autovoice.speak.sung.phrases import Lyrics, Phrase

# What rings on after the last bar.
TAIL_S = 0.5
FADE_S = 0.01
# Four voices were in tune up to C6, 1,047 Hz; nothing above was measured.
SURE_HZ = 1_050.0
LONGEST_LYRICS = 1_000_000


@dataclass
class Singing(Speaking):
    """Sing the phrases of a score one by one.

    Args:
        options: what was asked for.
        scratch: where the long arrays live.
    """

    options: SingOptions = field(default_factory=SingOptions)
    scratch: Scratch = field(default_factory=Scratch)

    def read(
        self, path: str | Path, text: str | None, lexicon: Mapping[str, str] | None
    ) -> tuple[Score, Lyrics]:
        """Read the score and put its words on its notes.

        Raises:
            InputError: the score or the words cannot be used.
            WeightsError: the language's dictionary is not to be had.
        """
        if text is not None and len(text) > LONGEST_LYRICS:
            raise InputError(
                f"lyrics: found {len(text)} characters, expected at most {LONGEST_LYRICS}"
            )
        sung = self.stages.builders.sung
        with self.reporter.timed("score"):
            score = sung.score(Path(path), self.options)
        with self.reporter.timed("words"):
            words = sung.words(score, language=self.options.language, text=text, lexicon=lexicon)
        self.notes += [*score.remarks, *words.remarks]
        return score, words

    def fit(self, score: Score) -> tuple[int, RangeFit]:
        """Return the shift to apply, and how the melody lies in the voice's range with it."""
        builders, asked = self.stages.builders, self.options.semitones
        pitch = builders.sung.melody(score)
        if isinstance(asked, int):
            shift = asked
        else:
            fit = builders.compare(pitch, self.speaker, builders.fit(pitch, self.speaker))
            shift = fit.semitones if fit.octave is None else fit.octave.semitones
            if shift:
                self.notes.append(f"the melody is moved by {shift:+d} semitones to fit the voice")
        fit = builders.compare(pitch, self.speaker, shift)
        if fit.share_outside and fit.voice is not None:
            self.notes.append(
                f"{fit.share_outside:.0%} of the melody is out of the voice's comfortable range, "
                f"{fit.voice.notes}"
            )
        sung = pitch.f0_hz[pitch.f0_hz > 0] * 2.0 ** (shift / 12)
        high = float((sung > SURE_HZ).mean()) if len(sung) else 0.0
        if high:
            self.notes.append(
                f"{high:.0%} of the melody is above {SURE_HZ:g} Hz, where the voice model may "
                "lose the pitch; sing it lower (--semitones)"
            )
        folded = sum(builders.sung.folds(note, shift) for note in score.notes)
        if folded:
            self.notes.append(f"{folded} notes that no voice reaches are sung in another octave")
        return shift, fit

    def sing(self, score: Score, words: Lyrics, semitones: int) -> FloatArray:
        """Return the vocal, ``[1, T]`` at 24 kHz: the length of the score and half a second.

        Raises:
            InputError: a phrase gave no sound.
            ResourceError: memory ran out.
        """
        length = round((score.seconds + TAIL_S) * MODEL_HZ)
        out = self.scratch.zeros(1, length)
        for phrase in words.phrases:
            samples, begin = self.on_any_device(partial(self._phrase, phrase, semitones))
            first, last = max(0, begin), min(length, begin + len(samples))
            out[0, first:last] += samples[first - begin : last - begin]
            relax(out)
            self.spoken += 1
            self.reporter.at(min(phrase.end_s / score.seconds, 1.0))
        return out

    def _phrase(self, phrase: Phrase, semitones: int) -> tuple[FloatArray, int]:
        """Return the samples of a phrase, and the place of the first in the output."""
        timed, builders = self.reporter.timed, self.stages.builders
        with timed("load"):
            front = self.stages.speech
            trained = bool(self.speaker.adapter)
            vocoder = self.stages.vocoder if trained else self.stages.speech_vocoder
        with timed("prosody"):
            features = builders.sung.phrase(front, phrase, self.speaker, self.options, semitones)
        with timed("vocode"):
            audio = vocoder.synthesise(features, self.speaker, features.manner, seed=self.seed)
        with timed("join"):
            even = builders.sung.even(audio.samples[0], features.vowels_s, MODEL_HZ)
            samples = builders.limit(even[None], MODEL_HZ)[0]
        if not np.isfinite(samples).all() or np.abs(samples).max(initial=0.0) < LEAST_PEAK:
            raise InputError(
                f"words: {phrase.text[:60]!r} gave no sound with this voice; use another voice"
            )
        return _faded(samples), round(features.begin_s * MODEL_HZ)


def _faded(samples: FloatArray) -> FloatArray:
    """Return samples whose ends are silent."""
    fade = min(round(FADE_S * MODEL_HZ), len(samples) // 2)
    faded = samples.copy()
    if fade:
        ramp = np.linspace(0, 1, fade, dtype=np.float32)
        faded[:fade] *= ramp
        faded[-fade:] *= ramp[::-1]
    return faded


def read_lyrics(path: str | Path) -> str:
    """Return the words of a text file.

    Raises:
        InputError: it cannot be read, is no UTF-8, or is longer than a megabyte.
    """
    try:
        with Path(path).open("rb") as file:
            data = file.read(LONGEST_LYRICS + 1)
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: found bytes that are no UTF-8; save it as UTF-8") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    if len(data) > LONGEST_LYRICS:
        raise InputError(f"{path}: found more than {LONGEST_LYRICS} bytes of lyrics")
    if not any(character.isalpha() for character in text):
        raise InputError(f"{path}: found no words, expected lyrics")
    return text


def perform(singing: Singing, path: str | Path, backing: Audio | None, **words: Any) -> Performance:
    """Return what is sung; voice, device and timings are the caller's to add.

    Args:
        singing: who sings.
        path: of the score.
        backing: what it is mixed with, if anything.
        words: ``text`` and ``lexicon``.
    """
    reporter = singing.reporter
    with reporter.stage("sing"):
        score, lyrics = singing.read(path, **words)
        semitones, fit = singing.fit(score)
        vocal = Audio(singing.sing(score, lyrics, semitones), MODEL_HZ)
    mixed = vocal
    if backing is not None:
        with reporter.stage("mix"), reporter.timed("mix"):
            mixed = singing.stages.builders.sung.accompany(vocal, backing)
    return Performance(
        mixed.samples,
        mixed.sample_rate_hz,
        mixed.metadata,
        vocal=vocal,
        title=score.title,
        part=score.part,
        phrases=singing.spoken,
        semitones=semitones,
        range=fit,
        notes=tuple(singing.notes),
    )
