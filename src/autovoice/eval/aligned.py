"""Two recordings of the same performance at one rate and of one length."""

from __future__ import annotations

import numpy as np

from autovoice import io
from autovoice.eval.figure import NotApplicable
from autovoice.types import Audio, FloatArray

MOST_APART_S = 0.5
# Under half a step of 16-bit audio.
SILENT_PEAK = 1e-5


def common_rate_hz(output: Audio, source: Audio, *, least_hz: int, most_hz: int) -> int:
    """Return the lower rate of the two, at most ``most_hz``.

    Raises:
        NotApplicable: it is under ``least_hz``.
    """
    rate_hz = min(output.sample_rate_hz, source.sample_rate_hz, most_hz)
    if rate_hz < least_hz:
        raise NotApplicable(f"found a rate of {rate_hz} Hz, needs at least {least_hz} Hz in both")
    return rate_hz


def aligned_mono(output: Audio, source: Audio, rate_hz: int) -> tuple[FloatArray, FloatArray]:
    """Bring both to mono, one rate and the shorter length.

    A delay is not taken out: sample ``k`` of one is compared with sample ``k`` of the other.

    Args:
        output, source: any rate and channel count, at most 0.5 s apart in length.
        rate_hz: the rate wanted.

    Returns:
        Output and source, ``[T]`` each.

    Raises:
        NotApplicable: one is empty or silent, or their lengths differ by more than 0.5 s.
    """
    check_lengths(output, source)
    for audio, name in ((output, "output"), (source, "source")):
        check_audible(audio.samples, name)
    one, other = (
        io.resample(audio.mono()[None], audio.sample_rate_hz, rate_hz)[0]
        for audio in (output, source)
    )
    count = min(len(one), len(other))
    return one[:count], other[:count]


def check_lengths(
    output: Audio, source: Audio, names: tuple[str, str] = ("output", "source")
) -> None:
    """Refuse recordings that cannot be laid side by side.

    Raises:
        NotApplicable: one is empty, or their lengths differ by more than 0.5 s.
    """
    for audio, name in zip((output, source), names, strict=True):
        if audio.samples.size == 0:
            raise NotApplicable(f"the {name} is empty; two recordings of equal length are needed")
    if abs(output.seconds - source.seconds) > MOST_APART_S:
        raise NotApplicable(
            f"the {names[0]} is {output.seconds:.2f} s long and the {names[1]} "
            f"{source.seconds:.2f} s; at most {MOST_APART_S} s apart can be compared"
        )


def check_audible(samples: FloatArray, name: str) -> None:
    """Refuse silence: a peak of at most 1e-5, -100 dBFS.

    Raises:
        NotApplicable: nothing is heard.
    """
    if samples.size == 0 or float(np.abs(samples).max()) <= SILENT_PEAK:
        raise NotApplicable(f"the {name} is silent; a peak over -100 dBFS is needed")
