"""Fused kernels against the plain functions.

They need a GPU, or Triton's interpreter on any machine: ``TRITON_INTERPRET=1`` with the package
``triton`` installed.
"""

from __future__ import annotations

import os

import pytest
import torch
from torch import Tensor

from autovoice.nn.adain import adain_snake
from autovoice.nn.decoder import Generator

pytest.importorskip("triton", reason="Triton comes with PyTorch for CUDA only")
INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
if not (torch.cuda.is_available() or INTERPRETED):
    pytest.skip("needs a GPU, or TRITON_INTERPRET=1", allow_module_level=True)

from autovoice.train import fused_activation  # noqa: E402

DEVICE = "cuda" if torch.cuda.is_available() and not INTERPRETED else "cpu"


def _both(shape: tuple[int, int, int], dtype: torch.dtype) -> tuple[list[Tensor], list[Tensor]]:
    """Return output and gradients of the plain function and of the fused one."""
    items, channels, frames = shape
    chance = torch.Generator().manual_seed(0)
    x = (3 * torch.randn(items, channels, frames, generator=chance) + 5).to(DEVICE, dtype)
    factors = (0.5 * torch.randn(items, 2 * channels, generator=chance)).to(DEVICE)
    alpha = (torch.rand(1, channels, 1, generator=chance) + 0.5).to(DEVICE)
    given = torch.randn(items, channels, frames, generator=chance).to(DEVICE, dtype)
    found = []
    for function, exact in ((adain_snake, True), (fused_activation.adain_snake, False)):
        leaves = [t.clone().requires_grad_() for t in (x.float() if exact else x, factors, alpha)]
        made = function(*leaves)
        made.backward(given.to(made.dtype))
        found.append([made.detach(), *(leaf.grad for leaf in leaves if leaf.grad is not None)])
    return found[0], found[1]


@pytest.mark.parametrize(
    ("shape", "dtype", "most"),
    [
        ((2, 128, 700), torch.float32, 1e-5),
        ((3, 40, 257), torch.float32, 1e-5),
        ((1, 32, 5), torch.float32, 1e-5),
        ((2, 64, 256), torch.bfloat16, 0.01),
    ],
)
def test_it_is_the_plain_function_and_its_gradient(
    shape: tuple[int, int, int], dtype: torch.dtype, most: float
) -> None:
    plain, fused = _both(shape, dtype)
    assert len(plain) == len(fused) == 4
    for wanted, found in zip(plain, fused, strict=True):
        gap = (found.float() - wanted.float()).abs().max() / wanted.float().abs().max()
        assert float(gap) < most


def test_a_fused_generator_makes_the_same_sound_and_gradients() -> None:
    torch.manual_seed(0)
    generator = Generator().to(DEVICE)
    inputs = [torch.randn(1, size, device=DEVICE) for size in (128, 1_200)]
    features = torch.randn(1, 512, 4, device=DEVICE)
    sounds, gradients = [], []
    for fused in (False, True):
        if fused:
            fused_activation.fuse(generator)
        generator.zero_grad()
        sound = generator(features, *inputs)
        sound.square().mean().backward()
        sounds.append(sound.detach())
        gradients.append(
            {n: p.grad.clone() for n, p in generator.named_parameters() if p.grad is not None}
        )
    torch.testing.assert_close(sounds[1], sounds[0], rtol=1e-4, atol=1e-5)
    for name, wanted in gradients[0].items():
        if float(wanted.abs().max()) > 1e-6:  # less is rounding: a bias before a normalisation
            gap = (gradients[1][name] - wanted).abs().max() / wanted.abs().max()
            assert float(gap) < 1e-3, name
