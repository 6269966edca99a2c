"""Words by Whisper-base's encoder, over any length."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from autovoice import weights
from autovoice.analyse.content.windows import Joiner, windows
from autovoice.errors import InputError
from autovoice.nn.stage import NetworkStage
from autovoice.nn.whisper_encoder import LAYERS, MOST_FRAMES, WIDTH, WhisperEncoder
from autovoice.nn.whisper_mel import SAMPLE_RATE_HZ, WhisperMel
from autovoice.types import Content, FloatArray

FRAME_SAMPLES = 320
HOP_S = FRAME_SAMPLES / SAMPLE_RATE_HZ
_MOST_WINDOW_S = MOST_FRAMES // 2 * HOP_S


class ContentEncoder(NetworkStage):
    """Hear the words: hidden layers of Whisper-base's encoder at 50 frames/s.

    Long audio goes through in windows that overlap and are cross-faded, so the memory beyond the
    result does not grow. Nothing is padded to 30 s.

    Args:
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        mixed_precision: run under autocast. Default off.
        cpu_fallback: go on on the CPU when the device is out of memory. Default on.
        layers: hidden layers to return, 1 to 6; 6 is final-normalised. Default (4, 6).
        window_s: longest stretch seen at once, up to 30. Default 20.
        overlap_s: least stretch that neighbouring windows share, at least 1. Default 2.
        tensors: weights by name; by default those of the registry.

    Raises:
        WeightsError: the weights cannot be had.
        InputError: an option out of range.

    Source: Radford et al., "Robust speech recognition via large-scale weak supervision", 2022.
    """

    def __init__(
        self,
        *,
        device: str | torch.device = "cpu",
        mixed_precision: bool = False,
        cpu_fallback: bool = True,
        layers: Sequence[int] = (4, 6),
        window_s: float = 20.0,
        overlap_s: float = 2.0,
        tensors: Mapping[str, torch.Tensor] | None = None,
    ) -> None:
        super().__init__(device=device, mixed_precision=mixed_precision, cpu_fallback=cpu_fallback)
        if not layers or not all(1 <= layer <= LAYERS for layer in layers):
            raise InputError(f"layers: found {tuple(layers)}, expected some of 1 to {LAYERS}")
        if not 1.0 <= overlap_s < window_s <= _MOST_WINDOW_S:
            raise InputError(
                f"found windows of {window_s} s that share {overlap_s} s, expected at most "
                f"{_MOST_WINDOW_S:.0f} s and a share of at least 1 s"
            )
        self.layers = tuple(layers)
        self._window = round(window_s / HOP_S)
        self._overlap = round(overlap_s / HOP_S)
        self.mel = WhisperMel()
        self.network = WhisperEncoder()
        self.network.load_state_dict(dict(tensors or weights.tensors("whisper-base")))
        self.add_network(self.mel)
        self.add_network(self.network, half=True)

    def encode(self, samples: FloatArray) -> Content:
        """Encode 16 kHz mono audio.

        Args:
            samples: ``[T]`` float32 in [-1, 1], any length.

        Returns:
            ``features: [L, ceil(T / 320), 512]``; frame ``k`` is centred on sample ``320 k``.

        Raises:
            InputError: not mono, or not finite.
        """
        audio = _checked(samples)
        frames = -(-len(audio) // FRAME_SAMPLES)
        whole = np.empty((len(self.layers), frames, WIDTH), np.float32)
        spans = list(windows(frames, self._window, self._overlap))
        cuts = [audio[first * FRAME_SAMPLES : end * FRAME_SAMPLES] for first, end in spans]
        # The floor 80 dB below the loudest band is one for all windows.
        peak = max(map(self._peak, cuts)) if len(cuts) > 1 else None
        joiner = Joiner(whole)
        for (first, _), cut in zip(spans, cuts, strict=True):
            joiner.add(first, self._planes_of(cut, peak))
        return Content(features=whole, layers=self.layers, hop_s=HOP_S, offset_s=0.0)

    @property
    def most_samples(self) -> int:
        """The longest stretch that goes through in one window."""
        return self._window * FRAME_SAMPLES

    def planes(self, cuts: torch.Tensor) -> torch.Tensor:
        """Encode stretches that are on the device; called from inside of a turn.

        Args:
            cuts: ``[B, T]`` at 16 kHz, T up to ``most_samples``.

        Shape: ``[B, L, ceil(T / 320), 512]``.
        """
        return self.graphs("encode", self._planes, cuts)

    def _peak(self, cut: FloatArray) -> float:
        """Return the log10 power of the loudest band of a stretch."""
        key, seconds = len(cut), len(cut) / SAMPLE_RATE_HZ
        return self.batched(self._run_peaks, cut, key=key, seconds=seconds)

    def _planes_of(self, cut: FloatArray, peak: float | None) -> FloatArray:
        """Return the layers of a stretch, ``[L, F, 512]``; ``peak`` None is its own."""
        key, seconds = (len(cut), peak is None), len(cut) / SAMPLE_RATE_HZ
        return self.batched(self._run, (cut, peak), key=key, seconds=seconds)

    def _stacked(self, cuts: Sequence[FloatArray]) -> torch.Tensor:
        return torch.from_numpy(np.stack(cuts)).to(self.device)

    def _run_peaks(self, cuts: Sequence[FloatArray]) -> list[float]:
        peaks: list[float] = self.mel.peak_log10(self._stacked(cuts)).tolist()
        return peaks

    def _run(self, items: Sequence[tuple[FloatArray, float | None]]) -> list[FloatArray]:
        """Encode stretches of one length in one pass, each to ``[L, F, 512]``."""
        inputs = [self._stacked([cut for cut, _ in items])]
        peaks = [peak for _, peak in items if peak is not None]
        if peaks:
            inputs.append(torch.tensor(peaks, device=self.device))
        result: FloatArray = self.graphs("encode", self._planes, *inputs).cpu().numpy()
        return list(result)

    def _planes(self, cuts: torch.Tensor, peaks: torch.Tensor | None = None) -> torch.Tensor:
        return torch.stack(self.network(self.mel(cuts, peaks), self.layers), dim=1).float()


def _checked(samples: FloatArray) -> FloatArray:
    if samples.ndim != 1:
        raise InputError(
            f"content: found samples of shape {list(samples.shape)}, expected mono [T] at 16 kHz; "
            "mix the channels down first"
        )
    found: FloatArray = np.ascontiguousarray(samples, dtype=np.float32)
    if not np.isfinite(found).all():
        raise InputError("content: found NaN or Inf in the samples, expected finite audio")
    return found
