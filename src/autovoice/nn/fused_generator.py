"""The generator as a chain of one op: every convolution with what stands around it.

The same arithmetic as ``decoder.Generator``, over rows ``[B, T, C]``. Strided and transposed
convolutions become plain ones over rows that are joined or split: a kernel of two strides is two
taps.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from autovoice.kernels import Activation, polar_istft, polar_stft
from autovoice.kernels.polar_stft import WIDE
from autovoice.nn.adain import AdaINResBlock1
from autovoice.nn.decoder import Generator
from autovoice.nn.fused_rows import (
    FusedBlock,
    MomentBook,
    RowConv,
    Setting,
    State,
    grown,
    joining_conv,
    row_conv,
    splitting_conv,
    style_layers,
)
from autovoice.nn.lanes import Lanes
from autovoice.nn.moment_memory import MomentMemory

_STRIDES = (10, 6)
_CHANNELS = (256, 128)
_HOP_SAMPLES = 300
# Of one stage: six of the noise's block, one of its result, five of each of three blocks.
_PAGES = 22


class FusedGenerator(nn.Module):
    """Filter an excitation, as ``Generator`` does; inference only.

    Args:
        generator: whose weights are taken.
        dtype: of rows and weights; float16 on CUDA.
    """

    def __init__(self, generator: Generator, dtype: torch.dtype = torch.float16) -> None:
        super().__init__()
        self.dtype = dtype
        blocks = cast(list[AdaINResBlock1], [*generator.noise_res, *generator.resblocks])
        self.blocks = nn.ModuleList(FusedBlock(block, dtype) for block in blocks)
        ups = cast(list[nn.ConvTranspose1d], list(generator.ups))
        self.ups = nn.ModuleList(splitting_conv(up, dtype) for up in ups)
        first, second = cast(list[nn.Conv1d], list(generator.noise_convs))
        self.noise = nn.ModuleList(
            [joining_conv(first, dtype, WIDE), row_conv(second, dtype, wide_in=WIDE)]
        )
        self.post = row_conv(generator.conv_post, dtype, wide_out=WIDE)
        # Every style layer at once: one product instead of 48.
        layers = [layer for block in blocks for layer in style_layers(block)]
        self.styles = nn.Linear(layers[0].in_features, sum(x.out_features for x in layers))
        self.styles.requires_grad_(False)
        self.styles.weight.copy_(torch.cat([layer.weight for layer in layers]))
        self.styles.bias.copy_(torch.cat([layer.bias for layer in layers]))
        self.widths = [layer.out_features for layer in layers]
        self.lanes = Lanes(2)

    def forward(
        self, x: Tensor, style: Tensor, source: Tensor, lengths: Tensor | None = None,
        *, memory: MomentMemory | None = None,
    ) -> Tensor:  # fmt: skip
        """Filter.

        Args:
            x: ``[B, T, 512]`` rows of the decoder's first half, 80 frames/s.
            style: ``[B, 128]``.
            source: ``[B, 300 T]`` excitation.
            lengths: ``[B]`` int32, frames of each item that count. Default all.
            memory: what styles normalise by. Default: their own input.

        Shape: ``[B, 300 T]`` float32.
        """
        factors = self.factors(style)
        spectrum = polar_stft(source, grown(lengths, _HOP_SAMPLES)).to(self.dtype)
        x = x.to(self.dtype)
        for stage in range(len(_STRIDES)):
            x = self._stage(stage, x, spectrum, factors, lengths, memory=memory)
        count = grown(lengths, 60, 1)
        made = self.post(x, activation=Activation.LEAKY, slope=0.01, lengths=count, wide=True)
        return polar_istft(made, count)

    def factors(self, style: Tensor) -> list[list[Tensor]]:
        """Return the factors of each block's six layers, ``[B, 2 C]`` float32."""
        found = self.styles(style.float()).split(self.widths, dim=1)
        return [list(found[at : at + 6]) for at in range(0, len(found), 6)]

    def _stage(
        self, stage: int, x: Tensor, spectrum: Tensor, factors: list[list[Tensor]],
        lengths: Tensor | None, *, memory: MomentMemory | None,
    ) -> Tensor:  # fmt: skip
        """Raise the rate, add the excitation, and run the three blocks side by side."""
        before, after = ((1, 0), (10, 0), (60, 1))[stage : stage + 2]
        book = MomentBook(_PAGES, len(x), _CHANNELS[stage], x.device)
        here = Setting(book, grown(lengths, *after), memory)
        raised = self._raised(stage, x, grown(lengths, *before))
        noise = self._noise(stage, spectrum, raised.shape[1], here)
        inner, rest = self._block(stage).body(noise, factors[stage], here)
        page = book.page()
        rows = self._block(stage).last(
            inner, factors[stage], here, residual=rest, moments_out=page, second=raised
        )
        return self._resonate(2 + 3 * stage, here.state(rows, page), factors, here)

    def _resonate(self, first: int, x: State, factors: list[list[Tensor]], here: Setting) -> Tensor:
        """Return the mean of three blocks; each adds its third to what the one before left."""

        def body(index: int) -> tuple[State, Tensor]:
            return self._block(index).body(x, factors[index], here)

        def last(index: int, made: tuple[State, Tensor], before: Tensor | None) -> Tensor:
            inner, rest = made
            return self._block(index).last(
                inner, factors[index], here, residual=rest, factor=1 / 3, second=before
            )

        fork = self.lanes.fork(x.rows.device)
        with fork.lane(0):
            one = last(first, body(first), None)
        with fork.lane(1):
            made = body(first + 1)
        with fork.lane(1, after=0):
            two = last(first + 1, made, one)
        made = body(first + 2)
        fork.join(1)
        return last(first + 2, made, two)

    def _raised(self, stage: int, x: Tensor, lengths: Tensor | None) -> Tensor:
        stride, channels = _STRIDES[stage], _CHANNELS[stage]
        up = cast(RowConv, self.ups[stage])
        wide = up(
            x, activation=Activation.LEAKY, slope=0.1, rows_out=x.shape[1] + 1, lengths=lengths
        )
        rows: Tensor = wide.view(len(x), -1, channels)
        trim, count = stride // 2, stride * x.shape[1]
        if stage == 0:
            return rows[:, trim : trim + count]
        # One row more before the first, the mirror of the second.
        rows[:, trim - 1] = rows[:, trim + 1]
        return rows[:, trim - 1 : trim + count]

    def _noise(self, stage: int, spectrum: Tensor, rows: int, here: Setting) -> State:
        page, lengths = here.book.page(), here.lengths
        conv = cast(RowConv, self.noise[stage])
        if stage == 0:
            stride = _STRIDES[1]
            padded = F.pad(spectrum, (0, 0, stride // 2, stride - 1 - stride // 2))
            spectrum = padded.view(len(padded), rows + 1, -1)
            lengths = grown(lengths, 1, 1)
        made = conv(spectrum, rows_out=rows, lengths=lengths, moments_out=page)
        return here.state(made, page)

    def _block(self, index: int) -> FusedBlock:
        return cast(FusedBlock, self.blocks[index])
