"""What a call of ``autovoice speak`` has to do: text to a file, and what to tell of it."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from autovoice.cli.folders import check_file, make_folder
from autovoice.errors import AutoVoiceError, InputError

if TYPE_CHECKING:
    from autovoice.cli.cards import Judge
    from autovoice.engine import Talk
    from autovoice.types import Audio, FloatArray

RATE_HZ = 24_000
# So much of the beginning is judged; more of it is not kept in memory.
JUDGED_S = 60.0
_LABEL_CHARACTERS = 60
_MARKUP = ("<speak", "<?xml", "<!DOCTYPE")


@dataclass
class Beginning:
    """The first sentences of what is spoken, for the score card."""

    pieces: list[FloatArray] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def add(self, piece: Audio, text: str) -> None:
        """Keep a sentence, if it still fits."""
        if self.seconds + piece.seconds > JUDGED_S and self.pieces:
            self.seconds = JUDGED_S
            return
        self.pieces.append(piece.samples)
        self.texts.append(text)
        self.seconds += piece.seconds

    @property
    def audio(self) -> Audio:
        """The sound of it."""
        from autovoice.types import Audio

        return Audio(np.concatenate(self.pieces, axis=1), RATE_HZ)


@dataclass
class Spoken:
    """What came of a text: lengths and times, gathered while it is written."""

    seconds: float = 0.0
    sentences: int = 0
    first_audio_s: float = 0.0
    timings: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Order:
    """A text and where its speech goes.

    Args:
        text: what to say.
        output: the file.
        options: for ``Engine.speak_stream``.
        report: folder for result and card, if any.
    """

    text: str
    output: Path
    options: Mapping[str, Any]
    report: Path | None = None
    beginning: Beginning = field(default_factory=Beginning)

    @property
    def label(self) -> str:
        """What progress calls the text."""
        line = " ".join(self.text[: 4 * _LABEL_CHARACTERS].split())
        return line if len(line) <= _LABEL_CHARACTERS else line[: _LABEL_CHARACTERS - 3] + "..."

    def check(self, *, chapters: bool = False) -> None:
        """Fail now rather than after minutes of work.

        Raises:
            InputError: the output cannot hold it, or markup is asked for in chapters.
            ResourceError: the output folder cannot be written.
        """
        if chapters and (self.options["ssml"] or self.text.lstrip().startswith(_MARKUP)):
            raise InputError("--chapters cuts plain text: found markup; leave out --chapters")
        check_file(self.output, RATE_HZ, 1)
        if self.report is not None:
            make_folder(self.report)

    def speak(self, engine: Any, voice: Any) -> dict[str, Any]:
        """Write the speech and return what ``--json`` prints."""
        from autovoice.cli.progress import shown

        with shown(self.label) as listener:
            talk = engine.speak_stream(self.text, voice, progress=listener, **self.options)
            done = speak_to(self.output, talk, self.beginning)
        result = as_dict(self, done, voice.name, engine.device)
        self._write_report(result)
        return result

    def judged(self, result: dict[str, Any], judge: Judge) -> dict[str, Any]:
        """Add the score card; whatever keeps it from being made, the speech stays.

        Raises:
            Cancelled: the caller asked to stop.
        """
        assert self.report is not None  # noqa: S101 - the caller asks for a card only with one
        try:
            card = judge.write_spoken(
                self.beginning.audio,
                " ".join(self.beginning.texts),
                self.report,
                self.output.stem,
                language=str(self.options["language"]),
            )
        except AutoVoiceError as error:
            if error.exit_code == 130:
                raise
            click.echo(f"error: spoken, but without a card: {error}", err=True)
            return {**result, "exit_code": error.exit_code}
        result = {**result, "card": card}
        self._write_report(result)
        return result

    def _write_report(self, result: Mapping[str, Any]) -> None:
        if self.report is None:
            return
        from autovoice.eval.report import write_text

        text = json.dumps(result, allow_nan=False, ensure_ascii=False, indent=2)
        write_text(self.report / f"{self.output.stem}.json", text + "\n")


def speak_to(
    path: Path,
    talk: Talk,
    beginning: Beginning | None = None,
) -> Spoken:
    """Write what is spoken into a file, which appears when it is whole."""
    from autovoice import io

    begin_s, done = time.perf_counter(), Spoken()
    with io.Writer(path, RATE_HZ, 1) as writer:
        for piece in talk:
            done.first_audio_s = done.first_audio_s or time.perf_counter() - begin_s
            done.seconds += piece.seconds
            writer.write(piece.samples)
            if beginning is not None and beginning.seconds < JUDGED_S:
                beginning.add(piece, talk.said)
    done.sentences, done.notes = talk.sentences, talk.notes
    done.timings = {**talk.timings, "total": time.perf_counter() - begin_s}
    return done


def as_dict(order: Order, done: Spoken, voice: str, device: str) -> dict[str, Any]:
    """Return the object that ``--json`` prints."""
    return {
        "output": str(order.output),
        "seconds": done.seconds,
        "voice": voice,
        "device": device,
        "language": order.options["language"],
        "speed": order.options["speed"],
        "sentences": done.sentences,
        "first_audio_s": round(done.first_audio_s, 4),
        "timings": {name: round(s, 4) for name, s in done.timings.items()},
        "notes": list(done.notes),
    }
