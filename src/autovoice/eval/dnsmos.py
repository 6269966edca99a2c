"""How clean speech sounds: voice, background and overall quality as DNSMOS P.835 predicts them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from autovoice import weights
from autovoice.eval.dnsmos_graph import HOP_SAMPLES, SharedGraph
from autovoice.eval.naturalness import SAMPLE_RATE_HZ, listenable
from autovoice.types import Audio, FloatArray

WINDOW_S = 9.01
WINDOW_SAMPLES = int(WINDOW_S * SAMPLE_RATE_HZ)
# From the network's raw scores to opinions: square, linear and constant term.
POLYNOMIALS = {
    "sig": (-0.08397278, 1.22083953, 0.0052439),
    "bak": (-0.13166888, 1.60915514, -0.39604546),
    "ovrl": (-0.06766283, 1.11546468, 0.04602535),
}


@dataclass(frozen=True)
class DnsMosScore:
    """Predicted opinions from 1 (bad) to 5 (excellent).

    Args:
        ovrl: overall quality.
        sig: quality of the voice alone.
        bak: quality of the background; 5 where none is heard.
    """

    ovrl: float
    sig: float
    bak: float


class DnsMos:
    """Predict what listeners would say of a voice, of its background and of both together.

    Windows of 9.01 s begin every second; the mean counts. Shorter recordings are repeated. As in
    the published package, rounding leaves out the windows that begin at 7 to 23 s. The network was
    trained on speech and reads singing low; the level counts.

    Args:
        threads: processor threads; 0 lets ONNX Runtime choose. Default 0.

    Raises:
        AutoVoiceError: the ``eval`` extra is not installed.
        WeightsError: the weights cannot be had.

    Source: Reddy, Gopal, Cutler, "DNSMOS P.835: a non-intrusive perceptual objective speech
    quality metric to evaluate noise suppressors", 2022; the package speechmos by Microsoft.
    """

    def __init__(self, threads: int = 0) -> None:
        self._graph = SharedGraph(weights.file("dnsmos", "sig_bak_ovr.onnx"), threads)

    def score(self, audio: Audio) -> DnsMosScore:
        """Score a recording.

        Args:
            audio: any rate and channel count, 0.5 s or more.

        Raises:
            NotApplicable: too short, silent or not finite.
        """
        samples = repeated(listenable(audio))
        raw = self._graph.scores(samples, window_starts(len(samples)))
        means = {
            name: float(np.polyval(terms, raw[:, column].astype(np.float64)).mean())
            for column, (name, terms) in enumerate(POLYNOMIALS.items())
        }
        return DnsMosScore(**means)


def repeated(samples: FloatArray) -> FloatArray:
    """Return sound of at least one window: doubled until it is long enough, ``[T] -> [T']``."""
    while len(samples) < WINDOW_SAMPLES:
        samples = np.concatenate((samples, samples))
    return samples


def window_starts(length_samples: int) -> list[int]:
    """Return the first frames of the windows, one second apart, as the package takes them.

    Args:
        length_samples: at 16 kHz, one window or more.
    """
    count = int(length_samples // SAMPLE_RATE_HZ - WINDOW_S) + 1
    second = SAMPLE_RATE_HZ // HOP_SAMPLES
    return [index * second for index in range(count) if _is_whole(index)]


def _is_whole(index: int) -> bool:
    """Tell whether the package hears this window.

    It works out the end in floating point and leaves a window out whose end falls a sample short.
    """
    end = int((index + WINDOW_S) * SAMPLE_RATE_HZ)
    return end - index * SAMPLE_RATE_HZ >= WINDOW_SAMPLES
