"""The encoder of Whisper-base, with its hidden layers in reach."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional

BANDS = 80
WIDTH = 512
HEADS = 8
LAYERS = 6
MOST_FRAMES = 3000


class WhisperAttention(nn.Module):
    """Attend from every frame to every frame: ``[B, F, 512]`` -> ``[B, F, 512]``."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH)
        self.out = nn.Linear(WIDTH, WIDTH)

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """Return what each frame gathers from the others."""
        batch, length, _ = frames.shape
        split = self.qkv(frames).view(batch, length, 3, HEADS, WIDTH // HEADS)
        query, key, value = split.permute(2, 0, 3, 1, 4).unbind(0)
        mixed = functional.scaled_dot_product_attention(query, key, value)
        joined: torch.Tensor = self.out(mixed.transpose(1, 2).reshape(batch, length, WIDTH))
        return joined


class WhisperBlock(nn.Module):
    """One block: normalise, attend, normalise, feed forward; each around a skip."""

    def __init__(self) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(WIDTH)
        self.attention = WhisperAttention()
        self.feed_forward_norm = nn.LayerNorm(WIDTH)
        self.expand = nn.Linear(WIDTH, 4 * WIDTH)
        self.contract = nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """Run the block, ``[B, F, 512]`` -> ``[B, F, 512]``."""
        frames = frames + self.attention(self.attention_norm(frames))
        hidden = functional.gelu(self.expand(self.feed_forward_norm(frames)))
        result: torch.Tensor = frames + self.contract(hidden)
        return result


class WhisperEncoder(nn.Module):
    """Turn a log-mel spectrum into hidden layers at 50 frames/s.

    Nothing is padded to 30 s: the network sees the frames that it is given. Layer 1 to 6 is what
    leaves that block; the last is normalised, as the decoder would see it, when asked.

    Source: Radford et al., "Robust speech recognition via large-scale weak supervision", 2022.
    """

    positions: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(BANDS, WIDTH, 3, padding=1)
        self.conv2 = nn.Conv1d(WIDTH, WIDTH, 3, stride=2, padding=1)
        self.register_buffer("positions", torch.zeros(MOST_FRAMES // 2, WIDTH))
        self.blocks = nn.ModuleList(WhisperBlock() for _ in range(LAYERS))
        self.final_norm = nn.LayerNorm(WIDTH)

    def forward(
        self,
        mel: torch.Tensor,
        layers: Sequence[int] = (LAYERS,),
        final_norm: bool = True,
        first_position: torch.Tensor | None = None,
    ) -> tuple[torch.Tensor, ...]:
        """Run the network up to the highest layer asked for.

        Args:
            mel: ``[B, 80, M]`` of ``WhisperMel``, M from 1 to 3000; cast to the weights' type.
            layers: which layers to return, 1 to 6. Default the last.
            final_norm: pass layer 6 through the final normalisation. Default on.
            first_position: ``[B]`` int64, where in the 30 s each item starts, in frames of 20 ms,
                0 to 1500 less its length. Default 0. Every layer carries its position strongly
                (the same sound at another position correlates 0.8 to 0.9 per channel), so what
                learns from the features should see many.

        Returns:
            One ``[B, ceil(M / 2), 512]`` per entry of ``layers``, in their order; frame ``k`` is
            centred at 20 ms times ``k``.

        Raises:
            ValueError: a layer or a length out of range.
        """
        if not layers or min(layers) < 1 or max(layers) > LAYERS:
            raise ValueError(f"layers: found {tuple(layers)}, expected some of 1 to {LAYERS}")
        if mel.ndim != 3 or mel.shape[1] != BANDS or not 1 <= mel.shape[2] <= MOST_FRAMES:
            raise ValueError(
                f"mel: found {list(mel.shape)}, expected [B, {BANDS}, 1 to {MOST_FRAMES}]"
            )
        hidden = functional.gelu(self.conv1(mel.to(self.conv1.weight.dtype)))
        hidden = functional.gelu(self.conv2(hidden)).transpose(1, 2)
        hidden = hidden + self._positions(hidden.shape[1], first_position).to(hidden.dtype)
        found: dict[int, torch.Tensor] = {}
        for number, block in enumerate(self.blocks[: max(layers)], start=1):
            hidden = block(hidden)
            found[number] = hidden
        if final_norm and LAYERS in found:
            found[LAYERS] = self.final_norm(hidden)
        return tuple(found[number] for number in layers)

    def _positions(self, length: int, first: torch.Tensor | None) -> torch.Tensor:
        if first is None:
            return self.positions[:length]
        steps = torch.arange(length, device=self.positions.device)
        return self.positions[first.to(steps.device)[:, None] + steps]
