"""Take long songs apart in pieces, so that memory does not grow with their length."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from autovoice.engine.scratch import Scratch, relax
from autovoice.engine.stages import Separator
from autovoice.types import Audio, FloatArray, Stems

PIECE_S = 300
CONTEXT_S = 12
FADE_S = 1


def separate(
    song: Audio,
    separator: Separator,
    scratch: Scratch,
    progress: Callable[[float], None],
    piece_s: int = PIECE_S,
) -> Stems:
    """Return vocals and backing of a song of any length.

    A song that is small enough goes through at once. A longer one goes through in pieces of
    ``piece_s`` with 12 s of context on both sides, more than the separator's networks hear, and a
    blend of 1 s. Pieces begin at whole seconds, so that a change of rate meets exactly.

    Args:
        song: the mix.
        separator: who takes it apart.
        scratch: says what is small, and where long stems live.
        progress: called with the share done.
        piece_s: length of a piece, whole seconds.
    """
    if song.samples.nbytes <= scratch.in_memory_bytes:
        return separator.separate(song, progress=progress)
    rate, length = song.sample_rate_hz, song.length_samples
    vocals = scratch.zeros(song.channels, length)
    backing = scratch.zeros(song.channels, length)
    for start in range(0, length, piece_s * rate):
        stop = min(length, start + piece_s * rate)
        left = max(0, start - CONTEXT_S * rate)
        right = min(length, stop + CONTEXT_S * rate)

        def report(share: float, start: int = start, stop: int = stop) -> None:
            progress((start + share * (stop - start)) / length)

        cut = Audio(np.ascontiguousarray(song.samples[:, left:right]), rate)
        piece = separator.separate(cut, progress=report).vocals.samples
        vocals[:, left:right] += piece * _weight((start, stop), (left, right), rate, length)
        relax(vocals)
        relax(song.samples)
    _subtract(song.samples, vocals, backing, piece_s * rate)
    return Stems(Audio(vocals, rate), Audio(backing, rate))


def _weight(piece: tuple[int, int], cut: tuple[int, int], rate: int, length: int) -> FloatArray:
    """Return how much each sample of a piece counts; neighbours sum to one."""
    start, stop = piece
    position = np.arange(*cut, dtype=np.float64) + 0.5
    weight = np.ones(len(position))
    if start > 0:
        weight *= np.clip((position - start) / (FADE_S * rate) + 0.5, 0.0, 1.0)
    if stop < length:
        weight *= np.clip((stop - position) / (FADE_S * rate) + 0.5, 0.0, 1.0)
    return weight.astype(np.float32)


def _subtract(mix: FloatArray, vocals: FloatArray, backing: FloatArray, block: int) -> None:
    for start in range(0, mix.shape[1], block):
        span = slice(start, start + block)
        np.subtract(mix[:, span], vocals[:, span], out=backing[:, span])
        for array in (mix, vocals, backing):
            relax(array)
