"""The rebuilt networks against known numbers of their front ends and the original SwiftF0."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from autovoice import weights
from autovoice.nn.fcpe import FcpeNetwork, slaney_filters
from autovoice.nn.swift_f0 import SwiftF0Network


def _signal(seconds: float = 1.5) -> torch.Tensor:
    time_s = np.arange(int(16_000 * seconds)) / 16_000
    phase = 2 * np.pi * np.cumsum(200 + 150 * time_s) / 16_000
    tone = sum(np.sin(harmonic * phase) / harmonic for harmonic in range(1, 12))
    noise = 0.01 * np.random.default_rng(0).standard_normal(time_s.size)
    return torch.from_numpy((0.1 * tone + noise).astype(np.float32))[None]


def test_swift_f0_equals_the_published_graph() -> None:
    runtime = pytest.importorskip("onnxruntime", reason="comes with the extra `eval`")
    path = weights.file("swift-f0", "model.onnx")
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    audio = _signal()
    limits = {"fmin": np.array(46.875, np.float32), "fmax": np.array(2093.75, np.float32)}
    f0_hz, confidence = session.run(None, {"audio": audio.numpy(), **limits})
    network = SwiftF0Network().eval()
    network.load_state_dict(weights.tensors("swift-f0"))
    with torch.inference_mode():
        found = network(audio)
    np.testing.assert_allclose(found[0].numpy(), f0_hz, rtol=1e-5)
    np.testing.assert_allclose(found[1].numpy(), confidence, atol=1e-4)


def test_swift_f0_batches_equal_single_takes() -> None:
    network = SwiftF0Network().eval()
    network.load_state_dict(weights.tensors("swift-f0"))
    audio = _signal()
    with torch.inference_mode():
        single = network(audio)
        pair = network(torch.cat([audio.flip(-1), audio]))
    torch.testing.assert_close(pair[0][1:], single[0], rtol=1e-4, atol=0)
    torch.testing.assert_close(pair[1][1:], single[1], rtol=0, atol=1e-4)


def test_swift_f0_convolves_in_float32_and_leaves_the_setting_alone() -> None:
    """What TF32 moves the pitch by depends on the batch, and the phase adds it up."""
    network = SwiftF0Network().eval()
    layers = [m for m in network.modules() if isinstance(m, torch.nn.Conv1d | torch.nn.Conv2d)]
    rounded: list[bool] = []
    for layer in layers:
        layer.register_forward_pre_hook(lambda *_: rounded.append(torch.backends.cudnn.allow_tf32))
    for allowed in (True, False):
        with torch.backends.cudnn.flags(enabled=True, allow_tf32=allowed), torch.inference_mode():
            network(_signal(0.1))
            assert torch.backends.cudnn.allow_tf32 == allowed
    assert len(layers) == 18
    assert rounded == [False] * 2 * len(layers)


def test_fcpe_finds_a_rising_tone() -> None:
    network = FcpeNetwork().eval()
    network.load_state_dict(weights.tensors("fcpe"))
    with torch.inference_mode():
        mel = network.mel(torch.nn.functional.pad(_signal(), (432, 592)))
        moments = network.moments(mel).mean(dim=-1).float()
        f0_hz, confidence = network(mel, moments)
    expected = 200 + 150 * 0.01 * torch.arange(mel.shape[-1])
    error = 1200 * torch.log2(f0_hz[0] / expected)
    assert float(error[10:-10].abs().median()) < 10.0
    assert float(confidence[0, 10:-10].min()) > 0.5


def test_slaney_filters_have_equal_area() -> None:
    filters = slaney_filters(128, 513, 8000.0)
    assert filters.shape == (128, 513)
    # 15.625 Hz a bin; the filters wide enough to be sampled well integrate to one
    area = filters.double().sum(dim=1)[90:127] * 15.625
    torch.testing.assert_close(area, torch.ones_like(area), rtol=0.05, atol=0)
