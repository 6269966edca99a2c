"""The order of the stages of speech: text, phonemes, prosody, decoder, joins."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from autovoice.engine import devices
from autovoice.engine.carrying import MODEL_HZ
from autovoice.engine.progress import Reporter
from autovoice.engine.stages import Stages
from autovoice.errors import InputError, ResourceError
from autovoice.types import Audio, FloatArray, Speaker

if TYPE_CHECKING:
    from autovoice.speak.utterance import Utterance

log = logging.getLogger(__name__)
Made = TypeVar("Made")
# The decoder speaks at the level at which it hears (RMS 0.06); speech is written 4 dB louder.
GAIN = 1.6
# Quieter than this is not a voice; then something went wrong, and that is said.
LEAST_PEAK = 1e-4
# Longer text than any book is a mistake or an attack.
MOST_CHARACTERS = 10_000_000


@dataclass
class Speaking:
    """Speak utterances one by one; nothing grows with the length of the text.

    Args:
        stages: who does the work.
        speaker: the voice.
        reporter: hears how far it is.
        speed: factor on the rate of speech.
        seed: start of the random numbers of each utterance.
    """

    stages: Stages
    speaker: Speaker
    reporter: Reporter
    speed: float = 1.0
    seed: int = 0
    notes: list[str] = field(default_factory=list)
    spoken: int = 0

    def say(self, utterance: Utterance) -> Audio:
        """Return an utterance with the pause that follows it, 24 kHz mono.

        When the device runs out of memory, the CPU takes over.

        Raises:
            InputError: no sound came of it.
            ResourceError: memory ran out on the CPU too.
        """
        samples = self.on_any_device(lambda: self._samples(utterance))
        join, limit = self.stages.builders.join, self.stages.builders.limit
        with self.reporter.timed("join"):
            joined = join(limit(samples[None] * np.float32(GAIN), MODEL_HZ)[0], MODEL_HZ,
                          utterance.pause_s)  # fmt: skip
        if not np.isfinite(joined).all() or np.abs(joined).max(initial=0.0) < LEAST_PEAK:
            raise InputError(
                f"text: {_short(utterance.text)!r} gave no sound with this voice; leave it out, or "
                "use another voice"
            )
        self.spoken += 1
        return Audio(joined[None], MODEL_HZ)

    def on_any_device(self, work: Callable[[], Made]) -> Made:
        """Return what ``work`` makes; where the device runs out of memory, on the CPU.

        Raises:
            ResourceError: memory ran out on the CPU too.
        """
        while True:
            device = self.stages.device
            try:
                return work()
            except (RuntimeError, MemoryError, ResourceError) as error:
                if not devices.out_of_memory(error):
                    raise
                problem = str(error)
            # Outside of the handler, so that the failed try's tensors are let go of first.
            if self.stages.device == device:  # else another call has moved them meanwhile
                self._to_cpu(problem)

    def _samples(self, utterance: Utterance) -> FloatArray:
        timed = self.reporter.timed
        with timed("load"):
            front = self.stages.speech
            # What training added to a voice belongs to the decoder that it was trained with.
            trained = bool(self.speaker.adapter)
            vocoder = self.stages.vocoder if trained else self.stages.speech_vocoder
        with timed("prosody"):
            features = front.features(utterance, self.speaker, speed=self.speed)
        with timed("vocode"):
            audio = vocoder.synthesise(features, self.speaker, seed=self.seed)
        samples: FloatArray = audio.samples[0]
        return samples

    def _to_cpu(self, problem: str) -> None:
        device = self.stages.device
        devices.release(device)
        if device == "cpu":
            raise ResourceError(f"out of memory ({problem}); close other programs")
        self.notes.append(f"{device} ran out of memory: went on on the CPU")
        log.warning(self.notes[-1])
        self.stages.move("cpu")
        devices.release(device)


def checked_text(text: str | Iterable[str]) -> str | Iterable[str]:
    """Return a text that can be read.

    Raises:
        InputError: it is no text, is empty, holds a NUL, or has more than 10 million characters.
    """
    if not isinstance(text, str):
        if isinstance(text, bytes) or not isinstance(text, Iterable):
            raise InputError(
                f"text: found {type(text).__name__}, expected text or lines of text; decode bytes "
                "first"
            )
        return map(_checked_part, text)
    if not text.strip():
        raise InputError("text: found nothing to say, expected words")
    if len(text) > MOST_CHARACTERS:
        raise InputError(
            f"text: found {len(text)} characters, expected at most {MOST_CHARACTERS}; split it"
        )
    return _checked_part(text)


def _checked_part(text: str) -> str:
    if not isinstance(text, str):
        raise InputError(f"text: found {type(text).__name__} among the lines, expected text")
    if "\0" in text:
        raise InputError(
            f"text: found a NUL character at place {text.index(chr(0))}; is this a text file?"
        )
    return text


def said(utterances: Iterator[Utterance]) -> Iterator[Utterance]:
    """Return the utterances, the first one read already.

    Raises:
        InputError: there is none.
    """
    first = next(utterances, None)
    if first is None:
        raise InputError("text: found nothing that can be spoken, expected words")
    return chain([first], utterances)


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."
