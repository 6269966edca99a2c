"""The project's own networks: what shares a pass does not change what comes out of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch

from autovoice.analyse.content import ContentEncoder
from autovoice.analyse.pitch import SwiftF0Tracker
from autovoice.convert import Converter, DecoderFeatures
from autovoice.nn.content_adapter import ContentAdapter
from autovoice.nn.decoder import KokoroDecoder
from autovoice.nn.fused_decoder import FusedDecoder
from autovoice.nn.spleeter_unet import SpleeterUNet
from autovoice.nn.swift_f0 import SwiftF0Network
from autovoice.nn.whisper_encoder import WhisperEncoder
from autovoice.separate.spleeter import Spleeter
from autovoice.types import Speaker
from autovoice.vocode import Vocoder

# The promise of ``docs/engine.md``, here of the largest difference, which is stricter than RMS.
TOLERANCE = 1e-5


def _apart(made: Any, alone: Any) -> float:
    """Return the largest difference, as a share of the largest value."""
    made, alone = (np.asarray(each, np.float64) for each in (made, alone))
    assert made.shape == alone.shape
    return float(np.abs(made - alone).max() / max(np.abs(alone).max(), 1e-9))


def _agree(
    stage: Any, run: Callable[[Sequence[Any]], Sequence[Any]], items: Sequence[Any]
) -> float:
    """Run items together, in another order, and one by one; return the worst difference."""
    together = stage.tried(lambda: run(items))
    turned = stage.tried(lambda: run(items[::-1]))[::-1]
    alone = [stage.tried(lambda item=item: run([item]))[0] for item in items]
    pairs = [*zip(together, alone, strict=True), *zip(turned, alone, strict=True)]
    return max(_apart(made, one) for made, one in pairs)


def _noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def _speaker(seed: int, adapter: Any = None) -> Speaker:
    return Speaker(
        _noise(128, seed=seed), _noise(256, seed=seed), 200.0, 100.0, 300.0, adapter or {}
    )


def _features(frames: int, seed: int) -> DecoderFeatures:
    f0_hz = np.where(np.arange(2 * frames) % 11 < 8, 120.0 + 40 * seed, 0.0).astype(np.float32)
    return DecoderFeatures(_noise(512, frames, seed=seed), f0_hz, _noise(2 * frames, seed=seed))


@pytest.fixture(scope="module")
def decoder() -> KokoroDecoder:
    torch.manual_seed(0)
    return KokoroDecoder()


def _adapter(seed: int) -> dict[str, np.ndarray]:
    return {"decoder.generator.conv_post.bias": 0.5 * _noise(22, seed=seed)}


@pytest.fixture(scope="module")
def vocoder(decoder: KokoroDecoder) -> Vocoder:
    return Vocoder(tensors=decoder.state_dict())


def test_voices_share_a_pass_of_the_decoder(vocoder: Vocoder) -> None:
    asked = [(_features(8, seed), _speaker(seed), seed) for seed in range(4)]
    together = vocoder.synthesise_many(asked)
    alone = [vocoder.synthesise(f, s, seed=seed) for f, s, seed in asked]
    worst = max(_apart(a.samples, b.samples) for a, b in zip(together, alone, strict=True))
    assert worst < TOLERANCE
    assert _apart(alone[0].samples, alone[1].samples) > 0.01


def test_lengths_and_trained_voices_are_kept_apart(vocoder: Vocoder) -> None:
    trained, other = _speaker(0, _adapter(1)), _speaker(0, _adapter(2))
    voices = [_speaker(0), trained, other, trained, _speaker(0)]
    asked = [(_features(n, 1), voice, 3) for n, voice in zip((6, 6, 6, 6, 4), voices, strict=True)]
    seen: list[int] = []
    run = vocoder._decode

    def spy(*tensors: torch.Tensor, lengths: Any) -> torch.Tensor:
        seen.append(len(tensors[0]))
        return run(*tensors, lengths=lengths)

    vocoder._decode = spy  # type: ignore[method-assign]
    together = vocoder.synthesise_many(asked)
    vocoder._decode = run  # type: ignore[method-assign]
    assert sorted(seen) == [1, 1, 1, 2]
    alone = [vocoder.synthesise(f, s, seed=seed) for f, s, seed in asked]
    for made, one in zip(together, alone, strict=True):
        assert _apart(made.samples, one.samples) < TOLERANCE
    assert _apart(together[0].samples, together[1].samples) > 1e-4
    assert _apart(together[1].samples, together[2].samples) > 1e-4


class Ragged(Vocoder):
    """The decoder whose kernels know the length of each item."""

    ragged = True

    def __init__(self, decoder: KokoroDecoder) -> None:
        super().__init__(tensors=decoder.state_dict())
        self.fused = FusedDecoder(self.network, torch.float32)

    def _decode(self, *tensors: torch.Tensor, lengths: torch.Tensor | None) -> torch.Tensor:
        asr, f0_hz, energy, style, noise = tensors
        made: torch.Tensor = self.fused(asr, f0_hz, energy, style, noise, lengths=lengths)
        return made


def test_lengths_share_a_pass_where_the_decoder_takes_them(
    decoder: KokoroDecoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("autovoice.vocode.vocoder.RAGGED_FRAMES", 8)
    vocoder = Ragged(decoder)
    asked = [(_features(n, n), _speaker(n), n) for n in (5, 7, 6)]
    assert len({vocoder._key(_piece) for _piece in map(_pieced, asked)}) == 1
    together = vocoder.synthesise_many(asked)
    plain = Vocoder(tensors=decoder.state_dict())
    for made, (features, speaker, seed) in zip(together, asked, strict=True):
        alone = vocoder.synthesise(features, speaker, seed=seed)
        assert _apart(made.samples, alone.samples) < TOLERANCE
        assert _apart(made.samples, plain.synthesise(features, speaker, seed=seed).samples) < 1e-3


def _pieced(asked: Any) -> Any:
    from autovoice.vocode.vocoder import _piece

    return _piece(*asked)


def test_the_recogniser_hears_each_for_itself() -> None:
    torch.manual_seed(1)
    encoder = ContentEncoder(tensors=WhisperEncoder().state_dict())
    cuts = [0.1 * (seed + 1) * _noise(8_000, seed=seed) for seed in range(3)]
    assert _agree(encoder, encoder._run, [(cut, None) for cut in cuts]) < TOLERANCE
    assert _agree(encoder, encoder._run, [(cut, 2.0 + i) for i, cut in enumerate(cuts)]) < TOLERANCE
    assert _agree(encoder, encoder._run_peaks, cuts) < TOLERANCE


def test_the_floor_of_a_single_window_is_its_own_peak() -> None:
    torch.manual_seed(1)
    encoder = ContentEncoder(tensors=WhisperEncoder().state_dict())
    cut = 0.1 * _noise(8_000)
    told = encoder._planes_of(cut, encoder._peak(cut))
    np.testing.assert_array_equal(encoder._planes_of(cut, None), told)


def test_the_adapter_takes_each_for_itself() -> None:
    torch.manual_seed(2)
    converter = Converter(tensors=dict(ContentAdapter().state_dict()))
    from autovoice.convert.converter import _Piece

    pieces = [_Piece(_noise(1024, 50, seed=seed), 40, {}) for seed in range(3)]
    assert _agree(converter, converter._run, pieces) < TOLERANCE


def test_the_tracker_follows_each_for_itself() -> None:
    torch.manual_seed(3)
    network = SwiftF0Network()
    network.get_buffer("log_bin_hz").copy_(torch.linspace(3.8, 7.6, 95))
    for name, buffer in network.named_buffers():
        if name.startswith("spectrum."):
            buffer.copy_(torch.rand(buffer.shape))
    tracker = SwiftF0Tracker(tensors=network.state_dict())
    cuts = [0.1 * _noise(16_384, seed=seed) for seed in range(4)]
    assert _agree(tracker, tracker._run, cuts) < TOLERANCE


@pytest.mark.parametrize("channels", [1, 2])
def test_the_separator_takes_each_apart_for_itself(channels: int) -> None:
    torch.manual_seed(4)
    tensors = {
        f"{stem}.{name}": value
        for stem in ("vocals", "backing")
        for name, value in SpleeterUNet().state_dict().items()
    }
    separator = Spleeter(tensors=tensors)
    items = [(0.1 * _noise(channels, 44_100, seed=seed), 1.0 + seed) for seed in range(3)]
    assert _agree(separator, separator._run, items) < TOLERANCE
