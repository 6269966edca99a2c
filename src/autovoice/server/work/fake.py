"""An engine of fixed speed without any model: for load tests and for tests of the service.

A chunk is 64 kB of the input, or 100 characters of a text; its sound is drawn from a hash of it,
so that every run of a job gives the same bytes, whichever chunks were left by an earlier attempt.
Voices whose name begins with ``poison-`` do harm on purpose: ``poison-error``, ``poison-sticky``,
``poison-kill``.
"""

from __future__ import annotations

import hashlib
import os
import signal
import time
import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from autovoice.errors import Cancelled, UnsupportedAudio
from autovoice.server.jobs.records import SPEECH, SPOKEN_NOW, Observation, Outcome
from autovoice.server.work.runner import Desk, StickyDeviceError, Task
from autovoice.server.work.speech import Told, say
from autovoice.types import FloatArray
from autovoice.voices.file import write_whole

CHUNK_BYTES = 64 << 10
SENTENCE = 100
RATE_HZ = 24_000
STEMS = ("vocals", "backing", "converted")


class FakeRunner:
    """Takes ``chunk_s`` seconds for each chunk."""

    device = "fake"

    def __init__(self, chunk_s: float) -> None:
        self._chunk_s = chunk_s

    def load(self) -> None:
        """There is nothing to load."""

    def run(self, task: Task, desk: Desk) -> Outcome:
        """Make sound of the fixed kind."""
        if task.kind in {SPEECH, SPOKEN_NOW}:
            return self._speak(task, desk)
        begun = time.perf_counter()
        content = b"".join(path.read_bytes() for path in task.inputs)
        _harm(str(task.request.get("voice", "")))
        count = max(1, -(-len(content) // CHUNK_BYTES))
        made: list[bytes] = []
        for index in range(count):
            if desk.stopping():
                raise Cancelled("the job was asked to stop")
            block = content[index * CHUNK_BYTES : (index + 1) * CHUNK_BYTES]
            made.append(self._chunk(task, index, block))
            desk.progress("convert", (index + 1) / count, (index + 1) / count)
            desk.checkpoint(index + 1, count)
        sound = b"".join(made)
        files = {"cover": _wav(task.outputs / "cover.wav", sound)}
        if task.request.get("stems"):
            for name in STEMS:
                files[f"stems/{name}"] = _wav(task.outputs / f"{name}.wav", sound)
        names = {key: f"{task.attempt}/{path.name}" for key, path in files.items()}
        seconds = len(sound) / 2 / RATE_HZ
        took = time.perf_counter() - begun
        return Outcome(
            {"files": names, "seconds": seconds, "voice": task.request.get("voice", "")},
            bytes=sum(path.stat().st_size for path in files.values()),
            audio_s=seconds,
            observations=(Observation("job_realtime_factor", task.kind, took / seconds),),
        )

    def _speak(self, task: Task, desk: Desk) -> Outcome:
        _harm(str(task.request.get("voice", "")))
        text = task.inputs[0].read_text(encoding="utf-8")
        parts = [text[at : at + SENTENCE] for at in range(0, len(text), SENTENCE)]

        def speak(done: int) -> Iterator[FloatArray]:
            for index in range(done, len(parts)):
                if desk.stopping():
                    raise Cancelled("the job was asked to stop")
                time.sleep(self._chunk_s)
                sound = hashlib.shake_256(parts[index].encode()).digest(4800)
                yield np.frombuffer(sound, "<i2").astype(np.float32) / np.float32(32768)
                desk.progress("speak", (index + 1) / len(parts), (index + 1) / len(parts))

        return say(task, desk, speak, Told())

    def _chunk(self, task: Task, index: int, block: bytes) -> bytes:
        kept = task.pieces / f"{index:06d}"
        if kept.is_file():
            return kept.read_bytes()
        time.sleep(self._chunk_s)
        sound = hashlib.shake_256(block + index.to_bytes(4, "little")).digest(4800)
        write_whole(kept, sound)
        return sound


def _wav(path: Path, sound: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    with wave.open(str(temporary), "wb") as file:
        file.setparams((1, 2, RATE_HZ, 0, "NONE", ""))
        file.writeframes(sound)
    temporary.replace(path)
    return path


def _harm(voice: str) -> None:
    if voice == "poison-error":
        raise RuntimeError("an error that nobody expected")
    if voice == "poison-input":
        raise UnsupportedAudio("found a poison, expected a song; choose another voice")
    if voice == "poison-sticky":
        raise StickyDeviceError("CUDA error: an illegal memory access was encountered")
    if voice == "poison-kill":
        os.kill(os.getpid(), signal.SIGKILL)
