"""How intelligible a copy of a voice stayed."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from autovoice.errors import AutoVoiceError
from autovoice.eval.aligned import aligned_mono, common_rate_hz
from autovoice.eval.figure import NotApplicable
from autovoice.types import Audio, FloatArray

RATE_HZ = 10_000
# The highest third-octave band begins at 3.4 kHz and ends at 4.3 kHz.
_LEAST_RATE_HZ = 8000
# The library's frames of 25.6 ms; it drops those 40 dB under the loudest and needs 30 between
# the first and the last of the rest.
_FRAME, _HOP = 256, 128
_RANGE_DB = 40.0
_LEAST_FRAMES = 31
_LEAST_S = _LEAST_FRAMES * _HOP / RATE_HZ
_DITHER = 1e-7


@dataclass(frozen=True)
class StoiScore:
    """Intelligibility of an output against its aligned source.

    Args:
        stoi: short-time objective intelligibility, up to 1.
        estoi: the extended one, up to 1.
    """

    stoi: float
    estoi: float


def stoi_score(output: Audio, source: Audio) -> StoiScore:
    """Compare the short-time envelopes of an output and its source.

    It supposes the same voice saying the same words at the same time: a copy synthesis. Against
    another voice it also counts the difference of the voices. Both are mixed down, brought to
    10 kHz and cut to the shorter length; a delay is not taken out. Memory: about 3 MB per second.

    Args:
        output, source: any rates from 8 kHz up; at most 0.5 s apart in length.

    Returns:
        1 for equal sounds, near 0 for unrelated ones; level does not matter.

    Raises:
        NotApplicable: one is silent, lengths differ, the rate is too low, or less than 0.40 s
            of the source lies within 40 dB of its loudest part.
        AutoVoiceError: the ``eval`` extra is not installed.

    Source: Taal et al., "An algorithm for intelligibility prediction of time-frequency weighted
    noisy speech", 2011; Jensen and Taal, "An algorithm for predicting the intelligibility of
    speech masked by modulated noise maskers", 2016; computed by pystoi.
    """
    measure = _needed().stoi
    common_rate_hz(output, source, least_hz=_LEAST_RATE_HZ, most_hz=RATE_HZ)
    ours, theirs = aligned_mono(output, source, RATE_HZ)
    heard, clean = _dithered(ours, theirs)
    found_s = _active_frames(clean) * _HOP / RATE_HZ
    # Where too little is left the library would warn and return 1e-5.
    if found_s < _LEAST_S:
        raise NotApplicable(
            f"found {found_s:.2f} s within {_RANGE_DB:.0f} dB of the source's loudest part, "
            f"STOI needs {_LEAST_S:.2f} s"
        )
    stoi, estoi = (float(measure(clean, heard, RATE_HZ, extended=each)) for each in (False, True))
    return StoiScore(stoi, estoi)


def _dithered(*recordings: FloatArray) -> list[NDArray[np.float64]]:
    """Add noise at -140 dBFS, the same in every run.

    The library itself adds unseeded noise of 1e-16, which decides the result in digital silence.
    """
    noise = np.random.default_rng(0)
    return [part + _DITHER * noise.standard_normal(len(part)) for part in recordings]


def _active_frames(clean: NDArray[np.float64]) -> int:
    """Count the frames that the library keeps."""
    if len(clean) <= _FRAME:
        return 0
    # The library leaves out a frame that would end with the last sample.
    frames = sliding_window_view(clean[:-1], _FRAME)[::_HOP]
    energy = np.square(frames * np.hanning(_FRAME + 2)[1:-1]).sum(axis=1)
    return int(np.count_nonzero(energy > energy.max() * 10.0 ** (-_RANGE_DB / 10.0)))


def _needed() -> Any:
    try:
        return importlib.import_module("pystoi")
    except ImportError as error:
        raise AutoVoiceError(
            "found no pystoi, which scores intelligibility; run `pip install 'autovoice[eval]'`"
        ) from error
