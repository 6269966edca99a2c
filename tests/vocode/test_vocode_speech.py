from __future__ import annotations

import numpy as np
import pytest
import torch

from autovoice import weights
from autovoice.nn.decoder import KokoroDecoder
from autovoice.types import Speaker
from autovoice.vocode.speech import between, speech_vocoder
from autovoice.vocode.vocoder import Vocoder


def test_what_lies_between_two_sets() -> None:
    first = {"a": torch.tensor([0.0, 2.0]), "b": torch.tensor([5.0])}
    second = {"a": torch.tensor([1.0, 4.0], dtype=torch.float16)}
    found = between(first, second, 0.25)
    torch.testing.assert_close(found["a"], torch.tensor([0.25, 2.5]))
    assert found["b"] is first["b"]
    torch.testing.assert_close(between(first, second, 1.0)["a"], torch.tensor([1.0, 4.0]))


@pytest.mark.parametrize(("units", "dtype"), [(True, torch.bfloat16), (False, torch.float32)])
def test_the_speech_decoder_is_halfway(
    units: bool, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    own = {f"decoder.{key}": value for key, value in KokoroDecoder().state_dict().items()}
    trained = {"F0_conv.bias": own["decoder.F0_conv.bias"] + 2.0}
    monkeypatch.setattr("autovoice.weights.tensors", lambda name: own)
    monkeypatch.setattr("autovoice.weights.voice_model", lambda part: trained)
    monkeypatch.setattr("autovoice.vocode.speech.multiplies_bfloat16", lambda: units)
    vocoder = speech_vocoder()
    assert {block.piece_dtype for block in vocoder.network.generator.resblocks} == {dtype}
    found = vocoder.network.F0_conv.bias - own["decoder.F0_conv.bias"]
    torch.testing.assert_close(found, torch.ones(1), atol=1e-6, rtol=0)


@pytest.mark.e2e
def test_it_makes_sound_on_the_real_weights() -> None:
    from autovoice.speak.acoustic import AcousticFront
    from autovoice.speak.utterance import Utterance

    with np.load(weights.file("kokoro-82m", "voices_ja.npz")) as packs:
        style = packs["jm_kumo"][40:160, 0, :128].mean(0)
    speaker = Speaker(style, np.ones(256, np.float32), 100.0, 80.0, 140.0)
    features = AcousticFront().features(Utterance("", "ðə ɹˈɪvəɹ wʌz kˈOld."), speaker)
    audio = speech_vocoder().synthesise(features, speaker)
    assert audio.length_samples == 600 * features.asr.shape[1]
    assert 0.02 < float(np.sqrt(np.mean(audio.samples**2))) < 0.3
    assert np.isfinite(audio.samples).all()


class _Fused:
    """Stands in for the fused decoder, which only a GPU runs."""

    def __init__(self, decoder: KokoroDecoder, device: torch.device) -> None:
        self.device, self.refreshed = device, 0
        self.found_on = {value.device.type for value in decoder.parameters()}

    def refresh(self) -> None:
        self.refreshed += 1


def test_beside_fused_kernels_the_network_waits_on_the_cpu(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("autovoice.vocode.vocoder.can_accelerate", lambda device: (True, "can"))
    monkeypatch.setattr("autovoice.vocode.vocoder.AcceleratedDecoder", _Fused)
    tensors = KokoroDecoder().state_dict()

    def places(vocoder: Vocoder) -> set[str]:
        return {value.device.type for value in vocoder.network.parameters()}

    lean = Vocoder(device="meta", tensors=tensors, lean=True)
    assert places(lean) == {"cpu"}
    assert isinstance(lean._fast, _Fused)
    assert lean._fast.found_on == {"cpu"}
    assert lean._fast.device == torch.device("meta")
    lean.wear({})
    assert places(lean) == {"cpu"}
    assert lean._plain() is lean.network
    assert places(lean) == {"meta"}
    assert places(Vocoder(device="meta", tensors=tensors)) == {"meta"}
