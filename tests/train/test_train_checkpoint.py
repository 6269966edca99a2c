"""Checkpoints: small errors, small parts, every name back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from autovoice.errors import InputError
from autovoice.train import checkpoint
from autovoice.train.export import export_model


def _tensors() -> dict[str, torch.Tensor]:
    chance, rows = torch.Generator().manual_seed(0), torch.logspace(-3, 2, 128)
    return {
        "decoder.big.weight": torch.randn(64, 32, 3, generator=chance),
        "decoder.small.weight": torch.randn(4, 4, generator=chance),
        "adapter.blocks.0.scale": torch.randn(512, generator=chance),
        "adapter.up.weight": torch.randn(128, 64, generator=chance) * rows[:, None],
        "judge.weight": torch.randn(8, 8, generator=chance),
    }  # fmt: skip


def test_rounding_to_int8_is_within_half_a_step_of_each_row() -> None:
    weight = _tensors()["adapter.up.weight"]
    packed, scale = checkpoint.quantise(weight)
    assert packed.dtype == torch.int8
    assert int(packed.abs().max()) == 127
    back = packed.float() * scale[:, None]
    assert ((back - weight).abs() <= 0.5001 * scale[:, None]).all()
    zeros, _ = checkpoint.quantise(torch.zeros(2, 3))
    assert torch.count_nonzero(zeros) == 0


@pytest.mark.parametrize("int8", [False, True])
def test_unpacking_undoes_packing(int8: bool) -> None:
    tensors = _tensors()
    packed = checkpoint.pack(tensors, int8)
    assert ("decoder.big.weight.row_scale" in packed) == int8
    assert packed["decoder.small.weight"].dtype == torch.float16
    back = checkpoint.unpack(packed)
    assert back.keys() == tensors.keys()
    for name, value in tensors.items():
        assert back[name].dtype == torch.float32
        assert back[name].shape == value.shape
        error = (back[name] - value).norm() / value.norm()
        assert float(error) < (0.012 if int8 and value.numel() >= 4096 else 5e-4), name


def test_parts_stay_under_the_limit_and_join(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "PART_BYTES", 10_000)
    packed = checkpoint.pack(_tensors(), True)
    checkpoint.save(tmp_path, "model", packed, {"phase": "joint", "step": 7})
    paths = sorted(tmp_path.iterdir())
    assert len(paths) > 1
    assert all(path.suffix == ".safetensors" for path in paths)
    for path in paths:
        content = load_file(path)
        size = sum(value.numel() * value.element_size() for value in content.values())
        assert size <= 10_000 or len(content) == 1
        with safe_open(path, framework="pt") as file:
            assert json.loads(file.metadata()["facts"]) == {"phase": "joint", "step": 7}
    back = checkpoint.load(tmp_path, "model")
    expected = checkpoint.unpack(packed)
    assert back.keys() == expected.keys()
    assert all(torch.equal(back[name], expected[name]) for name in back)


def test_a_smaller_state_leaves_no_part_of_a_larger_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "PART_BYTES", 4_000)
    checkpoint.save(tmp_path, "model", checkpoint.pack(_tensors(), False), {})
    checkpoint.save(tmp_path, "model", {"style.mean": torch.ones(3)}, {})
    assert set(checkpoint.load(tmp_path, "model")) == {"style.mean"}


def test_nothing_saved_is_nothing_loaded(tmp_path: Path) -> None:
    assert checkpoint.load(tmp_path / "absent", "model") == {}


def test_export_merges_all_but_the_judge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second, models = tmp_path / "frozen", tmp_path / "joint", tmp_path / "models"
    models.mkdir()
    (models / "voice-model-9.safetensors").write_bytes(b"of an older model")
    (models / "builtin-voices.safetensors").write_bytes(b"voices")
    monkeypatch.setattr(checkpoint, "PART_BYTES", 10_000)
    monkeypatch.setattr("autovoice.train.export.FILE_BYTES", 5_006_000)
    checkpoint.save(first, "model", checkpoint.pack(_tensors(), True), {"step": 7})
    later = {"adapter.blocks.0.scale": torch.full((512,), 0.5)}
    checkpoint.save(second, "model", checkpoint.pack(later, True), {"step": 9})
    written = export_model([first, second], models)
    assert len(written) > 1
    assert sorted(models.glob("voice-model-*")) == sorted(written)
    assert (models / "builtin-voices.safetensors").read_bytes() == b"voices"
    found: dict[str, torch.Tensor] = {}
    for path in written:
        found.update(load_file(path))
    # Rounded once more, int8 stays what it was.
    kept = {k: v for k, v in {**_tensors(), **later}.items() if not k.startswith("judge.")}
    expected = checkpoint.pack(kept, True)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name].float(), value.float(), atol=1e-6, rtol=1e-6)


def test_without_a_checkpoint_the_models_are_left_alone(tmp_path: Path) -> None:
    kept = tmp_path / "voice-model-0.safetensors"
    kept.write_bytes(b"model")
    checkpoint.save(tmp_path / "run", "model", checkpoint.pack(_tensors(), True), {})
    with pytest.raises(InputError, match="found no model"):
        export_model([tmp_path / "run", tmp_path / "absent"], tmp_path)
    assert kept.read_bytes() == b"model"
