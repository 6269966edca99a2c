"""A text as a job: each sentence is safe, and can be heard, before the next is begun."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from autovoice import io
from autovoice.errors import ResourceError
from autovoice.server.files import folder_bytes
from autovoice.server.jobs.records import SPOKEN_NOW, Observation, Outcome
from autovoice.server.sound import SPEECH_HZ, STREAMED, piece_name
from autovoice.server.work.pieces import FolderPieces
from autovoice.server.work.runner import Desk, Task, listener
from autovoice.types import FloatArray

if TYPE_CHECKING:
    from autovoice.engine import Engine
    from autovoice.voices import Voice

# Called with the number of pieces that are there already; yields those that follow, ``[T]`` at
# 24 kHz. The same text has the same pieces in every attempt.
Speak = Callable[[int], Iterator[FloatArray]]


@dataclass
class Told:
    """What an engine has to say of its work, once that is done."""

    timings: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def say(task: Task, desk: Desk, speak: Speak, told: Told) -> Outcome:
    """Speak what is missing, then write the file that was asked for.

    What is streamed by a caller who waits for it needs no file: the pieces are the result.

    Raises:
        ResourceError: the disk is full, or a piece has vanished.
    """
    begun = time.perf_counter()
    pieces = FolderPieces(task.pieces, desk)
    count = 0
    while pieces.load(piece_name(count)) is not None:
        count += 1
    for samples in speak(count):
        pieces.save(piece_name(count), samples)
        count += 1
    files, seconds = _written(task, pieces, count)
    took_s = time.perf_counter() - begun
    result: dict[str, Any] = {
        "files": files,
        "pieces": count,
        "seconds": seconds,
        "voice": task.request["voice"],
        "language": task.request["language"],
        "timings": {name: round(s, 4) for name, s in told.timings.items()},
        "notes": told.notes,
    }
    stages = {name: s for name, s in told.timings.items() if name != "total"}
    return Outcome(
        result,
        bytes=folder_bytes(task.folder),
        audio_s=seconds,
        observations=(
            Observation("job_realtime_factor", task.kind, took_s / max(seconds, 1e-3)),
            *(
                Observation("job_stage_duration_seconds", f"{task.kind}|{stage}", s)
                for stage, s in stages.items()
            ),
        ),
    )


def say_by_engine(engine: Engine, voice: Voice, task: Task, desk: Desk) -> Outcome:
    """Speak with the project's engine.

    Raises:
        InputError: the text cannot be spoken.
        Cancelled: ``desk.stopping`` said so.
        ResourceError, WeightsError: may work later.
    """
    request, told = task.request, Told()
    text = task.inputs[0].read_text(encoding="utf-8")

    def speak(done: int) -> Iterator[FloatArray]:
        talk = engine.speak_stream(
            text,
            voice,
            speed=request["speed"],
            language=request["language"],
            ssml=request["ssml"],
            seed=request["seed"],
            skip=done,
            progress=listener(desk),
            cancel=desk.stopping,
        )
        for piece in talk:
            yield piece.samples[0]
        told.timings, told.notes = dict(talk.timings), list(talk.notes)

    return say(task, desk, speak, told)


def _written(task: Task, pieces: FolderPieces, count: int) -> tuple[dict[str, str], float]:
    """Put the pieces together; return where, from the job's folder on, and how long it is."""
    wanted = str(task.request["format"])
    path, length = task.outputs / f"speech.{wanted}", 0
    has_file = task.kind != SPOKEN_NOW or wanted not in STREAMED
    with contextlib.ExitStack() as stack:
        writer = stack.enter_context(io.Writer(path, SPEECH_HZ, 1)) if has_file else None
        for index in range(count):
            samples = pieces.load(piece_name(index))
            if samples is None:
                raise ResourceError(f"piece {index} of the speech is gone; it is made again")
            length += len(samples)
            if writer is not None:
                writer.write(samples[None])
    files = {"speech": str(path.relative_to(task.folder))} if has_file else {}
    return files, length / SPEECH_HZ
