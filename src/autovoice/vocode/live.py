"""The decoder window by window: what two windows share comes out alike in both."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autovoice.nn.decoder import FRAME_SAMPLES, SAMPLE_RATE_HZ
from autovoice.types import FloatArray, Speaker
from autovoice.vocode.live_moments import RunningMoments
from autovoice.vocode.vocoder import Features, Vocoder


@dataclass(frozen=True)
class Anchor:
    """Where a wave has to go on.

    Args:
        sample: in the window.
        cycles: phase of the fundamental there, in turns.
    """

    sample: int
    cycles: float


@dataclass(frozen=True, eq=False)
class Rendered:
    """The sound of a window.

    Args:
        samples: ``[T]`` at 24 kHz; silence before the part that was asked for.
        cycles: ``[T]`` phase of the fundamental at each sample, in turns.
    """

    samples: FloatArray
    cycles: NDArray[np.float64]


class LiveVocoder:
    """Render the windows of one stream; the network is lent for each of them."""

    def __init__(self) -> None:
        self._moments = RunningMoments()
        self._vocoder: Vocoder | None = None

    def forget(self) -> None:
        """Begin anew: another voice sings."""
        self._moments.forget()

    def render(
        self,
        vocoder: Vocoder,
        features: Features,
        speaker: Speaker,
        *,
        noise: FloatArray,
        new: int,
        anchor: Anchor | None = None,
        samples: int | None = None,
    ) -> Rendered:
        """Make sound.

        Args:
            vocoder: whose network is used; other callers may use it in between.
            features: of the window, ``T`` frames.
            speaker: the voice.
            noise: ``[600 T]`` standard normal, that of each sample the same in every window.
            new: samples of the window that no window before it had.
            anchor: where the harmonics go on. Default: they begin.
            samples: how much sound is needed at the end of the window. Default all. Less is
                cheaper, but its first 0.1 s is not what it would be.
        """
        if vocoder is not self._vocoder:
            self._vocoder = vocoder
            self._moments.forget()
        work = partial(self._run, vocoder, features, speaker.style, noise, anchor, samples)

        def alone() -> Rendered:
            # Inside of the turn: the network belongs to this window only while it runs.
            vocoder.wear(speaker.adapter)
            with self._moments.worn_by(vocoder.network, new / SAMPLE_RATE_HZ):
                return work()

        return vocoder.guarded(alone)

    def _run(  # noqa: PLR0917 - called through partial
        self, vocoder: Vocoder, features: Features, style: FloatArray, noise: FloatArray,
        anchor: Anchor | None, samples: int | None,
    ) -> Rendered:  # fmt: skip
        def tensor(values: FloatArray) -> Tensor:
            return torch.from_numpy(np.ascontiguousarray(values)).to(vocoder.device)[None]

        network = vocoder.network
        source_of = network.generator.m_source
        f0_hz, styled = tensor(features.f0_hz), tensor(style)
        cycles = source_of.cycles(f0_hz)[0].cpu().numpy()
        start = 0.0 if anchor is None else (anchor.cycles - cycles[anchor.sample]) % 1.0
        phase = torch.tensor([start], dtype=torch.float64, device=f0_hz.device)
        source = source_of(f0_hz, tensor(noise), phase)
        rows = network.features(tensor(features.asr), f0_hz, tensor(features.energy), styled)
        skipped = _skipped(len(noise), samples, source_of.hop_samples)
        sound = network.generator(
            rows[:, :, skipped:], styled, source[:, skipped * source_of.hop_samples :]
        )
        out: FloatArray = np.zeros(len(noise), np.float32)
        out[skipped * source_of.hop_samples :] = sound[0].float().cpu().numpy()
        return Rendered(out, (cycles + start).astype(np.float64) % 1.0)


def _skipped(length: int, samples: int | None, hop_samples: int) -> int:
    """Return how many rows of the window need no sound."""
    if samples is None or samples >= length:
        return 0
    return max(0, (length - max(samples, FRAME_SAMPLES)) // hop_samples)
