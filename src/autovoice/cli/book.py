"""A book, chapter by chapter: what is done is kept, and not done again."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from autovoice.cli.spoken import RATE_HZ, Order, Spoken, as_dict, speak_to
from autovoice.errors import InputError, UnsupportedAudio

if TYPE_CHECKING:
    from autovoice.speak.chapters import Chapter
    from autovoice.types import FloatArray

PAUSE_S = 1.5
_BLOCK_SAMPLES = 1 << 18
_LONGEST_S = 100 * 3600.0
# Changes when the same text would be spoken otherwise.
_VERSION = "1"


def speak_book(engine: Any, order: Order, voice: Any) -> dict[str, Any]:
    """Speak each chapter into ``OUT.chapters`` and put them together as OUT.

    A chapter's file is named after its number and a hash of what it was made from: text, voice and
    options. It appears only when it is whole, so one that is there is done.

    Returns:
        What ``--json`` prints.

    Raises:
        InputError: there is no chapter with words in it.
    """
    from autovoice.speak.chapters import chapters

    begin_s, total = time.perf_counter(), Spoken()
    found = chapters(order.text)
    if not found:
        raise InputError("text: found nothing that can be spoken, expected words")
    folder = order.output.with_name(order.output.name + ".chapters")
    told, files = [], []
    for number, chapter in enumerate(found, start=1):
        path = folder / f"{number:03d}-{_fingerprint(chapter, voice, order)}.flac"
        kept = _whole(path)
        if not kept:
            click.echo(f"chapter {number} of {len(found)}: {chapter.title}", err=True)
            _add(total, _spoken(engine, order, voice, chapter, path))
        files.append(path)
        told.append({"title": chapter.title, "file": str(path), "kept": kept})
    total.seconds = _join(files, order.output)
    total.timings = {**total.timings, "total": time.perf_counter() - begin_s}
    return {**as_dict(order, total, voice.name, engine.device), "chapters": told}


def _spoken(engine: Any, order: Order, voice: Any, chapter: Chapter, path: Path) -> Spoken:
    from autovoice.cli.progress import shown

    with shown(chapter.title) as listener:
        talk = engine.speak_stream(chapter.text, voice, progress=listener, **order.options)
        return speak_to(path, talk)


def _add(total: Spoken, done: Spoken) -> None:
    total.sentences += done.sentences
    total.first_audio_s = total.first_audio_s or done.first_audio_s
    total.notes = (*total.notes, *(note for note in done.notes if note not in total.notes))
    total.timings = {
        name: total.timings.get(name, 0.0) + seconds for name, seconds in done.timings.items()
    }


def _fingerprint(chapter: Chapter, voice: Any, order: Order) -> str:
    from autovoice import weights

    digest = hashlib.sha256(_VERSION.encode())
    digest.update(weights.voice_model_sha256().encode())
    digest.update(json.dumps([chapter.text, dict(order.options)], sort_keys=True).encode())
    speaker = voice.speaker
    digest.update(repr(float(speaker.f0_median_hz)).encode())
    digest.update(speaker.style.tobytes() + speaker.embedding.tobytes())
    for name in sorted(speaker.adapter):
        digest.update(name.encode() + np.ascontiguousarray(speaker.adapter[name]).tobytes())
    return digest.hexdigest()[:16]


def _whole(path: Path) -> bool:
    """Tell whether a chapter is there and can be read."""
    from autovoice import io

    if not path.is_file():
        return False
    try:
        info = io.probe(path)
    except UnsupportedAudio:
        return False
    return info.sample_rate_hz == RATE_HZ and info.channels == 1


def _join(files: list[Path], output: Path) -> float:
    """Write the chapters one after another, with pauses, and return the seconds."""
    from autovoice import io

    written = 0
    with io.Writer(output, RATE_HZ, 1) as writer:
        for block in _blocks(files):
            writer.write(block)
            written += block.shape[1]
    return written / RATE_HZ


def _blocks(files: list[Path]) -> Iterator[FloatArray]:
    from autovoice import io

    for number, path in enumerate(files):
        if number:
            yield np.zeros((1, round(PAUSE_S * RATE_HZ)), np.float32)
        yield from io.blocks(path, _BLOCK_SAMPLES, max_seconds=_LONGEST_S)
