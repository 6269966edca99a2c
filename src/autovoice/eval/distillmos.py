"""How natural a recording sounds: the opinion score that Distill-MOS predicts."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.lib.stride_tricks import sliding_window_view

from autovoice import weights
from autovoice.eval.naturalness import SAMPLE_RATE_HZ, listenable
from autovoice.nn.distillmos import SEGMENT_SAMPLES, DistillMosNetwork
from autovoice.nn.stage import NetworkStage
from autovoice.types import Audio, FloatArray

MOST_STEP_SAMPLES = SAMPLE_RATE_HZ
# The convolutions of one segment take 50 MB; the rest of the network takes little.
_BATCH = 4


class DistillMos(NetworkStage):
    """Predict the mean opinion score that listeners would give.

    Recordings are heard in segments of 7.68 s that begin at most a second apart and are spread
    evenly; the mean counts. Shorter ones are filled up with silence. The level does not count, but
    where the segments begin does: 5 ms move one segment by up to 0.2 and the mean of 20 s by 0.03,
    so that smaller differences say nothing.

    Args:
        device: ``cpu``, ``cuda`` or ``cuda:N``. Default ``cpu``.
        tensors: weights by name; by default those of the registry.

    Raises:
        WeightsError: the weights cannot be had.

    Source: Stahl and Gamper, "Distillation and pruning for scalable self-supervised
    representation-based speech quality assessment", 2025.
    """

    def __init__(
        self,
        device: str | torch.device = "cpu",
        *,
        tensors: Mapping[str, torch.Tensor] | None = None,
    ) -> None:
        super().__init__(device=device)
        self.network = DistillMosNetwork()
        self.network.load_state_dict(dict(tensors or weights.tensors("distillmos")))
        self.add_network(self.network)

    def score(self, audio: Audio) -> float:
        """Score a recording.

        Args:
            audio: any rate and channel count, 0.5 s or more.

        Returns:
            1 (bad) to 5 (excellent); clean recordings of speech and of singing read 3.5 to 4.4.

        Raises:
            NotApplicable: too short, silent or not finite.
        """
        pieces = segments(listenable(audio))
        return float(self.guarded(lambda: self._mean(pieces)))

    def _mean(self, pieces: FloatArray) -> float:
        opinions = [
            self.network(torch.from_numpy(pieces[index : index + _BATCH]).to(self.device))
            for index in range(0, len(pieces), _BATCH)
        ]
        return float(torch.cat(opinions).mean())


def segments(samples: FloatArray) -> FloatArray:
    """Cut 16 kHz sound into evenly spread segments, ``[T] -> [N, 122880]``."""
    short = SEGMENT_SAMPLES - len(samples)
    if short >= 0:
        return np.pad(samples, (0, short))[None]
    count = -(short // MOST_STEP_SAMPLES) + 1
    starts = (np.linspace(0.0, 1.0, count) * -short).astype(np.int64)
    cut: FloatArray = sliding_window_view(samples, SEGMENT_SAMPLES)[starts]
    return cut
