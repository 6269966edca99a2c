"""The voice model in its parts: int8 undone, files joined, damage told."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from autovoice import weights
from autovoice.errors import WeightsError
from autovoice.weights import trained

FIRST, SECOND = "voice-model-0.safetensors", "voice-model-1.safetensors"


def _index(folder: Path) -> None:
    files = {
        path.name: {
            "size_bytes": path.stat().st_size,
            "sha256": "0" * 64,
            "licence": "MIT",
            "attribution": "somebody",
        }
        for path in folder.glob("*.safetensors")
    }
    (folder / "index.json").write_text(json.dumps({"format": 1, "files": files}))


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "models"
    folder.mkdir()
    # The package's function of that name hides the module.
    bundled = importlib.import_module("autovoice.weights.bundled")
    monkeypatch.setattr(bundled, "bundled_root", lambda: folder)
    matrix = torch.tensor([[127, -127, 0], [1, 2, -3]], dtype=torch.int8)
    save_file(
        {
            "adapter.up.weight": matrix,
            "adapter.blocks.0.scale": torch.full((3,), 0.25, dtype=torch.float16),
            "adapterish.weight": torch.ones(1),
        },
        folder / FIRST,
    )
    save_file(
        {
            "adapter.up.weight.row_scale": torch.tensor([0.5, 2.0]),
            "adapter.mix.weight": torch.full((2, 1, 2), -4, dtype=torch.int8),
            "adapter.mix.weight.row_scale": torch.tensor([1.0, 0.125]),
            "style.mean": torch.arange(3.0),
        },
        folder / SECOND,
    )
    _index(folder)
    return folder


def test_int8_is_undone_and_parts_are_joined(models: Path) -> None:
    found = weights.voice_model("adapter")
    assert set(found) == {"up.weight", "blocks.0.scale", "mix.weight"}
    assert all(value.dtype == torch.float32 for value in found.values())
    assert found["up.weight"].tolist() == [[63.5, -63.5, 0.0], [2.0, 4.0, -6.0]]
    assert found["mix.weight"].tolist() == [[[-4.0, -4.0]], [[-0.5, -0.5]]]
    assert found["blocks.0.scale"].tolist() == [0.25] * 3
    assert weights.voice_model("style")["mean"].tolist() == [0.0, 1.0, 2.0]


def test_only_the_decoder_may_be_left_out(models: Path) -> None:
    assert weights.voice_model("decoder") == {}
    with pytest.raises(WeightsError, match="no tensors of the part 'ear'"):
        weights.voice_model("ear")


def test_a_missing_file_is_told(models: Path) -> None:
    (models / SECOND).unlink()
    with pytest.raises(WeightsError, match=f"{SECOND} is missing"):
        weights.voice_model("adapter")


def test_without_an_index_the_first_file_is_asked_for(models: Path) -> None:
    (models / "index.json").unlink()
    (models / FIRST).unlink()
    with pytest.raises(WeightsError, match=f"{FIRST} is missing"):
        weights.voice_model("adapter")


def test_a_file_cut_short_is_told(models: Path) -> None:
    data = (models / SECOND).read_bytes()
    (models / SECOND).write_bytes(data[:-5])
    with pytest.raises(WeightsError, match="expected"):
        weights.voice_model("style")


@pytest.mark.parametrize("damage", ["header", "tail", "garbage", "empty"])
def test_damage_that_the_size_does_not_tell_is_told(models: Path, damage: str) -> None:
    data = (models / SECOND).read_bytes()
    damaged = {
        "header": b"\xff" * 8 + data[8:],
        "tail": data[:-5],
        "garbage": b"not safetensors at all" * 30,
        "empty": b"",
    }[damage]
    (models / SECOND).write_bytes(damaged)
    _index(models)
    with pytest.raises(WeightsError, match=f"{SECOND}: cannot be read"):
        weights.voice_model("style")


@pytest.mark.parametrize("scale", [None, torch.ones(5)])
def test_int8_without_its_scales_is_told(models: Path, scale: torch.Tensor | None) -> None:
    tensors = {"style.up": torch.ones(2, 3, dtype=torch.int8)}
    if scale is not None:
        tensors["style.up.row_scale"] = scale
    save_file(tensors, models / SECOND)
    _index(models)
    with pytest.raises(WeightsError, match=r"up: found [05] row scales, expected 2"):
        weights.voice_model("style")


def test_the_model_that_is_shipped_is_whole() -> None:
    for part in ("adapter", "style", "decoder"):
        for name, value in trained.voice_model(part).items():
            assert value.dtype == torch.float32, name
            assert torch.isfinite(value).all(), name
