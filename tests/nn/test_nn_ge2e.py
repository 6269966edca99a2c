"""The speaker network: its spectrum against a direct transform, its output's shape and length."""

from __future__ import annotations

import torch

from autovoice.nn.ge2e import Ge2eMel, Ge2eNetwork
from autovoice.nn.mel_bank import slaney_bank


def test_mel_is_the_banked_power_of_a_windowed_frame() -> None:
    samples = torch.randn(1, 3210, generator=torch.Generator().manual_seed(0))
    mel = Ge2eMel()(samples)
    assert mel.shape == (1, 21, 40)
    bank = slaney_bank(bands=40, n_fft=400, sample_rate_hz=16_000)
    for frame in (0, 7):
        padded = torch.nn.functional.pad(samples[0], (200, 200))
        cut = padded[160 * frame : 160 * frame + 400].double() * torch.hann_window(400).double()
        wanted = bank.double() @ torch.fft.rfft(cut).abs().square()
        assert torch.allclose(mel[0, frame].double(), wanted, rtol=1e-4, atol=1e-6)


def test_embeddings_are_unit_length_and_not_negative() -> None:
    torch.manual_seed(1)
    with torch.no_grad():
        found = Ge2eNetwork()(torch.rand(3, 160, 40))
    assert found.shape == (3, 256)
    assert float(found.min()) >= 0
    assert torch.allclose(found.norm(dim=1), torch.ones(3), atol=1e-5)
