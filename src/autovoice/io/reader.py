"""Files and bytes to audio: all at once, or block by block."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from autovoice.errors import InputError, ResourceError, UnsupportedAudio
from autovoice.io.formats import MAX_CHANNELS, MAX_RATE_HZ, MIN_RATE_HZ, AudioInfo
from autovoice.io.guard import Decoder, Limits
from autovoice.io.integrity import lacks_end, promised_samples
from autovoice.io.sanitise import Levels, correct, correct_in_place, sanitise
from autovoice.io.source import Source, opened
from autovoice.types import Audio, FloatArray

DEFAULT_MAX_SECONDS = 9000.0

# A file that lost a little at its end is still of use; one that lost more is refused.
WHOLE_ENOUGH = 0.9

_log = logging.getLogger(__name__)


def probe(source: Source) -> AudioInfo:
    """Read what the header of a file says, going by its content and not by its name.

    Args:
        source: a path, or the bytes of a file.

    Raises:
        InputError: missing, empty, a folder, or a rate or channel count out of range.
        UnsupportedAudio: not audio that is read here.
    """
    with (
        opened(source) as (path, name),
        Decoder(path, name, Limits(), header_only=True) as decoder,
    ):
        return decoder.info


class Reading:
    """A file whose header was read, and whose sound waits in the same decoder, to be taken once.

    Args:
        path: a regular file.
        name: what messages call it.
        decoder: of that file, after its header.
        limits: of that decoder, and of a second one.
    """

    def __init__(self, path: Path, name: str, decoder: Decoder, limits: Limits) -> None:
        self._path, self._name, self._decoder, self._limits = path, name, decoder, limits

    @property
    def info(self) -> AudioInfo:
        """What the header says."""
        return self._decoder.info

    def read(self) -> Audio:
        """Decode the whole file; see ``read``."""
        info = self.info
        levels = Levels(info.channels, info.sample_rate_hz)
        samples = _collect(self._decoder, levels)
        _check_whole(self._decoder, self._path, samples.shape[1])
        correct_in_place(samples, levels.correction(self._name))
        return Audio(samples, info.sample_rate_hz, info.metadata)

    def blocks(self, block_samples: int) -> Iterator[FloatArray]:
        """Decode it block by block, a second time after a first one; see ``blocks``."""
        if block_samples < 1:
            raise InputError(f"block_samples: found {block_samples}, expected at least 1")
        levels = Levels(self.info.channels, self.info.sample_rate_hz)
        for raw in self._decoder:
            levels.add(raw.T)
        _check_whole(self._decoder, self._path, levels.length_samples)
        self._decoder.close()
        correction = levels.correction(self._name)
        with Decoder(self._path, self._name, self._limits) as decoder:
            for block in _regroup(decoder, block_samples):
                yield correct(block, correction)


@contextlib.contextmanager
def reading(source: Source, *, max_seconds: float = DEFAULT_MAX_SECONDS) -> Iterator[Reading]:
    """Open a file, so that its header can decide how its sound is read by the same decoder.

    Args:
        source: a path, or the bytes of a file.
        max_seconds: longest sound that is accepted, seconds above 0, default 9000 (150 minutes).

    Raises:
        As ``read``, as far as the header tells.
    """
    limits = Limits(max_seconds)
    with opened(source) as (path, name), Decoder(path, name, limits) as decoder:
        yield Reading(path, name, decoder, limits)


def read(source: Source, *, max_seconds: float = DEFAULT_MAX_SECONDS) -> Audio:
    """Decode a file in a guarded subprocess and make it safe (see ``sanitise``).

    Args:
        source: a path, or the bytes of a file.
        max_seconds: longest sound that is accepted, seconds above 0, default 9000 (150 minutes).

    Raises:
        InputError: missing, empty, too long, out of range, or damaged for the most part.
        UnsupportedAudio: not audio that is read here, or cut off.
        ResourceError: not enough memory, or decoding took too long.
    """
    with reading(source, max_seconds=max_seconds) as opened_file:
        return opened_file.read()


def blocks(
    source: Source, block_samples: int, *, max_seconds: float = DEFAULT_MAX_SECONDS
) -> Iterator[FloatArray]:
    """Decode a file block by block in flat memory; together the blocks equal ``read``.

    The file is decoded twice, first to measure it, so that a bad file fails before the first
    block and the whole file gets one correction.

    Args:
        source: a path, or the bytes of a file.
        block_samples: samples per channel and block, at least 1; the last may be shorter.
        max_seconds: longest sound that is accepted, seconds above 0, default 9000 (150 minutes).

    Shape:
        each block: ``[C, block_samples]``.

    Raises:
        As ``read``.
    """
    with reading(source, max_seconds=max_seconds) as opened_file:
        yield from opened_file.blocks(block_samples)


def from_array(samples: ArrayLike, sample_rate_hz: int) -> Audio:
    """Make audio of an array.

    Signed integers are divided by their full scale (int16 by 32768), unsigned ones are first
    centred (uint8: 128 is 0), booleans and complex numbers are refused, floats are taken as they
    are; then ``sanitise`` applies.

    Args:
        samples: integers or floats.
        sample_rate_hz: 4000 to 768000 Hz.

    Shape:
        ``[T]`` or ``[C, T]``, C from 1 to 64.

    Raises:
        InputError: another shape, dtype or rate, no samples, or more than half damaged.
    """
    array = np.asarray(samples)
    if array.ndim == 1:
        array = array[None]
    if array.ndim != 2 or not 1 <= array.shape[0] <= MAX_CHANNELS or array.shape[1] == 0:
        raise InputError(
            f"samples: found the shape {list(np.shape(samples))}, expected [T] or [C, T] with "
            f"C from 1 to {MAX_CHANNELS} and T above 0; transpose [T, C] arrays"
        )
    if not MIN_RATE_HZ <= sample_rate_hz <= MAX_RATE_HZ:
        raise InputError(
            f"sample_rate_hz: found {sample_rate_hz}, expected {MIN_RATE_HZ} to {MAX_RATE_HZ}"
        )
    return sanitise(Audio(_to_float(array), int(sample_rate_hz)), name="samples")


def _to_float(array: np.ndarray) -> FloatArray:
    if array.dtype.kind in "iu":
        full = 2.0 ** (8 * array.dtype.itemsize - 1)
        centre = full if array.dtype.kind == "u" else 0.0
        return ((array.astype(np.float64) - centre) / full).astype(np.float32)
    if array.dtype.kind == "f":
        with np.errstate(over="ignore"):
            return array.astype(np.float32)
    raise InputError(f"samples: found {array.dtype}, expected integers or floats")


def _collect(decoder: Decoder, levels: Levels) -> FloatArray:
    """Gather all blocks, ``[C, T]``. Room that is claimed but not filled is never touched."""
    channels = decoder.info.channels
    room = min(decoder.claimed_samples or 0, decoder.max_samples)
    filled = 0
    try:
        samples = np.empty((channels, room), np.float32)
        for block in decoder:
            end = filled + len(block)
            if end > samples.shape[1]:
                grown = np.empty((channels, max(end, 3 * filled // 2)), np.float32)
                grown[:, :filled] = samples[:, :filled]
                samples = grown
            samples[:, filled:end] = block.T
            levels.add(samples[:, filled:end])
            filled = end
        return samples if filled == samples.shape[1] else samples[:, :filled].copy()
    except MemoryError as error:
        raise ResourceError(
            f"{decoder.name}: the memory does not hold its {filled} samples; use blocks()"
        ) from error


def _check_whole(decoder: Decoder, path: Path, length_samples: int) -> None:
    """Refuse a file of which too much is missing, warn of one that lost its end."""
    claimed = promised_samples(path) or decoder.claimed_samples
    why = decoder.stopped_early
    if length_samples and why is None and length_samples >= (claimed or 0) and not lacks_end(path):
        return
    rate = decoder.info.sample_rate_hz
    found = f"{length_samples / rate:.2f} s that can be decoded" if length_samples else "no sound"
    is_short = claimed is not None and length_samples < claimed
    promised = f"the {(claimed or 0) / rate:.2f} s its header promises" if is_short else "more"
    if length_samples == 0 or (claimed and length_samples < WHOLE_ENOUGH * claimed):
        raise UnsupportedAudio(
            f"{decoder.name}: found {found}, expected {promised}: it is cut off or damaged"
            f"{f' ({why})' if why else ''}; copy it again"
        )
    _log.warning("%s: found %s, expected %s; going on with that", decoder.name, found, promised)


def _regroup(decoder: Decoder, block_samples: int) -> Iterator[FloatArray]:
    """Cut the decoder's blocks into blocks of the wanted size, ``[C, n]``."""
    out = np.empty((decoder.info.channels, block_samples), np.float32)
    filled = 0
    for raw in decoder:
        used = 0
        while used < len(raw):
            count = min(len(raw) - used, block_samples - filled)
            out[:, filled : filled + count] = raw[used : used + count].T
            filled, used = filled + count, used + count
            if filled == block_samples:
                yield out
                filled = 0
    if filled:
        yield out[:, :filled]
