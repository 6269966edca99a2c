"""Converters of checkpoints: right keys, and nothing is executed."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file

from autovoice.errors import WeightsError
from autovoice.weights.converters import crepe, distillmos, resemblyzer, silero_vad


def test_resemblyzer_keeps_the_model_and_drops_the_optimiser(tmp_path):
    path = tmp_path / "pretrained.pt"
    state = {
        "lstm.w": torch.ones(2, 3).t(),
        "linear.b": torch.zeros(2),
        "similarity_bias": torch.ones(1),
    }
    torch.save({"step": 1, "model_state": state, "optimizer_state": {"big": 1}}, path)
    tensors, metadata = resemblyzer.convert({"pretrained.pt": path})
    assert sorted(tensors) == ["linear.b", "lstm.w"]
    assert tensors["lstm.w"].is_contiguous()
    assert metadata["sample_rate_hz"] == "16000"


def test_crepe_drops_counters(tmp_path):
    path = tmp_path / "tiny.pth"
    state = {"classifier.weight": torch.ones(2), "conv1_BN.num_batches_tracked": torch.tensor(3)}
    torch.save(state, path)
    tensors, metadata = crepe.convert({"tiny.pth": path})
    assert list(tensors) == ["classifier.weight"]
    assert metadata["capacity"] == "tiny"
    with pytest.raises(WeightsError, match="one CREPE checkpoint"):
        crepe.convert({})


def test_distillmos_takes_the_model(tmp_path):
    path = tmp_path / "distill_mos_v7.pt"
    torch.save({"model": {"a": torch.ones(1)}, "step": 3}, path)
    assert list(distillmos.convert({path.name: path})[0]) == ["a"]


def test_silero_passes_through(tmp_path):
    path = tmp_path / "silero_vad_16k.safetensors"
    save_file({"a": torch.ones(1)}, path)
    assert list(silero_vad.convert({path.name: path})[0]) == ["a"]
    path.write_bytes(b"x" * 30)
    with pytest.raises(WeightsError, match="not a safetensors file"):
        silero_vad.convert({path.name: path})


class Evil:
    def __reduce__(self):
        return (print, ("executed",))


@pytest.mark.parametrize(
    ("module", "name"),
    [(resemblyzer, "pretrained.pt"), (crepe, "full.pth"), (distillmos, "distill_mos_v7.pt")],
)
def test_converters_execute_nothing(tmp_path, capsys, module, name):
    path = tmp_path / name
    torch.save({"model": Evil(), "model_state": Evil()}, path)
    with pytest.raises(WeightsError, match="not a checkpoint of plain tensors"):
        module.convert({name: path})
    assert "executed" not in capsys.readouterr().out
    for other in ({"weights": 3}, [1, 2]):
        torch.save(other, path)
        with pytest.raises(WeightsError, match=r"expected|not a tensor"):
            module.convert({name: path})
