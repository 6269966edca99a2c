from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from autovoice import io
from autovoice.errors import VoiceError, WeightsError
from autovoice.types import Audio, FloatArray, Pitch
from autovoice.voices import (
    BUILTIN_VOICES,
    Encoders,
    Resolver,
    Voice,
    VoiceHeader,
    VoiceStore,
    builtin_voice,
    check_name,
    data_dir,
    make_voice,
)


def _voice(name: str = "anna") -> Voice:
    return Voice(VoiceHeader(name=name), np.zeros(128, np.float32), np.ones(256, np.float32))


def _encoders(**others: Any) -> Encoders:
    def pitch(samples: FloatArray) -> Pitch:
        frames = len(samples) // 160
        f0_hz = np.linspace(100, 200, frames, dtype=np.float32)
        f0_hz[: frames // 2] = 0
        return Pitch(f0_hz, np.ones(frames, np.float32), 0.01)

    made: dict[str, Any] = {
        "embedding": lambda samples, rate: np.full(256, 1 / 16, np.float32),
        "style": lambda samples, embedding: np.full(128, len(samples), np.float32),
        "pitch": pitch,
        "resample": io.resample,
        "read": io.read,
        "identity": "tests",
    }
    return Encoders(**{**made, **others})


def _recording(seconds: float, rate: int = 16_000) -> Audio:
    noise = np.random.default_rng(1).standard_normal((1, int(seconds * rate))) * 0.1
    return Audio(noise.astype(np.float32), rate)


@pytest.mark.parametrize("name", ["a", "Anna", "voice-2", "x.y_z", "0", "a" * 64])
def test_good_names(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "", ".", "..", "../x", "a/b", "a\\b", "-rf", ".hidden", "a..b", "a ", "a\n", "ä",
        "a" * 65, "con", "NUL.txt", "lpt1", "x.voice", "a.", "C:x", "a\0b",
    ],
)  # fmt: skip
def test_names_that_would_leave_the_folder_or_confuse_are_refused(
    name: str, tmp_path: Path
) -> None:
    with pytest.raises(VoiceError):
        check_name(name)
    with pytest.raises(VoiceError):
        VoiceStore(tmp_path).path(name)


def test_the_folder_is_argument_then_environment_then_user(tmp_path: Path) -> None:
    environment = {"AUTOVOICE_DATA_DIR": str(tmp_path / "set")}
    assert data_dir(tmp_path / "given", environment) == tmp_path / "given"
    assert data_dir(None, environment) == tmp_path / "set"
    assert data_dir(None, {}).name == "autovoice"


def test_a_store_keeps_lists_and_deletes(tmp_path: Path) -> None:
    store = VoiceStore(tmp_path / "voices")
    assert store.names() == []
    store.save(_voice("berta"))
    store.save(_voice("anna"))
    (store.folder / ".anna.voice.half").write_bytes(b"")
    assert store.names() == ["anna", "berta"]
    assert store.load("anna").name == "anna"
    store.delete("anna")
    assert store.names() == ["berta"]
    for action in (store.load, store.delete):
        with pytest.raises(VoiceError, match=r"no stored voice is called 'anna'; .* berta"):
            action("anna")


def test_names_are_not_taken_twice_unless_asked(tmp_path: Path) -> None:
    store = VoiceStore(tmp_path)
    store.save(_voice())
    with pytest.raises(VoiceError, match="exists"):
        store.save(_voice())
    store.save(_voice(), replace=True)
    for taken in ("kumo", "KUMO"):
        with pytest.raises(VoiceError, match="built-in"):
            store.save(_voice(taken), replace=True)


def test_voices_are_passed_on_as_files(tmp_path: Path) -> None:
    store, other = VoiceStore(tmp_path / "one"), VoiceStore(tmp_path / "two")
    store.save(_voice())
    file = store.export_file("anna", tmp_path / "out" / "anna.voice")
    assert other.import_file(file).name == "anna"
    assert other.import_file(file, name="clara").name == "clara"
    assert other.load("clara").header.name == "clara"
    with pytest.raises(VoiceError, match="exists"):
        other.import_file(file)
    with pytest.raises(VoiceError, match="expected 1 to 64"):
        other.import_file(file, name="../clara")


def test_a_file_whose_record_holds_a_bad_name_cannot_leave_the_folder(tmp_path: Path) -> None:
    evil = Voice(
        VoiceHeader(name="../../evil"), np.zeros(128, np.float32), np.ones(256, np.float32)
    )
    file = evil.save(tmp_path / "evil.voice")
    store = VoiceStore(tmp_path / "store" / "voices")
    with pytest.raises(VoiceError, match="expected 1 to 64"):
        store.import_file(file)
    assert not list(tmp_path.glob("*/evil.voice"))


def test_a_voice_is_made_from_recordings() -> None:
    made = make_voice(
        [_recording(4.0), _recording(6.0, 44_100)],
        encoders=_encoders(),
        name="anna",
        consent="Yes.",
    )
    assert made.header.sample_count == 2
    assert made.header.seconds_used == pytest.approx(10.0)
    assert made.style[0] == 240_000
    assert made.header.f0_median_hz == pytest.approx(175, abs=1)
    assert (made.header.f0_low_hz, made.header.f0_high_hz) == pytest.approx((152.5, 197.5), abs=1)
    assert len(made.header.consent_date) == 10
    assert make_voice(_recording(4.0), encoders=_encoders(), name="b").header.consent_date == ""


def test_only_the_first_five_minutes_are_listened_to() -> None:
    made = make_voice([_recording(200.0), _recording(200.0)], encoders=_encoders(), name="anna")
    assert made.style[0] == 300 * 24_000
    assert made.header.seconds_used == 300.0


def test_recordings_that_are_too_short_are_refused() -> None:
    with pytest.raises(VoiceError, match=r"at least 3 s .* found 2\.50 s in 1 recording"):
        make_voice(_recording(2.5), encoders=_encoders(), name="anna")
    with pytest.raises(VoiceError, match=r"found 0\.00 s in 0"):
        make_voice([], encoders=_encoders(), name="anna")


def test_recordings_without_a_voice_are_refused() -> None:
    silent = Pitch(np.zeros(400, np.float32), np.zeros(400, np.float32), 0.01)
    with pytest.raises(VoiceError, match="is there a person"):
        make_voice(_recording(4.0), encoders=_encoders(pitch=lambda samples: silent), name="anna")


def test_encoders_that_fail_are_found_out() -> None:
    broken = _encoders(style=lambda samples, embedding: np.full(128, np.nan, np.float32))
    with pytest.raises(VoiceError, match="no usable style"):
        make_voice(_recording(4.0), encoders=broken, name="anna")


def _builtin(folder: Path) -> Path:
    tensors: dict[str, np.ndarray] = {}
    for index, name in enumerate(BUILTIN_VOICES):
        tensors[f"{name}.style"] = np.full(128, index, np.float32)
        tensors[f"{name}.embedding"] = np.full(256, 1 / 16, np.float16)
        tensors[f"{name}.f0_hz"] = np.asarray([200, 150, 300], np.float32)
    path = folder / "builtin-voices.safetensors"
    save_file(tensors, path, metadata={"licence": "Apache-2.0", "base_model_id": "kokoro-82m"})
    return path


def test_built_in_voices_are_read_from_one_file(tmp_path: Path) -> None:
    path = _builtin(tmp_path)
    voice = builtin_voice("kumo", path)
    assert (voice.name, voice.style[0], voice.style.shape) == ("kumo", 4.0, (128,))
    assert voice.speaker.f0_high_hz == 300.0
    assert voice.header.base_model_id == "kokoro-82m"


def test_a_missing_or_damaged_file_of_built_in_voices_says_so(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="install AutoVoice again"):
        builtin_voice("kumo", tmp_path / "none")
    (tmp_path / "bad").write_bytes(b"x" * 100)
    with pytest.raises(WeightsError, match="install AutoVoice again"):
        builtin_voice("kumo", tmp_path / "bad")


def _resolver(folder: Path, **others: Any) -> Resolver:
    return Resolver(
        VoiceStore(folder / "voices"),
        lambda: _encoders(**others),
        cache=folder / "cache",
        builtin_file=_builtin(folder),
    )


def test_a_word_is_a_built_in_a_stored_voice_or_a_file(tmp_path: Path) -> None:
    resolver = _resolver(tmp_path)
    resolver.store.save(_voice("anna"))
    file = _voice("clara").save(tmp_path / "some.voice")
    assert resolver.resolve("kumo").name == "kumo"
    assert resolver.resolve("anna").name == "anna"
    assert resolver.resolve(file).name == "clara"
    assert resolver.resolve(str(file)).name == "clara"
    voice = _voice()
    assert resolver.resolve(voice) is voice
    assert resolver.resolve(_recording(4.0)).name == "reference"


@pytest.mark.parametrize("word", ["nobody", "", "a\0b", "x" * 5000, "../kumo"])
def test_words_that_name_nothing_list_what_exists(tmp_path: Path, word: str) -> None:
    resolver = _resolver(tmp_path)
    resolver.store.save(_voice("anna"))
    with pytest.raises(VoiceError, match=r"built-in voices: alpha.*kumo; stored voices: anna"):
        resolver.resolve(word)


def test_a_recording_is_listened_to_once(tmp_path: Path) -> None:
    heard: list[int] = []

    def style(samples: FloatArray, embedding: FloatArray) -> FloatArray:
        heard.append(len(samples))
        return np.ones(128, np.float32)

    resolver = _resolver(tmp_path, style=style)
    path = io.write(_recording(4.0), tmp_path / "My voice (1).wav")
    assert resolver.resolve(path).name == "My-voice--1"
    assert resolver.resolve(path).name == "My-voice--1"
    assert len(heard) == 1
    io.write(_recording(5.0), path)
    resolver.resolve(path)
    assert heard == [96_000, 120_000]


def test_a_damaged_cache_entry_is_made_again(tmp_path: Path) -> None:
    resolver = _resolver(tmp_path)
    path = io.write(_recording(4.0), tmp_path / "me.wav")
    resolver.resolve(path)
    (entry,) = (tmp_path / "cache").iterdir()
    entry.write_bytes(b"half")
    assert resolver.resolve(path).name == "me"
    assert len(entry.read_bytes()) > 1000


def test_a_cache_that_cannot_be_written_does_not_stop_the_work(tmp_path: Path) -> None:
    resolver = _resolver(tmp_path)
    (tmp_path / "cache").write_text("a file")
    path = io.write(_recording(4.0), tmp_path / "…….wav")
    assert resolver.resolve(path).name == "reference"


def test_the_built_in_voices_are_read_once_and_belong_to_whoever_asks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = builtin_voice("kumo")
    monkeypatch.setattr("autovoice.voices.builtin.safe_open", None)
    first.style[:] = 0.0
    second = builtin_voice("kumo")
    assert np.abs(second.style).max() > 0
    assert np.array_equal(first.embedding, second.embedding)
