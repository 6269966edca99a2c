from __future__ import annotations

import json
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save as save_tensors

from autovoice.errors import ResourceError, VoiceError
from autovoice.voices import Voice, VoiceHeader, from_bytes, read_voice, to_bytes, write_voice


def _voice(name: str = "anna", **header: object) -> Voice:
    numbers = np.random.default_rng(3)
    return Voice(
        VoiceHeader(name=name, f0_median_hz=200.0, **header),  # type: ignore[arg-type]
        numbers.standard_normal(128).astype(np.float32),
        numbers.standard_normal(256).astype(np.float32),
        {"front.weight": numbers.standard_normal((4, 8)).astype(np.float32)},
    )


def _tensors() -> dict[str, np.ndarray]:
    return {"style": np.zeros(128, np.float32), "embedding": np.zeros(256, np.float32)}


def _file(tensors: dict[str, np.ndarray], record: object) -> bytes:
    text = record if isinstance(record, str) else json.dumps(record)
    return save_tensors(tensors, metadata={"autovoice.voice": text})


def test_a_voice_comes_back_as_it_was(tmp_path: Path) -> None:
    voice = _voice(
        sample_count=2,
        seconds_used=31.5,
        consent="I agree.",
        consent_date="2025-01-31",
        licence="CC0-1.0",
        base_model_sha256="a" * 64,
    )
    again = Voice.load(voice.save(tmp_path / "deep" / "anna.voice"))
    assert again.header == voice.header
    np.testing.assert_array_equal(again.style, voice.style)
    np.testing.assert_array_equal(again.embedding, voice.embedding)
    np.testing.assert_array_equal(again.adapter["front.weight"], voice.adapter["front.weight"])
    assert again.speaker.f0_median_hz == 200.0


def test_vectors_of_a_read_voice_go_into_torch_without_a_warning() -> None:
    import torch

    voice = from_bytes(to_bytes(_voice()))
    assert torch.from_numpy(voice.style).shape == (128,)


def test_half_precision_is_read_as_float32() -> None:
    tensors = {name: value.astype(np.float16) for name, value in _tensors().items()}
    assert from_bytes(_file(tensors, {"name": "x"})).style.dtype == np.float32


class _Bomb:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (self.marker,)


def test_a_pickle_named_voice_is_refused_and_does_nothing(tmp_path: Path) -> None:
    marker = tmp_path / "executed"
    path = tmp_path / "evil.voice"
    path.write_bytes(pickle.dumps(_Bomb(marker)))
    with pytest.raises(VoiceError, match="never opened"):
        read_voice(path)
    assert not marker.exists()


def test_a_torch_checkpoint_is_refused(tmp_path: Path) -> None:
    import torch

    path = tmp_path / "model.voice"
    torch.save({"style": torch.zeros(128)}, path)
    with pytest.raises(VoiceError, match="not a voice file"):
        read_voice(path)


@pytest.mark.parametrize("claimed", [0, 1, 1 << 20, (1 << 63) - 1, (1 << 64) - 1])
def test_a_header_that_lies_about_its_length_is_refused(claimed: int) -> None:
    content = to_bytes(_voice())
    with pytest.raises(VoiceError):
        from_bytes(struct.pack("<Q", claimed) + content[8:])


def test_tensors_outside_of_the_file_are_refused() -> None:
    header = {
        "__metadata__": {"autovoice.voice": json.dumps({"name": "x"})},
        "style": {"dtype": "F32", "shape": [128], "data_offsets": [0, 1 << 40]},
    }
    text = json.dumps(header).encode()
    with pytest.raises(VoiceError, match="damaged"):
        from_bytes(struct.pack("<Q", len(text)) + text + bytes(512))


@given(st.integers(0, 5000), st.integers(0, 255))
@settings(max_examples=150)
def test_one_wrong_byte_never_does_more_than_a_voice_error(at: int, value: int) -> None:
    content = bytearray(to_bytes(_voice()))
    content[at % len(content)] = value
    try:
        voice = from_bytes(bytes(content))
    except VoiceError:
        return
    assert voice.style.shape == (128,)


@given(st.integers(0, 4000))
@settings(max_examples=80)
def test_cut_files_are_refused(length: int) -> None:
    content = to_bytes(_voice())
    with pytest.raises(VoiceError):
        from_bytes(content[: min(length, len(content) - 1)])


@given(st.binary(max_size=400))
def test_any_bytes_are_refused(content: bytes) -> None:
    with pytest.raises(VoiceError):
        from_bytes(content)


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"style": np.zeros(127, np.float32)}, r"style: found \[127\], expected \[128\]"),
        ({"style": np.full(128, np.nan, np.float32)}, "style: expected finite"),
        ({"style": np.zeros(128, np.int32)}, "style: expected finite float32"),
        ({"embedding": np.zeros((1, 256), np.float32)}, r"expected \[256\]"),
        ({"extra": np.zeros(2, np.float32)}, "unknown tensor 'extra'"),
    ],
)
def test_wrong_tensors_are_refused(tensors: dict[str, np.ndarray], message: str) -> None:
    with pytest.raises(VoiceError, match=message):
        from_bytes(_file({**_tensors(), **tensors}, {"name": "x"}))


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({}, "name"),
        ({"name": "x", "virus": 1}, "virus"),
        ({"name": "x", "f0_median_hz": "high"}, "f0_median_hz"),
        ({"name": "x", "consent_date": "yesterday"}, "consent_date"),
        ({"name": "x", "format_version": 99}, "voice format 99, this version reads 1"),
        ("no json", "record"),
    ],
)
def test_wrong_records_are_refused(record: object, message: str) -> None:
    with pytest.raises(VoiceError, match=message):
        from_bytes(_file(_tensors(), record))


def test_other_safetensors_are_no_voices() -> None:
    with pytest.raises(VoiceError, match="without the record of a voice"):
        from_bytes(save_tensors(_tensors()))


def test_huge_files_are_not_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "huge.voice"
    with path.open("wb") as file:
        file.truncate(1 << 34)
    with pytest.raises(VoiceError, match="more than 64 MiB"):
        read_voice(path)


def test_missing_files_and_folders_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "none.voice", tmp_path):
        with pytest.raises(VoiceError, match="no voice can be read there"):
            read_voice(path)


def test_a_failed_write_leaves_the_old_file_and_no_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_voice(_voice(), tmp_path / "anna.voice")
    before = path.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(ResourceError, match="No space left"):
        write_voice(_voice("berta"), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_cannot_be_made_is_a_resource_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ResourceError, match="cannot be written"):
        write_voice(_voice(), tmp_path / "file" / "anna.voice")
