"""The ``.voice`` file: one safetensors file with a JSON record in its header.

Reading checks sizes before it believes them and never executes anything.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

import numpy as np
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from autovoice.errors import ResourceError, VoiceError
from autovoice.types import AdapterArrays, FloatArray
from autovoice.voices.profile import (
    EMBEDDING_SIZE,
    FORMAT_VERSION,
    STYLE_SIZE,
    TRAINED_FORMAT_VERSION,
    Voice,
    VoiceHeader,
)

SUFFIX = ".voice"
LARGEST_FILE_BYTES = 64 << 20
LARGEST_HEADER_BYTES = 1 << 20
_KEY = "autovoice.voice"
_ADAPTER = "adapter."
_READABLE = (FORMAT_VERSION, TRAINED_FORMAT_VERSION)


def to_bytes(voice: Voice) -> bytes:
    """Return the bytes of a ``.voice`` file; a float16 adapter stays float16."""
    vectors = {"style": voice.style, "embedding": voice.embedding}
    plain: dict[str, np.ndarray] = {
        key: np.ascontiguousarray(value, np.float32) for key, value in vectors.items()
    }
    for key, value in voice.adapter.items():
        half = value.dtype == np.float16
        plain[_ADAPTER + key] = np.ascontiguousarray(value, np.float16 if half else np.float32)
    record = voice.header.model_dump_json(exclude_none=True)
    return save_tensors(plain, metadata={_KEY: record})


def write_voice(voice: Voice, path: Path) -> Path:
    """Write ``voice`` to ``path``: a temporary file beside it, fsync, rename."""
    return write_whole(path, to_bytes(voice))


def write_whole(path: Path, content: bytes) -> Path:
    """Write a file: a temporary one beside it, fsync, rename.

    Raises:
        ResourceError: the disk is full or the folder cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise ResourceError(f"{path}: cannot be written ({error.strerror})") from error
    try:
        with os.fdopen(handle, "wb") as temporary:
            temporary.write(content)
            temporary.flush()
            os.fsync(temporary.fileno())
        Path(name).replace(path)
    except BaseException as error:
        Path(name).unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise ResourceError(f"{path}: cannot be written ({error.strerror})") from error
        raise
    return path


def read_voice(path: Path) -> Voice:
    """Read a ``.voice`` file.

    Raises:
        VoiceError: the file is missing, too large, damaged, made for another format, or no voice.
    """
    try:
        with path.open("rb") as handle:
            content = handle.read(LARGEST_FILE_BYTES + 1)
    except OSError as error:
        raise VoiceError(f"{path}: no voice can be read there ({error.strerror})") from error
    try:
        return from_bytes(content)
    except VoiceError as error:
        raise VoiceError(f"{path}: {error}") from error.__cause__


def from_bytes(content: bytes) -> Voice:
    """Read the bytes of a ``.voice`` file.

    Raises:
        VoiceError: the bytes are no sound voice; the message says why.
    """
    record = _header(content)
    _check_version(record)
    try:
        tensors = load_tensors(content)
    except (SafetensorError, ValueError, TypeError, KeyError, MemoryError) as error:
        raise VoiceError(f"damaged voice file: {error}") from error
    try:
        header = VoiceHeader.model_validate_json(record)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "record"
        raise VoiceError(f"damaged voice record: {where}: {first['msg']}") from error
    style = _vector(tensors.pop("style", None), "style", STYLE_SIZE)
    embedding = _vector(tensors.pop("embedding", None), "embedding", EMBEDDING_SIZE)
    return Voice(header, style, embedding, _adapter(tensors))


def _header(content: bytes) -> str:
    """Return the JSON record of a safetensors file after checking that its sizes can be true."""
    if len(content) > LARGEST_FILE_BYTES:
        raise VoiceError(f"more than {LARGEST_FILE_BYTES >> 20} MiB: that is no voice")
    if len(content) < 10:
        raise VoiceError(f"{len(content)} bytes: that is no voice")
    size = int.from_bytes(content[:8], "little")
    if size > min(LARGEST_HEADER_BYTES, len(content) - 8) or content[8:9] != b"{":
        raise VoiceError(
            "not a voice file (a voice is one safetensors file made by `autovoice voice create`; "
            "pickled checkpoints are never opened)"
        )
    try:
        metadata = json.loads(content[8 : 8 + size]).get("__metadata__", {})
        record = metadata.get(_KEY)
    except (ValueError, AttributeError, RecursionError) as error:
        raise VoiceError(f"damaged voice file: {error}") from error
    if not isinstance(record, str):
        raise VoiceError("a safetensors file, but without the record of a voice")
    return record


def _check_version(record: str) -> None:
    """Refuse formats of the future before their fields are found strange."""
    try:
        version = json.loads(record).get("format_version", FORMAT_VERSION)
    except (ValueError, AttributeError, RecursionError):
        return  # no record at all; that is told where it is read
    if isinstance(version, int) and version not in _READABLE:
        raise VoiceError(
            f"voice format {version}, this version reads {' and '.join(map(str, _READABLE))}; "
            "update AutoVoice"
        )


def _vector(tensor: np.ndarray | None, name: str, size: int) -> FloatArray:
    if tensor is None or tensor.shape != (size,):
        found = "nothing" if tensor is None else str(list(tensor.shape))
        raise VoiceError(f"damaged voice: {name}: found {found}, expected [{size}]")
    return _floats(tensor, name)


def _adapter(tensors: dict[str, np.ndarray]) -> AdapterArrays:
    strange = sorted(key for key in tensors if not key.startswith(_ADAPTER))
    if strange:
        raise VoiceError(f"damaged voice: unknown tensor {strange[0][:80]!r}")
    return {key[len(_ADAPTER) :]: _checked(value, key) for key, value in tensors.items()}


def _floats(tensor: np.ndarray, name: str) -> FloatArray:
    values: FloatArray = _checked(tensor, name).astype(np.float32)
    return values


def _checked(tensor: np.ndarray, name: str) -> np.ndarray:
    if tensor.dtype not in (np.float32, np.float16) or not np.isfinite(tensor).all():
        raise VoiceError(f"damaged voice: {name}: expected finite float32 or float16 numbers")
    return tensor
