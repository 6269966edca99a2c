"""What is trained of a voice: its style, and low-rank additions to content adapter and decoder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import torch
from torch import Tensor, nn

from autovoice.nn.low_rank import LowRank
from autovoice.train.colour import colour_gap, long_term
from autovoice.train.losses import cosine_gap
from autovoice.train.voice.material import FRAME_SAMPLES, Crops
from autovoice.train.voice.parts import Parts
from autovoice.types import FloatArray

STYLE = "style"
GENERATOR = "decoder.generator."
# Of what ``Parts.hear`` returns: the recogniser's last layer.
LAST_LAYER = slice(512, None)
# Of the content adapter what lies behind its last mixing; of the decoder every convolution whose
# weight is worth it. The style is the same in every frame, so of the layers that read it the bias
# is all that matters.
_CONTENT = ("blocks.6.down", "blocks.7.down", "outward")
_BIAS_ONLY = (".fc",)
_DECODER = ("encode.conv", "decode.", "generator.resblocks", "generator.noise_res")


def ranks_of(content: nn.Module, decoder: nn.Module, rank: int) -> tuple[dict[str, int], ...]:
    """Return the ranks of the layers to train, of the content adapter and of the decoder."""
    words = {name: rank for name, _ in _layers(content) if name in _CONTENT}
    sound = {}
    for name, layer in _layers(decoder):
        if name.endswith(_BIAS_ONLY):
            sound[name] = 0
        elif name.startswith(_DECODER) or name == "generator.conv_post":
            # Narrower than four times the rank there is little to gain from a low rank.
            narrow = min(layer.weight.shape[:2]) < 4 * rank
            sound[name] = 0 if narrow else rank
    return words, sound


def _layers(network: nn.Module) -> Iterator[tuple[str, nn.Linear | nn.Conv1d]]:
    for name, layer in network.named_modules():
        if isinstance(layer, nn.Linear | nn.Conv1d) and getattr(layer, "groups", 1) == 1:
            yield name, layer


class Learner:
    """The trained tensors, and how they sound.

    Args:
        parts: the frozen networks.
        style: ``[128]`` the zero-shot style, where training starts.
        rank: of the additions.
        seed: of their start.
    """

    def __init__(self, parts: Parts, style: FloatArray, *, rank: int = 8, seed: int = 0) -> None:
        self.parts = parts
        words, sound = ranks_of(parts.content, parts.decoder, rank)
        self._low = {
            "content.": LowRank(parts.content, words, seed),
            "decoder.": LowRank(parts.decoder, sound, seed + 1),
        }
        self.first_style = torch.from_numpy(np.ascontiguousarray(style)).to(parts.device)
        self.style = nn.Parameter(self.first_style.clone())
        self.parameters: dict[str, nn.Parameter] = {STYLE: self.style}
        for prefix, low in self._low.items():
            self.parameters |= {prefix + name: value for name, value in low.tensors.items()}

    def close(self) -> None:
        """Leave the networks as they were."""
        for low in self._low.values():
            low.detach()

    def say(self, content: Tensor, f0_hz: Tensor, energy: Tensor, noise: Tensor) -> Tensor:
        """Sing in the voice as it is now, ``[B, S]`` at 24 kHz (shapes as in ``Crops``).

        Steps of training on a GPU decode in bfloat16, as those of the base model do; what is judged
        is decoded in float32.
        """
        asr = self.parts.content(content, noise.shape[1] // FRAME_SAMPLES)
        style = self.style[None].expand(len(content), -1)
        kind = torch.device(self.parts.device).type
        fast = kind == "cuda" and torch.is_grad_enabled()
        with torch.autocast(kind, dtype=torch.bfloat16, enabled=fast):
            sound: Tensor = self.parts.decoder(asr, f0_hz, energy, style, noise)
        return sound.float()

    def own_losses(self, crops: Crops) -> dict[str, Tensor]:
        """Compare what is sung with what was: spectrum, pitch and octave."""
        made = self.say(crops.content, crops.f0_hz, crops.energy, crops.noise)
        return {
            "mel": self.parts.distance(made, crops.audio, crops.band_hz),
            "pitch": self.parts.pitch(made, crops.f0_hz),
            "octave": self.parts.octave(made, crops.f0_hz),
            "style": self._drift(),
        }

    def stranger_losses(self, crops: Crops, colour: Tensor) -> dict[str, Tensor]:
        """Convert somebody else: the words and the pitch stay, the long-term spectrum comes.

        Args:
            crops: what others said; their sound is what the words are compared with.
            colour: ``[67]`` long-term spectrum of the voice (``train.colour``).
        """
        made = self.say(crops.content, crops.f0_hz, crops.energy, crops.noise)
        with torch.no_grad():
            words = self.parts.hear(crops.audio)[:, LAST_LAYER]
        spectrum = long_term(self.parts.mel24k(made))
        return {
            "words": cosine_gap(self.parts.hear(made)[:, LAST_LAYER], words),
            "colour": colour_gap(spectrum, colour[None].expand_as(spectrum)),
            "pitch": self.parts.pitch(made, crops.f0_hz),
            "octave": self.parts.octave(made, crops.f0_hz),
            "style": self._drift(),
        }

    def _drift(self) -> Tensor:
        """Measure how far the style went from where it began, as a share of its power."""
        power = self.first_style.square().mean().clamp_min(1e-6)
        return (self.style - self.first_style).square().mean() / power

    def put(self, values: Mapping[str, Tensor]) -> None:
        """Set the trained tensors."""
        with torch.no_grad():
            for name, parameter in self.parameters.items():
                parameter.copy_(values[name])

    def values(self) -> dict[str, Tensor]:
        """Return copies of the trained tensors, on the CPU."""
        return {name: value.detach().cpu().clone() for name, value in self.parameters.items()}


def weakened(values: Mapping[str, Tensor], strength: float) -> dict[str, Tensor]:
    """Return the values with every addition to a weight or a bias multiplied by ``strength``."""
    kept = (STYLE, ".down")
    return {k: v if k.endswith(kept) else v * strength for k, v in values.items()}


def as_adapter(values: Mapping[str, Tensor]) -> tuple[FloatArray, dict[str, np.ndarray]]:
    """Return style and adapter of a ``.voice`` file, the adapter in float16.

    Raises:
        ValueError: a value is beyond float16.
    """
    adapter = {k: v.half().numpy() for k, v in values.items() if k != STYLE}
    strange = [name for name, value in adapter.items() if not np.isfinite(value).all()]
    if strange:
        raise ValueError(f"{strange[0]}: found values beyond float16, expected a stable training")
    return values[STYLE].numpy().astype(np.float32), adapter
