"""Which clips are packed, and their pitch."""

from __future__ import annotations

import argparse
import csv
import io
import zipfile
from pathlib import Path

import made_corpus
import numpy as np
import pytest
import soundfile

from autovoice.analyse.pitch import SwiftF0Tracker
from autovoice.errors import InputError
from autovoice.train.corpus import Corpus
from autovoice.train.prepare import LIMITS, limit_of, pack, pitch_of, select

FIELDS = ("shard", "file", "speaker", "seconds", "source")


def _manifest(path: Path, rows: list[tuple[str, str, str, float, str]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(FIELDS)
        writer.writerows(rows)
    return path


def _rows(
    speaker: str, source: str, lengths: list[float]
) -> list[tuple[str, str, str, float, str]]:
    return [("a.zip", f"{speaker}{i}", speaker, s, source) for i, s in enumerate(lengths)]


def test_short_clips_are_left_out_and_the_longest_kept(tmp_path: Path) -> None:
    rows = _rows("noisy", "speechocean762 train", [2.0, 1.9, 5.0, 3.0, 4.0, 6.0, 2.5, 2.2])
    rows += _rows("other", "speechocean762 train", [2.5])
    rows += _rows("reader", "festvox-ru", [3.0] * 70)
    rows += _rows("made", "Kokoro-82M itself", [9.0])
    rows += _rows("clean", "librispeech train-clean-100", [2.0 + i / 100 for i in range(120)])
    chosen = select(_manifest(tmp_path / "manifest.csv", rows))
    lengths = {
        speaker: [float(row["seconds"]) for row in chosen if row["speaker"] == speaker]
        for speaker in ("noisy", "other", "reader", "made", "clean")
    }
    assert lengths["noisy"] == [6.0, 5.0, 4.0, 3.0, 2.5, 2.2]
    assert lengths["other"] == [2.5]
    assert len(lengths["reader"]) == 60
    assert lengths["made"] == []
    assert len(lengths["clean"]) == 120  # no limit, and 2 s are enough


def test_limits_can_be_given_and_must_be_for_a_source_that_is_there(tmp_path: Path) -> None:
    manifest = _manifest(
        tmp_path / "manifest.csv",
        _rows("noisy", "speechocean762 train", [3.0] * 9) + _rows("a", "librispeech b", [4.0] * 5),
    )
    assert len(select(manifest, {**LIMITS, "speechocean762": 8, "librispeech": 2})) == 10
    with pytest.raises(InputError, match="found 'libri speech', expected the beginning of one of"):
        select(manifest, {**LIMITS, "libri speech": 2})
    assert limit_of("TSP subset=4") == ("TSP subset", 4)
    for word in ("TSP", "=4", "TSP=x"):
        with pytest.raises(argparse.ArgumentTypeError, match="expected SOURCE=N"):
            limit_of(word)


@pytest.fixture(scope="module")
def tracker() -> SwiftF0Tracker:
    return SwiftF0Tracker()


def test_pitch_is_read_at_80_frames_a_second(tracker: SwiftF0Tracker) -> None:
    wanted = made_corpus.contour(150.0, 120)
    read = pitch_of(made_corpus.sound(wanted), 24_000, tracker)
    assert len(read) == 120
    inside = slice(8, -8)
    assert (read[inside] > 0).all()
    cents = np.abs(1200 * np.log2(read[inside] / wanted[inside]))
    assert float(np.median(cents)) < 10


def test_what_is_packed_can_be_drawn_from(tmp_path: Path, tracker: SwiftF0Tracker) -> None:
    shared, out = tmp_path / "shared", tmp_path / "out"
    shared.mkdir()
    rows = []
    with zipfile.ZipFile(shared / "a.zip", "w") as archive:
        for index, f0_hz in enumerate((120.0, 240.0)):
            data = io.BytesIO()
            sound = made_corpus.sound(made_corpus.contour(f0_hz, 180))
            soundfile.write(data, sound[::3] if index else sound, 8_000 if index else 24_000,
                            format="WAV")  # fmt: skip
            archive.writestr(f"clips/{index}.wav", data.getvalue())
            rows.append(("a.zip", f"clips/{index}.wav", f"libri_{index}", 2.25, "librispeech"))
    _manifest(shared / "manifest.csv", rows)
    pack(shared, out, tracker)
    corpus = Corpus(out, "cpu")
    assert corpus.speakers.tolist() == ["libri_0", "libri_1"]
    assert corpus.band_hz.tolist() == pytest.approx([11_400.0, 3_800.0])
    assert corpus.lengths.tolist() == [54_000, 54_000]
    ratio = corpus.median_hz / (np.array([120.0, 240.0]) * 1.5**0.5)
    np.testing.assert_allclose(ratio, 1.0, atol=0.02)
