"""Run the decoder: words, pitch, energy and timbre to 24 kHz sound."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Protocol

import numpy as np
import torch

from autovoice import weights
from autovoice.errors import InputError
from autovoice.nn.decoder import ASR_DIM, FRAME_SAMPLES, SAMPLE_RATE_HZ, KokoroDecoder
from autovoice.nn.held_norm import HeldNorm
from autovoice.nn.low_rank import Adapted
from autovoice.nn.stage import NetworkStage
from autovoice.types import Audio, FloatArray, Speaker


class Features(Protocol):
    """What the vocoder reads, see ``convert.DecoderFeatures``."""

    @property
    def asr(self) -> FloatArray:
        """``[512, T]``."""

    @property
    def f0_hz(self) -> FloatArray:
        """``[2 T]``."""

    @property
    def energy(self) -> FloatArray:
        """``[2 T]``."""


class Vocoder(NetworkStage):
    """Synthesise speech and song.

    Args:
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        tensors: weights by name; by default Kokoro-82M's decoder with what the project's own
            training changed.

    Raises:
        WeightsError: the weights cannot be had.

    Source: see ``nn.decoder``.
    """

    def __init__(
        self,
        *,
        device: str | torch.device = "cpu",
        mixed_precision: bool = False,
        cpu_fallback: bool = True,
        tensors: Mapping[str, torch.Tensor] | None = None,
    ) -> None:
        super().__init__(device=device, mixed_precision=mixed_precision, cpu_fallback=cpu_fallback)
        self.network = KokoroDecoder()
        self.network.load_state_dict(dict(tensors or _default_tensors()))
        self.add_network(self.network)
        self.adapted = Adapted(self.network, "decoder.")

    def synthesise(
        self, features: Features, speaker: Speaker, manner: Features | None = None
    ) -> Audio:
        """Make sound.

        Args:
            features: of a piece of up to about a minute.
            speaker: whose ``style`` gives the timbre, and whose ``adapter`` the decoder wears.
            manner: the same words in the pace of speech, whose statistics the decoder then takes:
                for notes that are held longer than any vowel it learned from (see
                ``nn.held_norm``). Default: those of ``features``.

        Returns:
            Mono at 24 kHz, 600 samples per frame of ``features.asr``.

        Raises:
            InputError: shapes that do not belong together.
            VoiceError: the adapter does not fit the decoder.
        """
        for each in (features, manner):
            if each is not None:
                _check(each)
        self.adapted.wear(speaker.adapter)
        if manner is None:
            samples = self.guarded(partial(self._run, features, speaker.style))
        else:
            samples = self.guarded(partial(self._run_like, features, manner, speaker.style))
        return Audio(samples[None], SAMPLE_RATE_HZ)

    def _run_like(self, features: Features, manner: Features, style: FloatArray) -> FloatArray:
        held = HeldNorm(self.network)
        with held.listening():
            self._run(manner, style)
        with held.holding():
            return self._run(features, style)

    def _run(self, features: Features, style: FloatArray) -> FloatArray:
        def tensor(values: FloatArray) -> torch.Tensor:
            return torch.from_numpy(np.ascontiguousarray(values)).to(self.device)[None]

        asr = tensor(features.asr)
        # Drawn on the CPU, so that a seed gives the same breath on every device.
        noise = torch.randn(1, FRAME_SAMPLES * asr.shape[2]).to(self.device)
        audio = self.network(
            asr, tensor(features.f0_hz), tensor(features.energy), tensor(style), noise
        )
        samples: FloatArray = audio[0].float().cpu().numpy()
        return samples


def _check(features: Features) -> None:
    frames = features.asr.shape[-1]
    found = (features.asr.shape, features.f0_hz.shape, features.energy.shape)
    if found != ((ASR_DIM, frames), (2 * frames,), (2 * frames,)) or not frames:
        raise InputError(f"vocoder: found shapes {found}, expected [512, T], [2 T], [2 T]")


def _default_tensors() -> dict[str, torch.Tensor]:
    tensors = {
        key.removeprefix("decoder."): value
        for key, value in weights.tensors("kokoro-82m").items()
        if key.startswith("decoder.")
    }
    return {**tensors, **weights.voice_model("decoder")}
