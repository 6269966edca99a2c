"""Mix songs of any length on a device, block by block: its memory does not grow with them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from autovoice.mix.dynamics import following_gain, matching_gain
from autovoice.mix.limiter import BLOCK_SAMPLES, MOST_LINEAR, PASSES
from autovoice.mix.loudness import STEPS_PER_S, Powers, step_samples
from autovoice.mix.mixer import MixOptions
from autovoice.mix.resident import blocks
from autovoice.mix.resident.blocks import AFTER_STEPS, AROUND_SAMPLES, BEFORE_STEPS
from autovoice.mix.stereo import pan_gains
from autovoice.nn.polyphase import Span, span_of
from autovoice.nn.stage import NetworkStage
from autovoice.nn.transfer import Numbers, Part, Rows, through
from autovoice.types import Audio, FloatArray, Stems

# 16 steps are whole blocks of the limiter at every rate. Six times as many keep what goes into a
# pass small enough for a graph, in stereo at 48 kHz.
LEAST_STEPS, MOST_STEPS = 16, 96


@dataclass(frozen=True, eq=False)
class Block:
    """What a pass over a block reads.

    Args:
        arrays: samples and curves, ``[..., n]``.
        ends: where in the block the song begins and ends, samples; for the limiter also which of
            the peaks are the first and the last of the song.
        held_db: the limiter's reduction before the block.
    """

    arrays: tuple[FloatArray, ...]
    ends: tuple[int, ...]
    held_db: float = 0.0


class BlockMixer(NetworkStage):
    """Put converted vocals into songs of any length; see ``mix.mixdown``."""

    exact = True
    block_steps = MOST_STEPS

    def limit_pass(self, seconds: float) -> None:
        """Make blocks so short that they fit into a pass of ``seconds``."""
        fitting = int(seconds * STEPS_PER_S) - BEFORE_STEPS - AFTER_STEPS
        steps = max(fitting // LEAST_STEPS * LEAST_STEPS, LEAST_STEPS)
        self.block_steps = min(self.block_steps, steps)

    def mix_blocks(
        self, converted: Audio, stems: Stems, options: MixOptions
    ) -> tuple[FloatArray, FloatArray]:
        """Return the mix and the vocal alone, ``[C, T]`` each."""
        source, rate_hz = stems.vocals, stems.vocals.sample_rate_hz
        mono, powers = self._heard(converted, source)
        old, new = powers[:-1], powers[-1]
        whole = old.sum(axis=0)
        follow = following_gain(whole, new, options.follow_dynamics)
        level = matching_gain(whole, new * follow**2) * 10 ** (options.vocal_gain_db / 20)
        gains = pan_gains(old) * follow * level
        sound, peaks = self._placed(mono, stems.backing.samples, gains, rate_hz)
        mix, vocal = (
            self._limited(each, found, rate_hz, options.ceiling_dbtp)
            for each, found in zip(sound, peaks, strict=True)
        )
        return mix, vocal

    def _starts(self, rate_hz: int, length: int) -> Iterator[tuple[int, int]]:
        """Yield where each block begins and ends, the last beyond the song."""
        size = self.block_steps * step_samples(rate_hz)
        for start in range(0, length, size):
            yield start, start + size

    def _heard(self, converted: Audio, source: Audio) -> tuple[FloatArray, Powers]:
        """Return the converted vocal at the song's rate with its air, and all powers by step.

        Shape: ``[T]``, ``[C + 1, N]``.
        """
        rate_hz, length = source.sample_rate_hz, source.length_samples
        step, hz, sung = step_samples(rate_hz), converted.sample_rate_hz, converted.mono()
        mono = np.empty(length, np.float32)
        powers = np.empty((source.channels + 1, -(-length // step)))
        for start, stop in self._starts(rate_hz, length):
            first, last = start - BEFORE_STEPS * step, stop + AFTER_STEPS * step
            span = span_of(hz, rate_hz, first, last)
            arrays = (cut(sung, span.first, span.stop), cut(source.samples, first, last))
            block = Block(arrays, (max(-first, 0), length - first))
            # All but the first hear the same of the past.
            place = (span.offset, span.stop - span.first, span.begins)
            key = ("heard", arrays[1].shape, hz, rate_hz, *place)
            item = (block, hz, rate_hz, span)
            seconds = (last - first) / rate_hz
            made, heard = self.batched(self._run_heard, item, key=key, seconds=seconds)
            mono[start:stop] = made[: length - start]
            steps = powers[:, start // step : stop // step]
            steps[:] = heard[:, : steps.shape[1]]
        return mono, powers

    def _run_heard(
        self, items: Sequence[tuple[Block, int, int, Span]]
    ) -> list[tuple[FloatArray, FloatArray]]:
        _, hz, rate_hz, span = items[0]

        def work(*tensors: Tensor) -> tuple[Tensor, ...]:
            return blocks.heard(*tensors, converted_hz=hz, rate_hz=rate_hz, span=span)

        name = f"heard {hz} {rate_hz} {span.offset} {span.begins}"
        mono, powers = self._through(name, work, [item[0] for item in items])
        return list(zip(mono, powers, strict=True))

    def _placed(
        self, mono: FloatArray, backing: FloatArray, gains: Powers, rate_hz: int
    ) -> tuple[FloatArray, FloatArray]:
        """Return mix and vocal before the limiter, ``[2, C, T]``, and their peaks, ``[2, M]``."""
        channels, length = backing.shape
        step, most = step_samples(rate_hz), gains.shape[1] - 1
        sound = np.empty((2, channels, length), np.float32)
        peaks = np.empty((2, -(-length // BLOCK_SAMPLES)), np.float32)
        for start, stop in self._starts(rate_hz, length):
            first, last = start - step, stop + step
            where = np.arange(start // step - 2, stop // step + 2).clip(0, most)
            curves = gains[:, where].astype(np.float32)
            arrays = (cut(mono, first, last), cut(backing, first, last), curves)
            item = (Block(arrays, (0, length - start)), rate_hz)
            key = ("placed", arrays[1].shape, rate_hz)
            seconds = (last - first) / rate_hz
            made, found = self.batched(self._run_placed, item, key=key, seconds=seconds)
            sound[..., start:stop] = made[..., : length - start]
            part = peaks[:, start // BLOCK_SAMPLES : stop // BLOCK_SAMPLES]
            part[:] = found[:, : part.shape[1]]
        return sound, peaks

    def _run_placed(
        self, items: Sequence[tuple[Block, int]]
    ) -> list[tuple[FloatArray, FloatArray]]:
        rate_hz = items[0][1]

        def work(*tensors: Tensor) -> tuple[Tensor, ...]:
            return blocks.placed(*tensors, rate_hz=rate_hz)

        found = self._through(f"placed {rate_hz}", work, [item[0] for item in items])
        return list(zip(*found, strict=True))

    def _limited(
        self, sound: FloatArray, peaks: FloatArray, rate_hz: int, ceiling_dbtp: float
    ) -> FloatArray:
        """Limit in place what is over the ceiling, ``[C, T]``; see ``mix.limiter.limit``."""
        ceiling, target_dbtp = 10 ** (ceiling_dbtp / 20), blocks.target_of(ceiling_dbtp)
        loudest = float(peaks.max(initial=0.0))
        if loudest > MOST_LINEAR:
            # The samples' own peak counts here, which may lie under that between them.
            loudest = max(float(np.abs(sound).max()), MOST_LINEAR)
            sound *= np.float32(MOST_LINEAR / loudest)
            peaks = peaks * np.float32(MOST_LINEAR / loudest)
        for _ in range(PASSES):
            if not peaks.size or peaks.max() <= ceiling:
                return sound
            peaks = self._pass(sound, peaks, rate_hz, target_dbtp)
        sound *= np.float32(min(10 ** (target_dbtp / 20) / float(peaks.max()), 1.0))
        return sound

    def _pass(
        self, sound: FloatArray, peaks: FloatArray, rate_hz: int, target_dbtp: float
    ) -> FloatArray:
        """Run the limiter once over a sound in place, and return its peaks then."""
        length, margin, count = sound.shape[1], blocks.margin_blocks(rate_hz), len(peaks)
        after, held_db = np.empty_like(peaks), 0.0
        before = np.zeros((len(sound), AROUND_SAMPLES), np.float32)
        for start, stop in self._starts(rate_hz, length):
            here = np.concatenate([before, cut(sound, start, stop + AROUND_SAMPLES)], axis=1)
            before = here[:, -2 * AROUND_SAMPLES : -AROUND_SAMPLES].copy()
            low, high = start // BLOCK_SAMPLES, stop // BLOCK_SAMPLES
            first = low - margin
            arrays = (here, cut(peaks, first, high + margin))
            inside = max(-first, 0), min(count - 1 - first, arrays[1].shape[-1] - 1)
            item = (Block(arrays, (0, length - start, *inside), held_db), rate_hz, target_dbtp)
            key = ("limited", here.shape, rate_hz, target_dbtp)
            made, found, held = self.batched(
                self._run_limited, item, key=key, seconds=here.shape[1] / rate_hz
            )
            held_db = float(held[0])
            sound[:, start:stop] = made[:, : length - start]
            after[low:high] = found[: count - low]
        return after

    def _run_limited(
        self, items: Sequence[tuple[Block, int, float]]
    ) -> list[tuple[FloatArray, FloatArray, FloatArray]]:
        _, rate_hz, target_dbtp = items[0]
        held = Numbers([item[0].held_db for item in items], torch.float64)

        def work(sound: Tensor, peaks: Tensor, ends: Tensor, held: Tensor) -> tuple[Tensor, ...]:
            return blocks.limited(
                sound, peaks, held[:, None], ends[:, :2], ends[:, 2:],
                rate_hz=rate_hz, target_dbtp=target_dbtp,
            )  # fmt: skip

        name = f"limited {rate_hz} {target_dbtp}"
        found = self._through(name, work, [item[0] for item in items], held)
        return list(zip(*found, strict=True))

    def _through(
        self,
        name: str,
        work: Callable[..., tuple[Tensor, ...]],
        items: Sequence[Block],
        *more: Part,
    ) -> tuple[FloatArray, ...]:
        """Run work on blocks of one shape, replayed as a graph where there are such."""
        columns = zip(*(item.arrays for item in items), strict=True)
        rows = [Rows(column, column[0].shape[-1]) for column in columns]
        ends = Numbers([end for item in items for end in item.ends], torch.int64)
        count = len(items)

        def whole(*tensors: Tensor) -> tuple[Tensor, ...]:
            arrays, (ends, *rest) = tensors[: len(rows)], tensors[len(rows) :]
            return work(*arrays, ends.view(count, -1), *rest)

        return through(self.graphs, name, whole, self.device, *rows, ends, *more).arrays()


def cut(samples: FloatArray, start: int, stop: int) -> FloatArray:
    """Return samples ``start`` to ``stop`` of ``[..., T]``, silence outside."""
    length = samples.shape[-1]
    inside = samples[..., min(max(start, 0), length) : min(max(stop, 0), length)]
    if inside.shape[-1] == stop - start:
        return inside
    made = np.zeros((*samples.shape[:-1], stop - start), np.float32)
    at = max(-start, 0)
    made[..., at : at + inside.shape[-1]] = inside
    return made
