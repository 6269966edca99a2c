"""Words by Whisper-base's encoder, over any length."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

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
        if frames:
            spans = list(windows(frames, self._window, self._overlap))
            peak = max(self.guarded(partial(self._peak, audio, span)) for span in spans)
            joiner = Joiner(whole)
            for span in spans:
                joiner.add(span[0], self.guarded(partial(self._run, audio, span, peak)))
        return Content(features=whole, layers=self.layers, hop_s=HOP_S, offset_s=0.0)

    def _cut(self, audio: FloatArray, span: tuple[int, int]) -> torch.Tensor:
        piece = audio[span[0] * FRAME_SAMPLES : span[1] * FRAME_SAMPLES]
        return torch.from_numpy(piece).to(self.device)[None]

    def _peak(self, audio: FloatArray, span: tuple[int, int]) -> float:
        """Return the loudest band of a stretch: the floor 80 dB below is one for all windows."""
        return float(self.mel.peak_log10(self._cut(audio, span)))

    def _run(self, audio: FloatArray, span: tuple[int, int], peak: float) -> FloatArray:
        cut, floor = self._cut(audio, span), torch.tensor([peak], device=self.device)
        result: FloatArray = self.graphs("encode", self._planes, cut, floor).cpu().numpy()
        return result

    def _planes(self, cut: torch.Tensor, peak: torch.Tensor) -> torch.Tensor:
        return torch.cat(self.network(self.mel(cut, peak), self.layers)).float()


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
