"""Whose voice it is, as the published Resemblyzer package hears it, silences included."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray

from autovoice.analyse.speaker import SpeakerEncoder
from autovoice.errors import AutoVoiceError, InputError
from autovoice.nn.ge2e import SAMPLE_RATE_HZ
from autovoice.types import FloatArray

WINDOW_SAMPLES = SAMPLE_RATE_HZ * 30 // 1000
_QUIET_DBFS = -30.0
_SILENCE_DBFS = -120.0
_STRICTEST = 3
# A window is voice where more than half of the eight around it are: three before, four after.
_BEFORE, _AROUND = 3, 8
# Voice is drawn out by three windows on both sides, which closes pauses of up to six.
_DRAWN_OUT = 3
_FULL_SCALE = 32_767


class Resemblyzer:
    """Embed a voice in the 256 numbers that the Resemblyzer package finds for it.

    ``analyse.speaker.SpeakerEncoder`` is the same network; it finds silences by level, this one
    by WebRTC's speech detector (the ``eval`` extra), so that similarities compare with published
    ones. Equal to the package within 1e-3 at any rate, for sound within full scale.

    Args:
        device: ``cpu``, ``cuda`` or ``cuda:N``. Default ``cpu``.

    Raises:
        AutoVoiceError: the ``eval`` extra is not installed.
        WeightsError: the weights cannot be had.

    Source: Wan et al., 2018; Resemblyzer by Resemble AI (Apache-2.0).
    """

    def __init__(self, device: str = "cpu") -> None:
        self._detector = _webrtcvad()
        self._encoder = SpeakerEncoder(device=device)

    def embed(self, samples: FloatArray, sample_rate_hz: int) -> FloatArray:
        """Embed a recording of one voice.

        Args:
            samples: ``[T]`` float32, any length from 30 ms; a few seconds give a steady result.
            sample_rate_hz: rate of ``samples``.

        Returns:
            ``[256]``, of length 1, no negative entry.

        Raises:
            InputError: not mono, not finite, or without a voice that the detector hears.
        """
        if samples.ndim != 1 or not np.isfinite(samples).all() or sample_rate_hz < 1:
            raise InputError(
                f"speaker: found samples of shape {list(samples.shape)} at {sample_rate_hz} Hz, "
                "expected finite mono [T] at 1 Hz or more"
            )
        return self._encoder.embed_prepared(self.prepare(_resampled(samples, sample_rate_hz)))

    def prepare(self, audio: FloatArray) -> FloatArray:
        """Raise quiet 16 kHz sound to -30 dBFS and leave out what is no voice.

        Args:
            audio: ``[T]`` at 16 kHz. What is left of it at the end, under 30 ms, is dropped.

        Raises:
            InputError: no voice is heard.
        """
        louder = _raised(audio)
        whole = louder[: len(louder) // WINDOW_SAMPLES * WINDOW_SAMPLES]
        kept = _smoothed(self._voiced(whole)) if len(whole) else np.zeros(0, np.bool_)
        if not kept.any():
            raise InputError("speaker: found no voice, expected one that WebRTC's detector hears")
        active: FloatArray = whole[np.repeat(kept, WINDOW_SAMPLES)]
        return active

    def _voiced(self, audio: FloatArray) -> NDArray[np.bool_]:
        """Ask the detector about each window of 30 ms, ``[W]``."""
        # A new one each time: it gets used to the noise that it hears.
        detector = self._detector.Vad(_STRICTEST)
        # Beyond full scale the package would wrap around.
        whole = np.clip(np.round(audio * np.float32(_FULL_SCALE)), -_FULL_SCALE - 1, _FULL_SCALE)
        windows = whole.astype(np.int16).reshape(-1, WINDOW_SAMPLES)
        heard = (detector.is_speech(window.tobytes(), SAMPLE_RATE_HZ) for window in windows)
        return np.fromiter(heard, np.bool_, len(windows))


def _resampled(samples: FloatArray, sample_rate_hz: int) -> FloatArray:
    """Return 16 kHz sound, made as the package has it made by librosa.

    At the very high quality of ``io.resample`` the detector would judge some windows differently,
    which moves similarities by up to 0.002.
    """
    if sample_rate_hz == SAMPLE_RATE_HZ:
        return samples
    length = -(-len(samples) * SAMPLE_RATE_HZ // sample_rate_hz)
    found = soxr.resample(samples, sample_rate_hz, SAMPLE_RATE_HZ, quality="HQ")[:length]
    audio: FloatArray = np.pad(found, (0, length - len(found))).astype(np.float32)
    return audio


def _raised(audio: FloatArray) -> FloatArray:
    power = float(np.square(audio, dtype=np.float64).mean()) if len(audio) else 0.0
    if power < 10.0 ** (_SILENCE_DBFS / 10.0):
        raise InputError("speaker: found nothing but silence, expected a voice")
    gain = max(1.0, float(np.sqrt(10.0 ** (_QUIET_DBFS / 10.0) / power)))
    return audio * np.float32(gain)


def _smoothed(voiced: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which windows are kept: those in or near stretches that are mostly voice, ``[W]``."""
    padded = np.pad(voiced.astype(np.int64), (_BEFORE, _AROUND - _BEFORE))
    counts = np.concatenate([[0], np.cumsum(padded)])
    mostly = counts[_AROUND:-1] - counts[: -_AROUND - 1] > _AROUND // 2
    near = np.convolve(mostly, np.ones(2 * _DRAWN_OUT + 1, np.int64))
    kept: NDArray[np.bool_] = near[_DRAWN_OUT : _DRAWN_OUT + len(voiced)] > 0
    return kept


def _webrtcvad() -> Any:
    try:
        return importlib.import_module("webrtcvad")
    except ImportError as error:
        raise AutoVoiceError(
            "found no webrtcvad, which finds the voice for similarities; "
            "run `pip install 'autovoice[eval]'`"
        ) from error
