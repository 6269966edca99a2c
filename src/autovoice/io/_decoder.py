"""The decoder's own process: ``python -I _decoder.py`` turns a file into raw samples.

It is run as a script, not imported as part of the package, so that it starts with nothing but
NumPy and soundfile. The request is one line of JSON on standard input, which may come long after
the start, or never when the parent is gone: an object of ``path``, ``block_samples``,
``header_only``, ``memory_bytes``, ``cpu_seconds``. The answer on standard output is a row of
messages, each a kind (one byte), a length (32 bits, little endian) and a payload:

    H  JSON: what the header says        S  samples, float32, interleaved
    E  end of the file, empty            X  the reason why it stops here, UTF-8

The parent counts, checks and limits; nothing here is trusted.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import struct
import sys
import threading
from typing import Any, BinaryIO

import numpy as np
import soundfile as sf

# libsndfile claims this many samples or more where the header says nothing.
UNKNOWN_SAMPLES = 1 << 61
TAG_LIMIT = 4096
# Small steps, so that damage costs little of the sound before it.
STEP_SAMPLES = 1 << 12


def limit_resources(memory_bytes: int, cpu_seconds: int) -> None:
    """Cap memory, processor time and file writing where the operating system can."""
    try:
        import resource
    except ImportError:  # Windows: only the parent's clock and counter hold there
        return
    wanted = {
        resource.RLIMIT_AS: memory_bytes,
        resource.RLIMIT_CPU: cpu_seconds,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
    }
    for what, limit in wanted.items():
        try:
            _, hard = resource.getrlimit(what)
            lowest = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
            resource.setrlimit(what, (lowest, lowest))
        except (OSError, ValueError):  # macOS refuses some of them
            continue


def send(out: BinaryIO, kind: bytes, payload: bytes = b"") -> None:
    """Write one message."""
    out.write(kind + struct.pack("<I", len(payload)))
    out.write(payload)


def header(file: sf.SoundFile) -> dict[str, Any]:
    """Return what the header says."""
    claimed = int(file.frames)
    return {
        "container": file.format,
        "codec": file.subtype,
        "sample_rate_hz": int(file.samplerate),
        "channels": int(file.channels),
        "claimed_samples": claimed if 0 <= claimed < UNKNOWN_SAMPLES else None,
        "metadata": {k: v[:TAG_LIMIT] for k, v in file.copy_metadata().items()},
    }


def send_samples(file: sf.SoundFile, block_samples: int, out: BinaryIO) -> None:
    """Send all samples in blocks; where the file is damaged, what lies before comes first."""
    block = np.empty((block_samples, file.channels), np.float32)
    filled = 0
    try:
        while len(got := file.read(out=block[filled : filled + STEP_SAMPLES])):
            filled += len(got)
            if filled == block_samples:
                send(out, b"S", block.tobytes())
                filled = 0
    finally:
        if filled:
            send(out, b"S", block[:filled].tobytes())


def uncounted_mp3_start(file: sf.SoundFile, path: str) -> int | None:
    """Return where the frames of an MP3 without a frame count begin, ``None`` for other files.

    libsndfile guesses the length of such a file from its first frames, and stops at that guess.
    """
    if file.format != "MP3":
        return None
    with open(path, "rb") as raw:  # noqa: PTH123 - pathlib is not needed here, and costs start time
        tag = raw.read(10)
        start = 0
        if tag[:3] == b"ID3":
            start = 10 + sum((b & 0x7F) << (21 - 7 * i) for i, b in enumerate(tag[6:10]))
        raw.seek(start)
        first = raw.read(4096)
    return None if any(mark in first for mark in (b"Xing", b"Info", b"VBRI")) else start


def through_pipe(path: str, start: int) -> sf.SoundFile:
    """Open a file as an endless stream, of which libsndfile makes no guess."""
    reader, writer = os.pipe()

    def feed() -> None:
        with open(path, "rb") as raw, open(writer, "wb") as pipe:  # noqa: PTH123
            raw.seek(start)
            with contextlib.suppress(OSError):  # the reader has seen enough
                shutil.copyfileobj(raw, pipe)

    threading.Thread(target=feed, daemon=True).start()
    return sf.SoundFile(reader, closefd=True)


def decode(request: dict[str, Any], out: BinaryIO) -> None:
    """Send the header and, unless only that was asked for, all samples."""
    path = request["path"]
    with sf.SoundFile(path) as file:
        said = header(file)
        start = uncounted_mp3_start(file, path)
        if start is not None:
            said["claimed_samples"] = None
        send(out, b"H", json.dumps(said).encode())
        if not request["header_only"]:
            if start is None:
                send_samples(file, request["block_samples"], out)
            else:
                with through_pipe(path, start) as stream:
                    send_samples(stream, request["block_samples"], out)
        send(out, b"E")
        out.flush()


def reason(error: Exception) -> str:
    """Put an error into words, without the path that the caller knows by another name."""
    text = error.error_string if isinstance(error, sf.LibsndfileError) else str(error)
    text = str(text).removeprefix("Error : ").strip().rstrip(".")
    # This is how libsndfile calls an MP3 without a single whole frame.
    return "no part of it decodes" if text.startswith("File does not exist") else text


def main(request_json: str, out: BinaryIO) -> int:
    """Run one request and return the exit status."""
    try:
        request = json.loads(request_json)
        limit_resources(request["memory_bytes"], request["cpu_seconds"])
        decode(request, out)
    except BrokenPipeError:  # the parent has what it wanted
        return 0
    except MemoryError:
        send(out, b"X", b"the decoder ran out of the memory it may use")
    except (sf.SoundFileError, OSError, ValueError) as error:
        send(out, b"X", reason(error).encode(errors="replace")[:1000])
    else:
        return 0
    out.flush()
    return 1


if __name__ == "__main__":
    # Ctrl-C in a terminal reaches this process too, but it is its parent that decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    line = sys.stdin.buffer.readline()
    sys.exit(main(line.decode(), sys.stdout.buffer) if line else 0)
