"""Fuzz what this project's own code reads of strangers' bytes, guided by coverage.

Sound itself is decoded in a subprocess, which coverage does not see: ``tests/server`` sends damaged
files there. Here is what the process of the API does by itself: telling a file by its first bytes,
walking over chunks, listening to the decoder, taking forms apart, reading voices.

    pip install atheris         # Apache-2.0; wheels for CPython 3.11 to 3.13 on Linux
    python scripts/fuzz_heads.py sniff --seconds 60 [--corpus DIR]

Anything but the documented errors ends the run with a status other than 0 and leaves the bytes as
``crash-*`` in the corpus' folder.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import json
import resource
import shutil
import struct
import sys
import tempfile
import weakref
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

One = Callable[[bytes], None]
BOUNDARY = b"b"
LONGEST = 20_000
# What fuzzing may take beside what the process begins with.
MORE_MB = 1_024


class _Unkept(AssertionError):
    """A promise was broken."""


def _promise(kept: bool, what: str) -> None:
    if not kept:
        raise _Unkept(what)


class _Bytes:
    """Stands for the path of a file with these bytes."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def open(self, _mode: str) -> io.BytesIO:
        return io.BytesIO(self._content)


def sniff() -> One:
    """What a file is, told from its first bytes and its name."""
    from autovoice.io.sniff import HEAD_BYTES, identify

    def one(data: bytes) -> None:
        suffix = (".wav", ".m3u", ".cue", ".PLS")[data[-1] % 4] if data else ""
        found = identify(data[:HEAD_BYTES], suffix)
        _promise(found.description.isprintable(), f"unprintable: {found.description!r}")
        _promise(len(found.description) < 200, f"long: {found.description!r}")
        _promise(found.readable or bool(found.advice), f"no advice: {found.description!r}")

    return one


def chunks() -> One:
    """What RIFF, RF64, AIFF and OGG promise, and where the frames of an MP3 begin."""
    from autovoice.io import _decoder, integrity

    folder = Path(tempfile.mkdtemp(prefix="autovoice-fuzz-"))
    file = folder / "song"

    def one(data: bytes) -> None:
        path: Any = _Bytes(data)
        promised = integrity.promised_samples(path)
        _promise(promised is None or 0 <= promised < 1 << 64, f"promised: {promised}")
        _promise(integrity.lacks_end(path) in {True, False}, "no answer")
        if data[:3] == b"ID3":
            file.write_bytes(data)
            mp3: Any = SimpleNamespace(format="MP3")
            start = _decoder.uncounted_mp3_start(mp3, str(file))
            _promise(start is None or 10 <= start < 1 << 29, f"start: {start}")

    weakref.finalize(one, shutil.rmtree, folder)
    return one


class _NoTimer:
    """A timer that never rings: bytes in memory are never late."""

    daemon = True

    def __init__(self, *_arguments: object) -> None:
        return None

    def start(self) -> None:
        return None

    cancel = start


def decoder() -> One:
    """What the decoder's subprocess says, should damage have made it say anything."""
    from autovoice.errors import AutoVoiceError
    from autovoice.io import guard
    from autovoice.io.spare import Spares

    module: Any = guard
    module.threading = SimpleNamespace(Timer=_NoTimer)
    module.SPARES = Spares(most=0)  # no process is started ahead for one that is none

    def one(data: bytes) -> None:
        process = SimpleNamespace(
            stdin=None, stdout=io.BytesIO(data), wait=lambda: 1, kill=lambda: None
        )
        module._start = lambda *_: process
        limits = guard.Limits(max_seconds=1.0)
        with (
            contextlib.suppress(AutoVoiceError),
            guard.Decoder(Path("song"), "song", limits, block_samples=64) as made,
        ):
            got = sum(len(block) for block in made)
            _promise(got <= made.max_samples, f"{got} samples")

    return one


class _Store:
    """Stands for the store of files: counts what was kept."""

    def __init__(self) -> None:
        self.open = self.kept = 0

    @contextlib.contextmanager
    def receive(self) -> Iterator[_Store]:
        self.open += 1
        try:
            yield self
        finally:
            self.open -= 1

    def write(self, _block: bytes) -> None:
        return None

    def keep(self) -> Any:
        self.kept += 1
        return SimpleNamespace(path=f"files/{self.kept}")


def form() -> One:
    """A form with files, and the names that strangers gave to them."""
    from python_multipart.exceptions import FormParserError
    from python_multipart.multipart import MultipartParser

    from autovoice.server.api.errors import ApiError
    from autovoice.server.api.receive import _Receiver

    def one(data: bytes) -> None:
        store: Any = _Store()
        with contextlib.ExitStack() as stack:
            receiver = _Receiver(store, 2, stack)
            parser = MultipartParser(BOUNDARY, receiver.callbacks())  # type: ignore[arg-type]
            with contextlib.suppress(ApiError, FormParserError):
                half = len(data) // 2
                parser.write(data[:half])
                parser.write(data[half:])
                parser.finalize()
        _promise(store.open == 0, "a part was left open")
        _promise(store.kept == len(receiver.form.uploads) <= 2, "a file that no upload names")
        for upload in receiver.form.uploads:
            bad = set(upload.name) & set("\r\n\0/\\")
            _promise(not bad and 0 < len(upload.name) <= 120, f"name: {upload.name!r}")
            upload.name.encode()  # no half of a character

    return one


def voice() -> One:
    """A ``.voice`` file."""
    from autovoice.errors import VoiceError
    from autovoice.voices.file import from_bytes, to_bytes

    def one(data: bytes) -> None:
        try:
            found = from_bytes(data)
        except VoiceError as error:
            str(error).encode()
            return
        _promise(bool(from_bytes(to_bytes(found)).header), "it cannot be read again")

    return one


TARGETS = {one.__name__: one for one in (sniff, chunks, decoder, form, voice)}
INSTRUMENTED = ("autovoice.io", "autovoice.server", "autovoice.voices", "python_multipart")


def _sounds() -> Iterator[bytes]:
    import numpy as np
    import soundfile as sf

    sound = 0.3 * np.sin(np.arange(400) / 5)
    for kind, subtype in (
        ("WAV", "PCM_16"), ("RF64", "FLOAT"), ("FLAC", "PCM_16"), ("OGG", "VORBIS"),
        ("OGG", "OPUS"), ("AIFF", "PCM_24"), ("MP3", "MPEG_LAYER_III"),
    ):  # fmt: skip
        file = io.BytesIO()
        sf.write(file, sound, 8_000, subtype, format=kind)
        yield file.getvalue()
    yield b"ID3\x04\0\0\0\0\0\x0a" + bytes(10) + b"\xff\xfb\x90\0"


def _said() -> Iterator[bytes]:
    told = {"container": "WAV", "codec": "PCM_16", "sample_rate_hz": 8000, "channels": 1}
    head = json.dumps({**told, "claimed_samples": 64, "metadata": {"title": "a"}}).encode()
    frames = [(b"H", head), (b"S", bytes(256)), (b"E", b"")]
    yield b"".join(struct.pack("<cI", kind, len(said)) + said for kind, said in frames)
    yield struct.pack("<cI", b"X", 3) + b"no."


def _forms() -> Iterator[bytes]:
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
    field = b'--b\r\nContent-Disposition: form-data; name="voice"\r\n\r\nkumo\r\n'
    song = next(_sounds())[:64]
    yield field + head + song + b"\r\n--b--\r\n"
    yield head + song + b"\r\n" + head.replace(b"a.wav", b"..%2f\\x") + song + b"\r\n--b--\r\n"


def _voices() -> Iterator[bytes]:
    from autovoice.voices import builtin_voice, to_bytes

    yield to_bytes(builtin_voice("kumo"))


def seeds_of(target: str) -> Iterator[bytes]:
    """Yield files to begin with."""
    special = {"decoder": _said, "form": _forms, "voice": _voices}
    return special.get(target, _sounds)()


def main(words: Sequence[str] | None = None) -> None:
    """Run one target; does not return, as the fuzzer ends the process."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("target", choices=sorted(TARGETS))
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--corpus", type=Path, help="kept there. Default: a folder that is new")
    given = parser.parse_args(words)
    corpus = given.corpus or Path(tempfile.mkdtemp(prefix="autovoice-corpus-"))
    corpus.mkdir(parents=True, exist_ok=True)
    atheris = importlib.import_module("atheris")
    with atheris.instrument_imports(include=list(INSTRUMENTED)):
        one = TARGETS[given.target]()
    for number, content in enumerate(seeds_of(given.target)):
        (corpus / f"seed-{number}").write_bytes(content)
    # The fuzzer goes by the most that a process ever had, which on Linux begins with what the one
    # that started it had.
    most_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024 + MORE_MB
    limits = [f"-max_total_time={given.seconds}", f"-max_len={LONGEST}", "-timeout=20", "-seed=1",
              f"-rss_limit_mb={most_mb}"]  # fmt: skip
    atheris.Setup([sys.argv[0], *limits, f"-artifact_prefix={corpus}/", str(corpus)], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
