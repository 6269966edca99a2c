"""The reader of CTranslate2 files, on files made here: sound, cut short, and lying."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
import torch

from autovoice.errors import WeightsError
from autovoice.weights.converters import whisper_base

FLOAT16 = 4


def _name(text: str) -> bytes:
    return struct.pack("<H", len(text) + 1) + text.encode() + b"\0"


def _variable(
    name: str,
    values: torch.Tensor,
    *,
    type_id: int = FLOAT16,
    count: int | None = None,
    rank: int | None = None,
) -> bytes:
    data = values.half().numpy().tobytes()
    head = _name(name) + struct.pack("<B", values.ndim if rank is None else rank)
    head += struct.pack(f"<{values.ndim}I", *values.shape)
    return head + struct.pack("<BI", type_id, len(data) if count is None else count) + data


def _file(
    path: Path, variables: list[bytes], *, name: str = "WhisperSpec", version: int = 6
) -> Path:
    head = struct.pack("<I", version) + _name(name) + struct.pack("<II", 3, len(variables))
    path.write_bytes(head + b"".join(variables) + struct.pack("<I", 0))
    return path


def _all_variables() -> list[bytes]:
    names = whisper_base._tensor_names()
    wanted = [_variable(name, torch.full((2, 3), float(index))) for index, name in enumerate(names)]
    return [_variable("decoder/projection/weight", torch.ones(4)), *wanted]


def test_every_tensor_of_the_encoder_is_found_under_its_new_name(tmp_path: Path) -> None:
    path = _file(tmp_path / "model.bin", _all_variables())
    tensors, metadata = whisper_base.convert({"model.bin": path})
    expected = list(whisper_base._tensor_names().values())
    assert sorted(tensors) == sorted(expected)
    for index, name in enumerate(expected):
        assert tensors[name].dtype == torch.float16
        assert torch.equal(tensors[name], torch.full((2, 3), float(index)).half())
    assert metadata["specification"] == "WhisperSpec"


@pytest.mark.parametrize("kept", [0, 3, 9, 20, 40, 300])
def test_a_file_that_is_cut_short_is_refused(tmp_path: Path, kept: int) -> None:
    path = _file(tmp_path / "model.bin", _all_variables())
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(WeightsError, match="bytes"):
        whisper_base.convert({"model.bin": path})


@pytest.mark.parametrize(
    ("variable", "message"),
    [
        (_variable("encoder/x", torch.ones(2), count=0xFFFFFFFF), "do not fit"),
        (_variable("encoder/x", torch.ones(2), type_id=77), "do not fit"),
        (_variable("encoder/x", torch.ones(2), rank=200), "rank 200"),
        (
            _name("decoder/x") + struct.pack("<BIBI", 1, 0x40000000, 1, 0x40000000),
            "claims 1073741824 bytes",
        ),
    ],
)
def test_a_variable_that_lies_is_refused_before_memory_is_taken(
    tmp_path: Path, variable: bytes, message: str
) -> None:
    path = _file(tmp_path / "model.bin", [variable])
    with pytest.raises(WeightsError, match=message):
        whisper_base.convert({"model.bin": path})


def test_another_model_is_refused(tmp_path: Path) -> None:
    for options in ({"name": "TransformerSpec"}, {"version": 7}):
        path = _file(tmp_path / "model.bin", _all_variables(), **options)
        with pytest.raises(WeightsError, match="expected version 6 of 'WhisperSpec'"):
            whisper_base.convert({"model.bin": path})
    path = _file(tmp_path / "model.bin", _all_variables()[:-1])
    with pytest.raises(WeightsError, match="lacks"):
        whisper_base.convert({"model.bin": path})
