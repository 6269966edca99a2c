"""A text that is being spoken: an iterator over pieces of sound."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from autovoice.config import speak_options_from
from autovoice.engine.progress import Cancel, Listener, Reporter
from autovoice.engine.speaking import Speaking, checked_text, said
from autovoice.engine.stages import Stages
from autovoice.types import Audio

if TYPE_CHECKING:
    from autovoice.speak.utterance import Utterance
    from autovoice.voices import Voice

Text = str | Iterable[str]
Turn = Callable[[], AbstractContextManager[Stages]]


class Talk(Iterator[Audio]):
    """Yield a text sentence by sentence; each piece is made when it is asked for.

    Args:
        turn: gives the networks for one piece of work.
        text: text or lines of it.
        voice: who speaks.
        lexicon: phonemes of words. Default none.
        skip: so many sentences at the beginning are left out, as they were spoken before.
        progress: gets a ``Progress`` after each piece, where the length of the text is known.
        cancel: asked between pieces; True stops with ``Cancelled``. Default: never.
        options: see ``SpeakOptions``.

    ``said`` is what was written of the piece that came last.

    Raises:
        InputError: there is nothing to say, or an option cannot be used.
    """

    def __init__(
        self,
        turn: Turn,
        text: Text,
        voice: Voice,
        *,
        lexicon: Mapping[str, str] | None = None,
        skip: int = 0,
        progress: Listener | None = None,
        cancel: Cancel | None = None,
        **options: Any,
    ) -> None:
        wanted = speak_options_from(options)
        self.voice = voice
        self.said = ""
        self._reporter = Reporter(("speak",), listener=progress, cancel=cancel)
        self._characters = len(text) if isinstance(text, str) else None
        self._turn = turn
        with turn() as stages, self._reporter.timed("text"):
            utterances = said(
                stages.builders.text(
                    checked_text(text),
                    language=wanted.language,
                    lexicon=lexicon,
                    ssml=wanted.ssml,
                )
            )
            speaker = voice.speaker
            self._speaking = Speaking(
                stages, speaker, self._reporter, float(wanted.speed), wanted.seed
            )
        self._pieces = self._run(utterances, skip)

    @property
    def sentences(self) -> int:
        """How many utterances were spoken so far."""
        return self._speaking.spoken

    @property
    def timings(self) -> Mapping[str, float]:
        """Seconds by stage so far; ``total`` leaves out what the caller did between pieces."""
        return self._reporter.timings

    @property
    def notes(self) -> tuple[str, ...]:
        """What went otherwise than asked for, in words."""
        return tuple(self._speaking.notes)

    def __next__(self) -> Audio:
        return next(self._pieces)

    def _run(self, utterances: Iterator[Utterance], skip: int) -> Iterator[Audio]:
        read = 0
        with self._reporter.stage("speak"):
            while (utterance := self._following(utterances)) is not None:
                if skip > 0:
                    skip, read = skip - 1, read + len(utterance.text) + 1
                    continue
                with self._reporter.timed("total"), self._turn():
                    piece = self._speaking.say(utterance)
                self.said = utterance.text
                read += len(utterance.text) + 1
                if self._characters:
                    # The end is told when it is reached: how much was written can only be guessed.
                    self._reporter.at(min(read / self._characters, 0.99))
                yield piece

    def _following(self, utterances: Iterator[Utterance]) -> Utterance | None:
        with self._reporter.timed("text"):
            return next(utterances, None)
