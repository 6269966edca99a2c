from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from autovoice.errors import WeightsError
from autovoice.nn.spleeter_unet import SpleeterUNet
from autovoice.weights.converters.spleeter_2stems import convert

VOCALS, BACKING = "testcheckpoint0.ckpt", "testcheckpoint1.ckpt"


def checkpoint(seed: int) -> dict[str, np.ndarray]:
    """Return arrays under the publisher's names."""
    torch.manual_seed(seed)
    arrays = {}
    for name, value in SpleeterUNet().state_dict().items():
        parts = name.split(".")
        if parts[-1] == "num_batches_tracked":
            continue
        if parts[0] == "final":
            theirs = f"up7.0.{parts[1]}"
        elif parts[0] == "down":
            layer = "conv.1" if parts[2] == "conv" else "act.0"
            theirs = f"down{int(parts[1]) + 1}_{layer}.{parts[3]}"
        else:
            theirs = f"up{int(parts[1]) + 1}.{0 if parts[2] == 'conv' else 3}.{parts[3]}"
        arrays[theirs] = value.numpy()
    return arrays


@pytest.fixture(scope="module")
def members(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("spleeter")
    for seed, name in enumerate((VOCALS, BACKING)):
        torch.save(checkpoint(seed), folder / name)
    return {name: folder / name for name in (VOCALS, BACKING)}


def test_both_networks_load(members: dict[str, Path]) -> None:
    tensors, metadata = convert(members)
    assert metadata["sample_rate_hz"] == "44100"
    assert len(tensors) == 2 * 74
    for stem, seed in (("vocals", 0), ("backing", 1)):
        part = {k.removeprefix(f"{stem}."): v for k, v in tensors.items() if k.startswith(stem)}
        SpleeterUNet().load_state_dict(part)
        np.testing.assert_array_equal(part["up.0.conv.weight"], checkpoint(seed)["up1.0.weight"])


def test_a_missing_file_is_named(members: dict[str, Path]) -> None:
    with pytest.raises(WeightsError, match=BACKING):
        convert({VOCALS: members[VOCALS]})


def test_a_missing_array_is_named(members: dict[str, Path], tmp_path: Path) -> None:
    arrays = checkpoint(0)
    del arrays["up7.0.bias"]
    torch.save(arrays, tmp_path / VOCALS)
    with pytest.raises(WeightsError, match=r"up7\.0\.bias"):
        convert({**members, VOCALS: tmp_path / VOCALS})


class Trap:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.path,))


def test_a_pickle_with_code_is_refused_unexecuted(members: dict[str, Path], tmp_path: Path) -> None:
    torch.save({"up7.0.bias": Trap(tmp_path / "sprung")}, tmp_path / VOCALS)
    with pytest.raises(WeightsError, match="something else than a checkpoint"):
        convert({**members, VOCALS: tmp_path / VOCALS})
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("content", [b"", b"\x00" * 64, pickle.dumps([1, 2])])
def test_other_files_are_refused(members: dict[str, Path], tmp_path: Path, content: bytes) -> None:
    (tmp_path / VOCALS).write_bytes(content)
    with pytest.raises(WeightsError, match=VOCALS):
        convert({**members, VOCALS: tmp_path / VOCALS})
