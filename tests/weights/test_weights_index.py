"""The script that writes ``models/index.json`` and the room that reads it agree."""

from __future__ import annotations

import json

import index_models
from autovoice.weights.bundled import bundled_path, read_index, verify_bundled


def test_the_index_is_written_read_and_checked(tmp_path, capsys):
    (tmp_path / "adapter.safetensors").write_bytes(b"weights")
    (tmp_path / "adapter").mkdir()
    (tmp_path / "adapter" / "MODEL_CARD.md").write_text("# card")
    assert index_models.main([], tmp_path) == 0
    assert index_models.main(["--check"], tmp_path) == 0
    assert read_index(tmp_path)["adapter.safetensors"].card == "adapter/MODEL_CARD.md"
    assert [status.state for status in verify_bundled(tmp_path)] == ["ready"]
    assert bundled_path("adapter.safetensors", tmp_path).read_bytes() == b"weights"
    (tmp_path / "adapter.safetensors").write_bytes(b"other weights")
    assert index_models.main(["--check"], tmp_path) == 1
    assert "out of date" in capsys.readouterr().err


def test_what_people_wrote_is_kept(tmp_path):
    (tmp_path / "voice.npz").write_bytes(b"v")
    (tmp_path / "cards.md").write_text("# cards")
    mine = {"licence": "CC0-1.0", "attribution": "somebody", "card": "cards.md"}
    (tmp_path / "index.json").write_text(json.dumps({"files": {"voice.npz": mine}}))
    assert index_models.main([], tmp_path) == 0
    assert read_index(tmp_path)["voice.npz"].licence == "CC0-1.0"


def test_a_missing_card_and_large_files_are_told(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(index_models, "LARGEST_FILE_BYTES", 3)
    monkeypatch.setattr(index_models, "LARGEST_TOTAL_BYTES", 7)
    (tmp_path / "a.bin").write_bytes(b"four")
    (tmp_path / "b.bin").write_bytes(b"four")
    assert index_models.main([], tmp_path) == 1
    told = capsys.readouterr().err
    assert "a.bin: no model card a/MODEL_CARD.md" in told
    assert "a.bin: 4 bytes" in told
    assert "together 8 bytes" in told


def test_the_parts_of_a_model_share_a_card(tmp_path):
    for number in (0, 1):
        (tmp_path / f"model-{number}.safetensors").write_bytes(b"x")
    cards = {item["card"] for item in index_models.build_index(tmp_path, {})["files"].values()}
    assert cards == {"model/MODEL_CARD.md"}
