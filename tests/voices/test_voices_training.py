"""Trained voices: their file, their record, and the voice model that they belong to."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save as save_tensors

from autovoice import weights
from autovoice.errors import VoiceError
from autovoice.nn.content_adapter import ContentAdapter
from autovoice.nn.decoder import KokoroDecoder
from autovoice.train.voice.learner import as_adapter, ranks_of
from autovoice.voices import (
    Scores,
    TrainingRecord,
    Voice,
    VoiceHeader,
    check_base,
    from_bytes,
    to_bytes,
)

MODEL = "a" * 64


def record(model: str = MODEL) -> TrainingRecord:
    scores = Scores(similarity=0.7, cer=0.2, words_gap=0.1, distillmos=3.1)
    return TrainingRecord(
        voice_model_sha256=model, date="2026-01-31", seconds_trained=50.0, seconds_held_out=10.0,
        steps=200, best_step=150, minutes=20.0, device="cpu", judge="resemblyzer",
        before=scores, after=scores, recordings=scores.model_copy(update={"cer": None}),
    )  # fmt: skip


def trained(model: str = MODEL, adapter: dict[str, np.ndarray] | None = None) -> Voice:
    if adapter is None:
        adapter = {"decoder.encode.conv1.bias": np.ones(1024, np.float16)}
    header = VoiceHeader(name="anna", format_version=2, training=record(model))
    return Voice(header, np.ones(128, np.float32), np.ones(256, np.float32) / 16, adapter)


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "voice_model_sha256", lambda: MODEL)


def test_a_trained_voice_comes_back_as_it_was(tmp_path: Path) -> None:
    voice = trained()
    again = Voice.load(voice.save(tmp_path / "anna.voice"))
    assert again.header == voice.header
    found = again.adapter["decoder.encode.conv1.bias"]
    assert found.dtype == np.float16
    np.testing.assert_array_equal(found, voice.adapter["decoder.encode.conv1.bias"])
    assert again.speaker.adapter is again.adapter


def test_passing_a_voice_on_does_not_make_it_larger() -> None:
    once = to_bytes(trained())
    assert len(to_bytes(from_bytes(once))) == len(once)


def test_all_additions_to_the_voice_model_stay_under_10_mb() -> None:
    networks = {"content.": ContentAdapter(), "decoder.": KokoroDecoder()}
    ranks = ranks_of(networks["content."], networks["decoder."], rank=8)
    values = {"style": torch.zeros(128)}
    for (prefix, network), chosen in zip(networks.items(), ranks, strict=True):
        layers = dict(network.named_modules())
        for name, rank in chosen.items():
            weight = layers[name].weight
            values[f"{prefix}{name}.bias"] = torch.zeros(len(weight))
            if rank:
                values[f"{prefix}{name}.down"] = torch.zeros(rank, *weight.shape[1:])
                values[f"{prefix}{name}.up"] = torch.zeros(len(weight), rank)
    assert sum(key.endswith(".up") for key in values) > 50
    assert len(to_bytes(trained(adapter=as_adapter(values)[1]))) < 10_000_000


def test_values_beyond_half_precision_are_refused() -> None:
    values = {"style": torch.zeros(128), "decoder.x.bias": torch.tensor([1e6])}
    with pytest.raises(ValueError, match=r"decoder\.x\.bias: found values beyond float16"):
        as_adapter(values)


def test_a_voice_without_training_is_written_as_before() -> None:
    voice = Voice(VoiceHeader(name="x"), np.zeros(128, np.float32), np.zeros(256, np.float32))
    content = to_bytes(voice)
    size = int.from_bytes(content[:8], "little")
    facts = json.loads(json.loads(content[8 : 8 + size])["__metadata__"]["autovoice.voice"])
    assert "training" not in facts
    assert facts["format_version"] == 1


def test_a_format_of_the_future_is_told_before_its_strange_fields() -> None:
    tensors = {"style": np.zeros(128, np.float32), "embedding": np.zeros(256, np.float32)}
    facts = json.dumps({"name": "x", "format_version": 3, "wings": 2})
    content = save_tensors(tensors, metadata={"autovoice.voice": facts})
    with pytest.raises(VoiceError, match=r"voice format 3, this version reads 1 and 2; update"):
        from_bytes(content)


def test_a_voice_of_this_model_and_an_untrained_one_pass(model: None) -> None:
    assert check_base(trained()).name == "anna"
    plain = Voice(VoiceHeader(name="x"), np.zeros(128, np.float32), np.zeros(256, np.float32))
    assert check_base(plain) is plain


def test_a_voice_trained_for_another_model_is_refused(model: None) -> None:
    with pytest.raises(VoiceError, match=r"trained for another voice model \(b{12}.*train it"):
        check_base(trained("b" * 64))


def test_an_adapter_without_a_record_is_refused(model: None) -> None:
    voice = trained()
    bare = Voice(VoiceHeader(name="x"), voice.style, voice.embedding, voice.adapter)
    with pytest.raises(VoiceError, match="none recorded"):
        check_base(bare)


def test_the_engine_refuses_a_voice_of_another_model(model: None, tmp_path: Path) -> None:
    from autovoice import Engine

    engine = Engine("cpu", data_dir=tmp_path)
    assert engine.voice(trained()).name == "anna"
    with pytest.raises(VoiceError, match="another voice model"):
        engine.voice(trained("b" * 64))
