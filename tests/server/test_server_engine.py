"""The project's engine as a runner: resumed from its pieces, and what a job leaves behind."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autovoice import io, weights
from autovoice.cli.serve_process import check_samples
from autovoice.engine import Engine
from autovoice.errors import Cancelled, InputError, VoiceError
from autovoice.server.files import FileStore
from autovoice.server.settings import Settings
from autovoice.server.sound import read_piece
from autovoice.server.work import real
from autovoice.server.work.pieces import FolderPieces
from autovoice.server.work.real import CheckedSamples, EngineRunner
from autovoice.server.work.runner import StickyDeviceError, Task
from autovoice.types import Audio, ScoreCard
from autovoice.voices import encoders_on

sys.path.append(str(Path(__file__).parents[1] / "engine"))
import standins

REQUEST = {
    "voice": "kumo", "semitones": 0, "separate": True, "preset": "fast", "seed": 0,
    "format": "flac", "stems": True, "card": False, "name": "song.wav",
}  # fmt: skip


SCORE = ScoreCard(1.0, 0.9, 0.8, 0.5, 0.4, 0, 0)


class PaperDesk:
    """Notes what is reported; stops after so many chunks."""

    def __init__(self, stop_after: int = 10**9) -> None:
        self.stop_after = stop_after
        self.done: list[tuple[int, int | None]] = []
        self.stages: list[str] = []

    def stopping(self) -> bool:
        return len(self.done) >= self.stop_after

    def progress(self, stage: str, fraction: float, overall: float) -> None:
        self.stages.append(stage)

    def checkpoint(self, done: int, total: int | None) -> None:
        self.done.append((done, total))


class Bench:
    """A runner over stand-in stages."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AUTOVOICE_DATA_DIR", str(folder / "user"))
        monkeypatch.setattr("autovoice.eval.summary.score", lambda *_a, **_k: SCORE)
        monkeypatch.setattr("autovoice.voices.encoders_on", standins.encoders)
        self.settings = Settings(data_dir=folder / "data", max_audio_s=120.0)
        self.store = FileStore(self.settings.data_dir)
        self.store.prepare()
        self.carrier = standins.Carrier()
        self.speakers = False
        engine = Engine("cpu", data_dir=folder / "user", builders=standins.builders(self.carrier))
        self.runner = EngineRunner(self.settings, "cpu", self.store, self.check, engine)
        self.runner.load()
        self.song = folder / "song.wav"
        io.write(standins.song(60.0, rate=16_000, channels=1), self.song)

    def check(self, files: Any, encoders: Any) -> CheckedSamples:
        problems = ["several speakers"] if self.speakers else []
        reports = [{"name": str(file), "problems": problems, "advice": []} for file in files]
        return CheckedSamples(io.read(files[0]), reports, self.speakers)

    def task(self, attempt: int = 1, kind: str = "convert.song", **changes: Any) -> Task:
        request = {**REQUEST, **changes}
        folder = self.store.path("jobs/aa/job")
        return Task("job_1", kind, "local", request, [self.song], folder, attempt)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(tmp_path, monkeypatch)


def test_a_job_that_was_broken_off_goes_on_from_its_pieces(bench: Bench, tmp_path: Path) -> None:
    whole = bench.runner.run(bench.task(), PaperDesk())
    calls = len(bench.carrier.calls)
    assert calls >= 5
    wanted = io.read(bench.store.path("jobs/aa/job/1/cover.flac"))
    bench.store.remove("jobs/aa/job")
    bench.carrier.calls.clear()
    with pytest.raises(Cancelled):
        bench.runner.run(bench.task(), PaperDesk(stop_after=3))
    desk = PaperDesk()
    again = bench.runner.run(bench.task(attempt=2), desk)
    assert len(bench.carrier.calls) == calls
    assert desk.done == [(n, calls) for n in range(4, calls + 1)]
    found = io.read(bench.store.path("jobs/aa/job/2/cover.flac"))
    assert np.array_equal(found.samples, wanted.samples)
    assert again.result["files"]["cover"] == "2/cover.flac"
    assert again.audio_s == whole.audio_s == pytest.approx(60.0)


def test_what_a_job_leaves_behind(bench: Bench) -> None:
    outcome = bench.runner.run(bench.task(), PaperDesk())
    files = outcome.result["files"]
    assert set(files) == {"cover", "stems/vocals", "stems/backing", "stems/converted"}
    for name in files.values():
        assert io.read(bench.store.path(f"jobs/aa/job/{name}")).seconds == pytest.approx(60.0)
    report = json.loads(bench.store.path("jobs/aa/job/1/report.json").read_text())
    assert report["score"]["similarity_target"] == 0.8
    assert {one.name for one in outcome.observations} == {
        "job_realtime_factor",
        "job_stage_duration_seconds",
    }
    assert outcome.bytes > 0


def test_a_damaged_piece_is_made_again(bench: Bench) -> None:
    bench.runner.run(bench.task(), PaperDesk())
    calls = len(bench.carrier.calls)
    pieces = sorted(bench.task().pieces.iterdir())
    pieces[0].write_bytes(b"damaged")
    np.save(pieces[1], np.zeros(7, np.float32))
    np.save(pieces[2], np.array([{"a": 1}], dtype=object), allow_pickle=True)
    bench.runner.run(bench.task(attempt=2), PaperDesk())
    assert len(bench.carrier.calls) == calls + 3


def test_a_song_that_is_too_long_is_refused_while_decoding(bench: Bench) -> None:
    bench.settings = bench.settings.model_copy(update={"max_audio_s": 30.0})
    bench.runner._settings = bench.settings
    with pytest.raises(InputError, match=r"^mine\.wav: .*30"):
        bench.runner.run(bench.task(name="mine.wav"), PaperDesk())


WORDS = {"language": "en-us", "speed": 1.0, "ssml": None, "format": "wav"}


def test_a_speech_that_was_broken_off_goes_on_from_its_sentences(bench: Bench) -> None:
    text = bench.song.with_suffix(".txt")
    text.write_text("it was cold. nobody spoke. then the wind came", encoding="utf-8")
    task = replace(bench.task(kind="speech", **WORDS), inputs=[text])
    whole = bench.runner.run(task, PaperDesk())
    wanted = io.read(bench.store.path("jobs/aa/job/1/speech.wav"))
    assert whole.result["pieces"] == 3
    assert whole.audio_s == whole.result["seconds"] == wanted.seconds
    bench.store.remove("jobs/aa/job")
    with pytest.raises(Cancelled):
        bench.runner.run(task, PaperDesk(stop_after=2))
    desk = PaperDesk()
    again = bench.runner.run(replace(task, attempt=2), desk)
    assert desk.done == [(3, None)]
    assert again.result["files"] == {"speech": "2/speech.wav"}
    found = io.read(bench.store.path("jobs/aa/job/2/speech.wav"))
    assert np.array_equal(found.samples, wanted.samples)
    # What a caller hears meanwhile is the same, and needs no file.
    heard = bench.runner.run(replace(task, kind="speech.stream", attempt=3), PaperDesk())
    assert heard.result["files"] == {}
    sound = b"".join(read_piece(task.pieces, index) for index in range(3))
    assert len(sound) == 2 * wanted.samples.shape[1]


def test_a_text_without_words_is_an_error_of_the_text(bench: Bench) -> None:
    text = bench.song.with_suffix(".txt")
    text.write_text(". . .", encoding="utf-8")
    task = replace(bench.task(kind="speech", **WORDS), inputs=[text])
    with pytest.raises(InputError, match="nothing that can be spoken"):
        bench.runner.run(task, PaperDesk())


@pytest.mark.parametrize("voice", ["song.wav", "../user/x", "nobody"])
def test_a_voice_is_never_a_path(bench: Bench, voice: str) -> None:
    with pytest.raises(VoiceError, match="no such voice"):
        bench.runner.run(bench.task(voice=voice), PaperDesk())


def test_a_voice_is_made_once(bench: Bench) -> None:
    words = {"name": "maria", "consent": "I agree. Maria", "licence": "", "description": "d"}
    task = bench.task(kind="voice.create", files=["me.wav"], **words)
    outcome = bench.runner.run(task, PaperDesk())
    assert outcome.result["voice"]["consent"] == "I agree. Maria"
    assert outcome.result["recordings"][0]["name"] == "me.wav"
    bank = bench.runner._voices
    assert bank.find("maria", "local").name == "maria"
    assert io.read(bank.preview("maria", "local")).seconds == pytest.approx(real.PREVIEW_S)
    bench.runner.run(task, PaperDesk())  # died after keeping, before the end: its own voice
    other = Task("job_2", "voice.create", "local", task.request, [bench.song],
                 bench.store.path("jobs/bb/job"), 1)  # fmt: skip
    with pytest.raises(VoiceError, match="exists"):
        bench.runner.run(other, PaperDesk())


def test_several_speakers_are_refused(bench: Bench) -> None:
    bench.speakers = True
    words = {"name": "maria", "consent": "I agree. Maria", "licence": "", "description": ""}
    with pytest.raises(VoiceError, match="more than one person"):
        bench.runner.run(bench.task(kind="voice.create", files=["a.wav"], **words), PaperDesk())
    assert bench.runner._voices.own("local").names() == []


def test_a_sticky_error_of_the_device_is_told_apart(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert real.is_sticky(RuntimeError("CUDA error: an illegal memory access"), "cuda:0")
    assert not real.is_sticky(RuntimeError("CUDA out of memory"), "cuda:0")
    assert not real.is_sticky(RuntimeError("CUDA error: x"), "cpu")

    def fail(*_args: Any, **_options: Any) -> None:
        raise RuntimeError("CUDA error: device-side assert triggered")

    monkeypatch.setattr(bench.runner._engine, "convert", fail)
    monkeypatch.setattr(real, "is_sticky", lambda error, _device: "CUDA error" in str(error))
    with pytest.raises(StickyDeviceError, match="device-side"):
        bench.runner.run(bench.task(), PaperDesk())


def test_pieces_say_how_many_are_safe(tmp_path: Path) -> None:
    desk = PaperDesk()
    pieces = FolderPieces(tmp_path, desk)
    pieces.expect(2)
    assert pieces.load("0-10-0") is None
    pieces.save("0-10-0", np.ones(3, np.float32))
    again = FolderPieces(tmp_path, desk)
    again.expect(2)
    found = again.load("0-10-0")
    assert found is not None
    assert found.tolist() == [1, 1, 1]
    again.save("10-20-0", np.ones(3, np.float32))
    assert desk.done == [(1, 2), (2, 2)]


@pytest.mark.e2e
def test_the_samples_of_a_voice_are_looked_at(tmp_path: Path) -> None:
    """The project's own encoders: silence and noise are refused in words, song alone is taken."""
    rng = np.random.default_rng(3)
    noise = Audio((0.1 * rng.standard_normal((1, 80_000))).astype(np.float32), 16_000)
    file = tmp_path / "noise.wav"
    io.write(noise, file)
    with pytest.raises(VoiceError, match="a voice needs at least 3 s of one clean voice"):
        check_samples([file], encoders_on("cpu"))
    demo = io.read(weights.file("demo-song", "audio_example.mp3"))
    vocals = Engine("cpu").convert(demo, "kumo", semitones=0).stems.vocals
    io.write(vocals, tmp_path / "vocals.wav")
    found = check_samples([tmp_path / "vocals.wav"], encoders_on("cpu"))
    assert found.audio.seconds >= 3.0
    assert found.audio.sample_rate_hz == 24_000
    assert not found.speakers
