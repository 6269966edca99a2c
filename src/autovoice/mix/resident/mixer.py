"""Mix on a device: short songs of one length in one pass, longer ones block by block."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from autovoice.errors import InputError
from autovoice.mix.limiter import MARGIN_DB, PASSES
from autovoice.mix.loudness import LEAST_WEIGHTED_RATE_HZ, step_samples
from autovoice.mix.mixer import Mixdown, MixOptions, check_match
from autovoice.mix.resident.limiter import block_peaks, bounded, reduced
from autovoice.mix.resident.long import BlockMixer
from autovoice.mix.resident.placing import Manner, placed
from autovoice.nn.polyphase import can_resample, resampled
from autovoice.nn.transfer import Numbers, Rows, fetched, through, uploaded
from autovoice.types import Audio, FloatArray, Stems

# What is longer is mixed block by block, so that memory does not grow with a song.
WHOLE_S = 30.0


@dataclass(frozen=True, eq=False)
class Song:
    """What one mix is made of: mono ``[n]`` at the model's rate, and ``[C, T]`` twice."""

    converted: FloatArray
    vocals: FloatArray
    backing: FloatArray
    converted_hz: int
    manner: Manner
    ceiling_dbtp: float


class ResidentMixer(BlockMixer):
    """Put converted vocals into their songs, all on one device.

    The result is that of ``mix.mixdown``, to about -120 dB of it.

    Args:
        device: ``cpu``, ``cuda`` or ``cuda:N``.
    """

    whole_s = WHOLE_S

    def limit_pass(self, seconds: float) -> None:
        """Mix what is longer block by block, in blocks that fit."""
        super().limit_pass(seconds)
        self.whole_s = min(self.whole_s, seconds)

    def fits(self, converted: Audio, stems: Stems) -> bool:
        """Tell whether a song can be mixed so: at a usual rate, with all of a vocal."""
        rate_hz = stems.vocals.sample_rate_hz
        known = can_resample(converted.sample_rate_hz, rate_hz)
        usual = known and rate_hz >= LEAST_WEIGHTED_RATE_HZ and stems.vocals.channels > 0
        seconds = stems.vocals.seconds
        return usual and 0 < seconds <= converted.seconds

    def mixdown(self, converted: Audio, stems: Stems, options: MixOptions | None = None) -> Mixdown:
        """Return the mix and the vocal alone; see ``mix.mixdown``.

        Raises:
            InputError: the stems do not match, or the song is none that ``fits``.
        """
        check_match(stems.vocals, stems.backing)
        if not self.fits(converted, stems):
            raise InputError(
                f"mix: found {stems.vocals.seconds:.1f} s at {stems.vocals.sample_rate_hz} Hz and "
                f"{converted.seconds:.1f} s converted, expected a usual rate and as much converted"
            )
        options, tags = options or MixOptions(), stems.backing.metadata
        rate_hz, length = stems.vocals.sample_rate_hz, stems.vocals.length_samples
        if stems.vocals.seconds > self.whole_s:
            mix, vocal = self.mix_blocks(converted, stems, options)
            return Mixdown(mix=Audio(mix, rate_hz, tags), vocal=Audio(vocal, rate_hz, tags))
        song = self.song(converted, stems, options)
        steps = -(-length // step_samples(rate_hz))
        key = (steps, len(song.converted), song.vocals.shape[0], song.converted_hz, song.manner,
               song.ceiling_dbtp)  # fmt: skip
        mix, vocal = self.batched(self._run, song, key=key, seconds=stems.vocals.seconds)
        return Mixdown(mix=Audio(mix, rate_hz, tags), vocal=Audio(vocal, rate_hz, tags))

    @staticmethod
    def song(converted: Audio, stems: Stems, options: MixOptions) -> Song:
        """Return what goes into a pass."""
        rate_hz = stems.vocals.sample_rate_hz
        manner = Manner(rate_hz, options.follow_dynamics, options.vocal_gain_db)
        return Song(
            converted.mono(), stems.vocals.samples, stems.backing.samples,
            converted.sample_rate_hz, manner, options.ceiling_dbtp,
        )  # fmt: skip

    def _run(self, songs: Sequence[Song]) -> list[tuple[FloatArray, FloatArray]]:
        """Mix songs of one key in one pass, each to its ``[C, T]`` twice."""
        first = songs[0]
        step, hz = step_samples(first.manner.rate_hz), (first.converted_hz, first.manner.rate_hz)
        counts = [song.vocals.shape[1] for song in songs]
        whole = -(-counts[0] // step) * step
        longest = max(len(song.converted) for song in songs)
        parts = (
            Rows([song.converted for song in songs], longest),
            Rows([song.vocals for song in songs], whole),
            Rows([song.backing for song in songs], whole),
            Numbers(counts, torch.int64),
        )

        def work(*tensors: Tensor) -> tuple[Tensor, Tensor]:
            return mixed(
                *tensors,
                converted_hz=hz[0], manner=first.manner, ceiling_dbtp=first.ceiling_dbtp,
            )  # fmt: skip

        name = f"mix {hz} {first.manner} {first.ceiling_dbtp}"
        done = through(self.graphs, name, work, self.device, *parts)
        both, found = done.views()
        sound, highest = done.tensors
        again = self._again(sound, highest, found, counts, first)
        both = both if again is None else again
        cut = [both[:, row, :, :count].copy() for row, count in enumerate(counts)]
        return [(pair[0], pair[1]) for pair in cut]

    def _again(
        self, sound: Tensor, highest: Tensor, found: FloatArray, counts: Sequence[int], song: Song
    ) -> FloatArray | None:
        """Limit again what is over the ceiling after one pass, which is rare; None: nothing is."""
        ceiling, hz = 10 ** (song.ceiling_dbtp / 20), song.manner.rate_hz
        if found.max() <= ceiling:
            return None
        (twice,) = uploaded(self.device, Numbers([*counts, *counts], torch.int64))
        flat, top = sound.flatten(0, 1), highest.flatten()
        inside = _inside(twice, flat.shape[2])
        for _ in range(PASSES - 1):
            over = top > ceiling
            peaks = block_peaks(flat, inside)
            flat = reduced(flat, peaks, twice, hz, song.ceiling_dbtp)
            top = block_peaks(flat, inside).amax(1)
        # Reached only by waves made for it: the last few hundredths of a dB come off everywhere.
        target = 10 ** ((song.ceiling_dbtp - MARGIN_DB) / 20)
        scale = torch.where(over, (target / top).clamp_max(1.0), 1.0)
        return fetched((flat * scale[:, None, None]).view(sound.shape))[0]


def mixed(
    converted: Tensor, vocals: Tensor, backing: Tensor, lengths: Tensor, *,
    converted_hz: int, manner: Manner, ceiling_dbtp: float,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Mix a batch.

    Args:
        converted: ``[B, n]`` at ``converted_hz``, silent beyond its end.
        vocals, backing: ``[B, C, T]``, silent beyond ``lengths``.
        lengths: ``[B]`` int64.

    Returns:
        ``[2, B, C, T]``: mixes and vocals after a pass of the limiter; ``[2, B]``: their peaks.
    """
    length = vocals.shape[2]
    inside = _inside(lengths, length)
    mono = resampled(
        torch.nan_to_num(converted, 0.0, 0.0, 0.0), converted_hz, manner.rate_hz, length
    )
    vocal = placed(mono * inside, vocals, inside, manner)
    sound = bounded(torch.cat([vocal + backing, vocal]))
    twice, inside = torch.cat([lengths, lengths]), torch.cat([inside, inside])
    peaks = block_peaks(sound, inside)
    sound = reduced(sound, peaks, twice, manner.rate_hz, ceiling_dbtp)
    highest = block_peaks(sound, inside).amax(1)
    return sound.view(2, *vocals.shape), highest.view(2, -1)


def _inside(lengths: Tensor, length: int) -> Tensor:
    """Return 1 where a sample belongs to its song, ``[B, T]``."""
    return (torch.arange(length, device=lengths.device) < lengths[:, None]).float()
