"""Put the converted vocal where the source vocal was."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
import torch

from autovoice.errors import InputError
from autovoice.io.resample import resample
from autovoice.mix.air import with_air
from autovoice.mix.curves import shaped
from autovoice.mix.dynamics import following_gain, matching_gain
from autovoice.mix.limiter import CEILING_DBTP, limit
from autovoice.mix.loudness import step_samples, weighted_powers
from autovoice.mix.stereo import pan_gains
from autovoice.types import Audio, FloatArray, Stems

log = logging.getLogger(__name__)

FADE_S = 0.005


@dataclass(frozen=True)
class MixOptions:
    """How the mix is made.

    Args:
        vocal_gain_db: on top of the source vocal's loudness, dB. Default 0.
        follow_dynamics: 0 keeps the converted vocal's own loud and soft phrases, 1 takes those of
            the source within +6 and -9 dB. Default 1: singers place phrases on purpose, and a
            decoder tends to level them.
        ceiling_dbtp: highest true peak of the result, dB. Default -1.
    """

    vocal_gain_db: float = 0.0
    follow_dynamics: float = 1.0
    ceiling_dbtp: float = CEILING_DBTP

    def __post_init__(self) -> None:
        if not 0 <= self.follow_dynamics <= 1:
            raise InputError(f"follow_dynamics: found {self.follow_dynamics}, expected 0 to 1")
        if not -60 <= self.vocal_gain_db <= 24:
            raise InputError(f"vocal_gain_db: found {self.vocal_gain_db}, expected -60 to 24 dB")
        if not -60 <= self.ceiling_dbtp <= 0:
            raise InputError(f"ceiling_dbtp: found {self.ceiling_dbtp}, expected -60 to 0 dB")


@dataclass(frozen=True, eq=False)
class Mixdown:
    """A finished mix, and the vocal alone as it stands in it.

    Both are as long as the song, finite, and under the ceiling.
    """

    mix: Audio
    vocal: Audio


def mix(converted: Audio, stems: Stems, options: MixOptions | None = None) -> Audio:
    """Return the song with the converted vocal in place of the source vocal.

    Args:
        converted: the new vocal from the song's first sample on; mono, any rate. It is not moved
            in time: the decoder's frame grid starts with the song.
        stems: the song taken apart.
        options: default ``MixOptions()``.

    Returns:
        Audio at the rate, length and channel count of the stems, no true peak over the ceiling.

    Raises:
        InputError: the two stems do not match each other, or an option is out of range.
    """
    return mixdown(converted, stems, options).mix


def place_vocal(converted: Audio, stems: Stems, options: MixOptions | None = None) -> Audio:
    """Return the converted vocal alone, as it stands in the mix; see ``mix``."""
    return mixdown(converted, stems, options).vocal


def mixdown(
    converted: Audio,
    stems: Stems,
    options: MixOptions | None = None,
    device: str | torch.device = "cpu",
) -> Mixdown:
    """Return the mix and the placed vocal at the price of one; see ``mix``.

    ``device`` says where to compute; default the CPU.
    """
    options = options or MixOptions()
    source, backing = stems.vocals, stems.backing
    check_match(source, backing)
    rate_hz = source.sample_rate_hz
    placed = _placed(converted, source, options, device)
    ceiling = options.ceiling_dbtp
    total = limit(placed + backing.samples, rate_hz, ceiling_dbtp=ceiling, device=device)
    vocal = limit(placed, rate_hz, ceiling_dbtp=ceiling, device=device)
    return Mixdown(
        mix=Audio(total, rate_hz, backing.metadata),
        vocal=Audio(vocal, rate_hz, backing.metadata),
    )


def _placed(
    converted: Audio, source: Audio, options: MixOptions, device: str | torch.device
) -> FloatArray:
    """Return the converted vocal with the loudness, dynamics and place of the source vocal."""
    rate_hz = source.sample_rate_hz
    mono = _fitted(converted, rate_hz, source.length_samples)
    mono = with_air(mono, source.mono(), rate_hz, device)
    old = weighted_powers(source.samples, rate_hz, device)
    new = weighted_powers(mono[None], rate_hz, device)[0]
    whole = old.sum(axis=0)
    follow = following_gain(whole, new, options.follow_dynamics)
    level = matching_gain(whole, new * follow**2) * 10 ** (options.vocal_gain_db / 20)
    return shaped(mono, pan_gains(old) * follow * level, step_samples(rate_hz), device)


def _fitted(converted: Audio, rate_hz: int, length_samples: int) -> FloatArray:
    """Return the vocal as mono at the mix's rate and length, ``[T]``."""
    mono = converted.mono()
    if not np.all(np.isfinite(mono)):
        log.warning("the converted vocal holds NaN or infinite samples: silence in their place")
        mono = np.nan_to_num(mono, nan=0.0, posinf=0.0, neginf=0.0)
    if converted.sample_rate_hz != rate_hz:
        mono = resample(mono[None], converted.sample_rate_hz, rate_hz)[0]
    if mono.size >= length_samples:
        return mono[:length_samples]
    fitted = np.zeros(length_samples, np.float32)
    fitted[: mono.size] = mono
    # A vocal that is cut off before the song's end must not click.
    fade = min(round(FADE_S * rate_hz), mono.size)
    fitted[mono.size - fade : mono.size] *= np.linspace(1, 0, fade, dtype=np.float32)
    return fitted


def check_match(vocals: Audio, backing: Audio) -> None:
    """Raise ``InputError`` where two stems are not of one shape and rate."""
    if (
        vocals.samples.shape != backing.samples.shape
        or vocals.sample_rate_hz != backing.sample_rate_hz
    ):
        raise InputError(
            f"stems: found vocals {list(vocals.samples.shape)} at {vocals.sample_rate_hz} Hz and "
            f"backing {list(backing.samples.shape)} at {backing.sample_rate_hz} Hz, "
            "expected the same shape and rate"
        )
