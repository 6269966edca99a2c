"""Who sings or speaks: Resemblyzer's speaker embedding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from autovoice import io, weights
from autovoice.analyse.speaker.gate import drop_silence
from autovoice.errors import InputError
from autovoice.nn.ge2e import (
    HOP_SAMPLES,
    PARTIAL_FRAMES,
    SAMPLE_RATE_HZ,
    Ge2eMel,
    Ge2eNetwork,
)
from autovoice.nn.stage import NetworkStage
from autovoice.types import FloatArray

PARTIALS_PER_S = 1.3
_STEP_FRAMES = round(SAMPLE_RATE_HZ / PARTIALS_PER_S / HOP_SAMPLES)
_LEAST_COVERAGE = 0.75
_QUIET_DBFS = -30.0
_BATCH = 64


class SpeakerEncoder(NetworkStage):
    """Embed a voice in 256 numbers whose cosine says how alike two voices sound.

    Recordings under -30 dBFS are raised to it, long silences are left out, stretches of 1.6 s are
    embedded every 0.77 s and averaged. The published package finds silence with WebRTC's speech
    detector, this one by level; ``eval.resemblyzer`` is the package to the letter.

    Args:
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        mixed_precision: run under autocast. Default off.
        cpu_fallback: go on on the CPU when the device is out of memory. Default on.
        tensors: weights by name; by default those of the registry.

    Raises:
        WeightsError: the weights cannot be had.

    Source: Wan et al., 2018; Resemblyzer by Resemble AI (Apache-2.0).
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
        self.mel = Ge2eMel()
        self.network = Ge2eNetwork()
        self.network.load_state_dict(dict(tensors or weights.tensors("resemblyzer")))
        self.add_network(self.mel)
        self.add_network(self.network)

    def embed(self, samples: FloatArray, sample_rate_hz: int) -> FloatArray:
        """Embed a recording of one voice.

        Args:
            samples: ``[T]`` float32, any length; a few seconds give a steady result.
            sample_rate_hz: rate of ``samples``.

        Returns:
            ``[256]``, of length 1, no negative entry.

        Raises:
            InputError: not mono, not finite, or nothing but silence.
        """
        if samples.ndim != 1 or not np.isfinite(samples).all():
            raise InputError(
                f"speaker: found samples of shape {list(samples.shape)}, expected finite mono [T]"
            )
        audio = io.resample(samples[None], sample_rate_hz, SAMPLE_RATE_HZ)[0]
        return self.embed_prepared(prepare(audio))

    def embed_prepared(self, audio: FloatArray) -> FloatArray:
        """Embed 16 kHz sound as it is: no level, no silence taken out; ``[T]`` -> ``[256]``."""
        starts = partial_starts(len(audio))
        total = np.zeros(256, np.float64)
        for index in range(0, len(starts), _BATCH):
            cut, places = _cut(audio, starts[index : index + _BATCH])
            key, seconds = (len(cut), places), len(cut) / SAMPLE_RATE_HZ
            total += self.batched(self._run, (cut, places), key=key, seconds=seconds)
        length = float(np.linalg.norm(total))
        if length == 0.0:
            raise InputError("speaker: found nothing but silence, expected a voice")
        return (total / length).astype(np.float32)

    def _run(self, items: Sequence[tuple[FloatArray, tuple[int, ...]]]) -> list[FloatArray]:
        """Return for each cut, of equal shape, the sum of the embeddings of its stretches."""
        cuts = torch.from_numpy(np.stack([cut for cut, _ in items])).to(self.device)
        places = torch.tensor(items[0][1], device=self.device)
        steps = torch.arange(PARTIAL_FRAMES, device=self.device)
        stretches = self.mel(cuts)[:, places[:, None] + steps]
        embeddings = self.network(stretches.flatten(0, 1)).float()
        summed = embeddings.view(len(items), len(places), -1).sum(dim=1)
        return list(summed.cpu().numpy())


def _cut(audio: FloatArray, starts: Sequence[int]) -> tuple[FloatArray, tuple[int, ...]]:
    """Return what the stretches from some frames on need of a sound, and where they begin in it."""
    # A frame of sound on each side of the cut, so that its frames are those of the whole.
    left, end = max(starts[0] - 2, 0), starts[-1] + PARTIAL_FRAMES
    cut = audio[left * HOP_SAMPLES : (end + 2) * HOP_SAMPLES]
    cut = np.pad(cut, (0, max(0, (end - left) * HOP_SAMPLES - len(cut))))
    return cut, tuple(start - left for start in starts)


def prepare(audio: FloatArray) -> FloatArray:
    """Raise quiet 16 kHz sound to -30 dBFS and leave long silences out.

    Raises:
        InputError: nothing but silence.
    """
    power = float(np.square(audio, dtype=np.float64).mean()) if len(audio) else 0.0
    if power < 1e-12:
        raise InputError("speaker: found nothing but silence, expected a voice")
    gain = max(1.0, float(np.sqrt(10.0 ** (_QUIET_DBFS / 10.0) / power)))
    louder = audio * np.float32(gain)
    active = drop_silence(louder)
    return active if len(active) >= HOP_SAMPLES else louder


def partial_starts(length_samples: int) -> list[int]:
    """Return the first frames of the stretches; the last may lack up to a quarter of its sound."""
    frames = -(-(length_samples + 1) // HOP_SAMPLES)
    starts = list(range(0, max(1, frames - PARTIAL_FRAMES + _STEP_FRAMES + 1), _STEP_FRAMES))
    covered = (length_samples - starts[-1] * HOP_SAMPLES) / (PARTIAL_FRAMES * HOP_SAMPLES)
    return starts[:-1] if covered < _LEAST_COVERAGE and len(starts) > 1 else starts
