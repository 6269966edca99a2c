"""Audio to files: all at once or block by block, never half-written."""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

import numpy as np
import soundfile as sf
from numpy.typing import NDArray

from autovoice.errors import InputError, ResourceError
from autovoice.io.formats import FORMATS, TAGS, OutputFormat, output_format
from autovoice.io.resample import Resampler
from autovoice.types import Audio, FloatArray

# Bits of the integer codings. Libsndfile would cut the rest off; rounding halves the error.
_BITS = {"PCM_S8": 8, "PCM_U8": 8, "PCM_16": 16, "PCM_24": 24, "PCM_32": 32}
_SAMPLE_BYTES = {"PCM_U8": 1, "PCM_16": 2, "PCM_24": 3, "PCM_32": 4, "FLOAT": 4, "DOUBLE": 8}
_WAV_LIMIT_BYTES = 2**32 - 2**20
_CHUNK_SAMPLES = 1 << 16
_log = logging.getLogger(__name__)


class Writer:
    """Write a file block by block; it appears under its name only when it is whole.

    Use it as a context manager: leaving it normally finishes the file (flush, fsync, rename),
    leaving it by an exception removes what was written. Folders are created as needed. Where the
    format does not take the rate (MP3, Opus), the sound is resampled to the nearest one above.

    Args:
        path: the file to write.
        sample_rate_hz: rate of the blocks, at least 1 Hz.
        channels: channels of the blocks, at least 1.
        format: ``WAV``, ``RF64``, ``FLAC``, ``MP3``, ``OGG`` or ``OPUS``; default: by the suffix.
        subtype: coding, default ``PCM_24`` where the format has it.
        metadata: tags by the names in ``TAGS``; others are left out.
        length_samples: samples per channel to come, where known: a WAV over 4 GB becomes RF64.

    Raises:
        InputError: a format, coding or channel count that does not exist.
        ResourceError: the folder cannot be written or the disk is full.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        sample_rate_hz: int,
        channels: int,
        *,
        format: str | None = None,  # noqa: A002 - the word users know
        subtype: str | None = None,
        metadata: Mapping[str, str] | None = None,
        length_samples: int | None = None,
    ) -> None:
        self.path = Path(path)
        chosen, coding = output_format(self.path, format, subtype)
        self._format, self._coding = _checked(
            self.path, (chosen, coding), sample_rate_hz, channels, length_samples or 0
        )
        self.sample_rate_hz = sample_rate_hz
        self.channels = channels
        self.file_rate_hz = self._format.rate_for(sample_rate_hz)
        self._metadata = dict(metadata or {})
        self._written = self._clipped = 0
        self._resampler = Resampler(sample_rate_hz, self.file_rate_hz, channels)
        self._temporary = self.path.with_name(f".{self.path.name}.{secrets.token_hex(6)}.tmp")
        self._file: sf.SoundFile | None = None

    def __enter__(self) -> Writer:
        if self.path.is_dir():
            raise InputError(f"{self.path}: found a folder, expected the name of a file to write")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = sf.SoundFile(
                os.fspath(self._temporary),
                "w",
                self.file_rate_hz,
                self.channels,
                self._coding,
                format=self._format.container,
                compression_level=self._format.compression,
            )
            for tag, text in self._metadata.items():
                if tag in TAGS and text and tag != "software":
                    setattr(self._file, tag, text.replace("\0", ""))
        except (OSError, sf.SoundFileError) as error:
            self._discard()
            raise self._failed(error) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:
            self._discard()
            return
        try:
            self._finish()
        except BaseException as failure:
            self._discard()
            if isinstance(failure, OSError | sf.SoundFileError):
                raise self._failed(failure) from failure
            raise

    def write(self, block: FloatArray) -> None:
        """Append samples, ``[C, n]``; what is no number becomes 0, what exceeds 1 is clipped."""
        if block.ndim != 2 or block.shape[0] != self.channels:
            raise InputError(
                f"block: found the shape {list(block.shape)}, expected [{self.channels}, n]"
            )
        for start in range(0, block.shape[1], _CHUNK_SAMPLES):
            part = self._safe(block[:, start : start + _CHUNK_SAMPLES])
            self._put(self._resampler.feed(part))

    def _safe(self, part: FloatArray) -> FloatArray:
        bad = ~(np.abs(part) <= 1.0)
        if not bad.any():
            return part
        self._clipped += int(np.count_nonzero(bad))
        return np.clip(np.where(np.isfinite(part), part, np.float32(0)), -1.0, 1.0)

    def _put(self, part: FloatArray) -> None:
        if self._file is None:
            raise InputError("Writer: found a write outside its `with` block; open it first")
        if part.shape[1] == 0:
            return
        try:
            self._file.write(_quantised(self._safe(part).T, self._coding))
        except (OSError, sf.SoundFileError, AssertionError) as error:
            # soundfile asserts that all was written; a full disk ends up there.
            raise self._failed(error) from error
        self._written += part.shape[1]
        size = self._written * self.channels * _SAMPLE_BYTES.get(self._coding, 0)
        if self._format.container == "WAV" and size > _WAV_LIMIT_BYTES:
            raise InputError(
                f"{self.path.name}: found more than 4 GB of samples, which no WAV holds; "
                "use format='RF64' or FLAC"
            )

    def _finish(self) -> None:
        self._put(self._resampler.finish())
        if self._file is not None:
            self._file.close()
        if self._clipped:
            _log.warning("%s: %d values were brought into [-1, 1]", self.path.name, self._clipped)
        with self._temporary.open("rb+") as file:
            os.fsync(file.fileno())
        self._temporary.replace(self.path)
        _sync_folder(self.path.parent)

    def _discard(self) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError, sf.SoundFileError):
                self._file.close()
        with contextlib.suppress(OSError):
            self._temporary.unlink()

    def _failed(self, error: BaseException) -> ResourceError:
        why = str(error) or "not all samples were taken"
        return ResourceError(
            f"{self.path}: cannot be written ({why}); check the folder's permissions and free space"
        )


def write(
    audio: Audio,
    path: str | os.PathLike[str],
    *,
    format: str | None = None,  # noqa: A002 - the word users know
    subtype: str | None = None,
) -> Path:
    """Write a file with its tags; it appears under its name only when it is whole.

    Args:
        audio: what to write; values that are no number become 0, beyond [-1, 1] they are clipped.
        path: the file; folders are created as needed.
        format: ``WAV``, ``RF64``, ``FLAC``, ``MP3``, ``OGG`` or ``OPUS``; default: by the suffix.
        subtype: coding, default ``PCM_24`` where the format has it.

    Raises:
        InputError: a format, coding or channel count that does not exist, or no samples.
        ResourceError: the folder cannot be written or the disk is full.
    """
    if audio.length_samples == 0:
        raise InputError(f"{path}: found no samples to write, expected at least one")
    with Writer(
        path,
        audio.sample_rate_hz,
        audio.channels,
        format=format,
        subtype=subtype,
        metadata=audio.metadata,
        length_samples=audio.length_samples,
    ) as writer:
        writer.write(audio.samples)
    return writer.path


def _checked(
    path: Path,
    wanted: tuple[OutputFormat, str],
    rate_hz: int,
    channels: int,
    length_samples: int,
) -> tuple[OutputFormat, str]:
    chosen, coding = wanted
    if not 1 <= channels <= chosen.max_channels:
        raise InputError(
            f"{path.name}: found {channels} channels, expected 1 to {chosen.max_channels} in "
            f"{chosen.container}; mix it down or write WAV"
        )
    if rate_hz < 1:
        raise InputError(f"sample_rate_hz: found {rate_hz}, expected at least 1")
    size = length_samples * channels * _SAMPLE_BYTES.get(coding, 0)
    if chosen.container == "WAV" and size > _WAV_LIMIT_BYTES:
        return FORMATS["RF64"], coding
    return chosen, coding


def _quantised(part: FloatArray, coding: str) -> FloatArray | NDArray[np.int32]:
    bits = _BITS.get(coding)
    if bits is None:
        return part
    full = 2.0 ** (bits - 1)
    steps = np.clip(np.rint(part.astype(np.float64) * full), -full, full - 1)
    return steps.astype(np.int32) << (32 - bits)


def _sync_folder(folder: Path) -> None:
    # Makes the rename itself durable; Windows cannot open folders, and need not.
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
