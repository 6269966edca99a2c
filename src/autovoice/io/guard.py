"""Decoding behind glass: a subprocess with limits does the parsing, this side counts and checks."""

from __future__ import annotations

import json
import math
import os
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from autovoice.errors import InputError, ResourceError, UnsupportedAudio
from autovoice.io.formats import (
    ACCEPTED,
    MAX_CHANNELS,
    MAX_RATE_HZ,
    MIN_RATE_HZ,
    TAGS,
    AudioInfo,
)
from autovoice.io.spare import SPARES
from autovoice.types import FloatArray

_HEADER_LIMIT_BYTES = 1 << 20

# Stereo at 96 kHz. A file with more channels or a higher rate may be that much shorter.
MAX_VALUES_PER_SECOND = 192_000


@dataclass(frozen=True)
class Limits:
    """How much a decoder may use.

    Args:
        max_seconds: longest sound that is accepted, in seconds.
        memory_bytes: address space of the subprocess, default 1 GiB.
        wait_seconds: how long the parent waits for the subprocess in all, its own work and its
            caller's not counted; default 60 s and a twentieth of ``max_seconds``.
    """

    max_seconds: float = 9000.0
    memory_bytes: int = 1 << 30
    wait_seconds: float | None = None

    def __post_init__(self) -> None:
        if not (self.max_seconds > 0 and math.isfinite(self.max_seconds)):
            raise InputError(
                f"max_seconds: found {self.max_seconds}, expected a number of seconds above 0"
            )

    @property
    def patience_seconds(self) -> float:
        """The wait that holds."""
        return 60 + self.max_seconds / 20 if self.wait_seconds is None else self.wait_seconds

    def max_samples(self, rate_hz: int, channels: int) -> int:
        """Return the most samples per channel that may be decoded."""
        values = self.max_seconds * MAX_VALUES_PER_SECOND
        return int(min(self.max_seconds * rate_hz, values / channels))


class Decoder:
    """One run of the decoder process; iterate over it for raw blocks ``[n, C]``.

    Args:
        path: a regular file.
        name: what messages call it.
        limits: see ``Limits``.
        block_samples: samples per channel and block.
        header_only: stop after the header.
    """

    def __init__(
        self,
        path: Path,
        name: str,
        limits: Limits,
        *,
        block_samples: int = 1 << 16,
        header_only: bool = False,
    ) -> None:
        self.name = name
        self.stopped_early: str | None = None
        self._limits = limits
        self._block_samples = block_samples
        self._patience = limits.patience_seconds
        self._late = self._closed = False
        self._process = _start(path, limits, block_samples, header_only)
        try:
            self.info, self.claimed_samples = self._header()
            SPARES.refill()
            self.max_samples = limits.max_samples(self.info.sample_rate_hz, self.info.channels)
            if (self.claimed_samples or 0) > self.max_samples and not header_only:
                raise self._too_long("claims", self.claimed_samples or 0)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Decoder:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the subprocess and free its pipe."""
        if not self._closed:
            self._closed = True
            SPARES.end(self._process)

    def __iter__(self) -> Iterator[FloatArray]:
        channels = self.info.channels
        limit_bytes = self._block_samples * channels * 4
        total = 0
        while True:
            kind, payload = self._message(limit_bytes)
            if kind == b"E":
                return
            if kind == b"X":
                self.stopped_early = payload.decode(errors="replace")
                return
            if kind != b"S" or not payload or len(payload) % (4 * channels):
                raise self._unreadable("the decoder sent no samples")
            block = np.frombuffer(payload, np.float32).reshape(-1, channels)
            total += len(block)
            if total > self.max_samples:
                raise self._too_long("decodes to more than", self.max_samples)
            yield block

    def _header(self) -> tuple[AudioInfo, int | None]:
        kind, payload = self._message(_HEADER_LIMIT_BYTES)
        if kind != b"H":
            raise self._unreadable(payload.decode(errors="replace"))
        said = _said(payload)
        if said is None:
            raise self._unreadable("what the decoder said of it makes no sense")
        rate, channels, claimed = said["sample_rate_hz"], said["channels"], said["claimed_samples"]
        if not MIN_RATE_HZ <= rate <= MAX_RATE_HZ:
            raise InputError(
                f"{self.name}: found a sample rate of {rate} Hz, expected {MIN_RATE_HZ} to "
                f"{MAX_RATE_HZ} Hz; correct its header or resample it"
            )
        if not 1 <= channels <= MAX_CHANNELS:
            raise InputError(
                f"{self.name}: found {channels} channels, expected 1 to {MAX_CHANNELS}; mix it down"
            )
        tags = {k: _printable(v) for k, v in said["metadata"].items() if k in TAGS and v}
        container = "WAV" if said["container"] == "WAVEX" else said["container"]
        seconds = None if claimed is None else claimed / rate
        return AudioInfo(container, said["codec"], rate, channels, seconds, tags), claimed

    def _message(self, limit_bytes: int) -> tuple[bytes, bytes]:
        """Return the next kind and payload; the subprocess may not be silent for ever."""
        timer = threading.Timer(max(self._patience, 0.001), self._give_up)
        timer.daemon = True
        started = time.monotonic()
        timer.start()
        try:
            kind, length = struct.unpack("<cI", self._exactly(5))
            if length > max(limit_bytes, 4096):
                raise self._unreadable("the decoder sent an oversized message")
            return kind, self._exactly(length)
        finally:
            timer.cancel()
            self._patience -= time.monotonic() - started

    def _exactly(self, count: int) -> bytes:
        """Read ``count`` bytes from the pipe, or say why the subprocess ended."""
        assert self._process.stdout is not None  # noqa: S101 - tells mypy what Popen was given
        data = self._process.stdout.read(count)
        if len(data) == count:
            return data
        status = self._process.wait()
        if self._late:
            raise ResourceError(
                f"{self.name}: decoding took more than {self._limits.patience_seconds:.0f} s and "
                "was ended; try again on a less busy machine, or convert the file to WAV"
            )
        raise self._unreadable(f"its data made the decoder process end with status {status}")

    def _give_up(self) -> None:
        self._late = True
        self._process.kill()

    def _unreadable(self, why: str) -> UnsupportedAudio:
        return UnsupportedAudio(
            f"{self.name}: found audio that cannot be decoded ({why}), expected {ACCEPTED}; "
            "save it again with an audio editor"
        )

    def _too_long(self, verb: str, samples: int) -> InputError:
        info = self.info
        return InputError(
            f"{self.name}: found a file that {verb} {samples / info.sample_rate_hz:.1f} s of "
            f"{info.channels} channel(s) at {info.sample_rate_hz} Hz, expected at most "
            f"{self.max_samples / info.sample_rate_hz:.1f} s; cut it, or raise max_seconds"
        )


def _said(payload: bytes) -> dict[str, Any] | None:
    """Return what the subprocess says of a file; None where damage made it say anything else."""
    try:
        said = json.loads(payload)
        known = {
            "container": str(said["container"]),
            "codec": str(said["codec"]),
            "sample_rate_hz": int(said["sample_rate_hz"]),
            "channels": int(said["channels"]),
            "claimed_samples": said["claimed_samples"] and max(0, int(said["claimed_samples"])),
            "metadata": {str(key): str(value) for key, value in said["metadata"].items()},
        }
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
        return None
    return known


def _printable(text: str) -> str:
    # Tags reach terminals and pages; control characters in them are an attack, not a title.
    return "".join(character for character in text if character.isprintable()).strip()


def _start(
    path: Path, limits: Limits, block_samples: int, header_only: bool
) -> subprocess.Popen[bytes]:
    request = {
        "path": os.fspath(path.absolute()),  # one that waited may have been started elsewhere
        "block_samples": block_samples,
        "header_only": header_only,
        "memory_bytes": limits.memory_bytes,
        "cpu_seconds": math.ceil(limits.patience_seconds),
    }
    try:
        return SPARES.decode(json.dumps(request).encode())
    except OSError as error:
        raise ResourceError(
            f"the decoder process cannot be started ({error}); free some memory and try again"
        ) from error
