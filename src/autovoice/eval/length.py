"""Whether the output is as long as the input."""

from __future__ import annotations

from autovoice.types import Audio


def length_error_samples(output: Audio, source: Audio) -> int:
    """Return the length of ``output`` minus that of ``source``, in samples of ``source``.

    At equal rates this is exact; otherwise the output's length is converted and rounded.
    """
    if output.sample_rate_hz == source.sample_rate_hz:
        return output.length_samples - source.length_samples
    return round(output.seconds * source.sample_rate_hz) - source.length_samples
