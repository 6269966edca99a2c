from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from standins import Carrier, Mixdown, builders, encoders, song, voice

from autovoice import io
from autovoice.config import PRESETS
from autovoice.engine import Cancelled, Conversion, Engine, Progress
from autovoice.engine.carrying import Vocal
from autovoice.engine.pipeline import Pipeline
from autovoice.engine.progress import Reporter
from autovoice.engine.scratch import Scratch
from autovoice.engine.stages import Stages
from autovoice.errors import InputError, ResourceError, VoiceError
from autovoice.types import Audio, Pitch, Stems

CPU: dict[str, Any] = {"device": "cpu"}


def _engine(tmp_path: Path, carrier: Carrier | None = None, **options: Any) -> Engine:
    made = builders(carrier, **options)
    return Engine("cpu", data_dir=tmp_path, builders=made)


def test_a_song_becomes_a_cover_as_long_with_all_its_stems(tmp_path: Path) -> None:
    source = song()
    result = _engine(tmp_path).convert(source, voice())
    assert result.audio.samples.shape == source.samples.shape
    assert result.stems.vocals.samples.shape == source.samples.shape
    assert result.stems.converted.samples.shape == source.samples.shape
    np.testing.assert_allclose(
        result.stems.vocals.samples + result.stems.backing.samples, source.samples, atol=1e-6
    )
    assert np.isfinite(result.audio.samples).all()
    assert (result.semitones, result.voice, result.device) == (12, "tester", "cpu")
    expected = {"read", "load", "separate", "pitch", "loudness"}
    expected |= {"words", "convert", "vocode", "mix"}
    assert expected | {"total"} == set(result.timings)
    assert result.timings["total"] >= sum(result.timings[name] for name in expected) * 0.99


@pytest.mark.parametrize("seconds", [0.02, 0.5, 1.0, 3.777])
@pytest.mark.parametrize("rate", [8_000, 22_050, 44_101, 48_000])
def test_any_length_and_rate_comes_back_to_the_sample(
    tmp_path: Path, seconds: float, rate: int
) -> None:
    source = song(seconds, rate, channels=1)
    result = _engine(tmp_path).convert(source, voice(), semitones=0)
    assert result.audio.samples.shape == source.samples.shape
    assert result.audio.sample_rate_hz == rate


def test_silence_stays_silent_and_costs_no_model(tmp_path: Path) -> None:
    carrier = Carrier()
    silent = Audio(np.zeros((2, 44_100), np.float32), 44_100)
    result = _engine(tmp_path, carrier).convert(silent, voice())
    assert carrier.calls == []
    assert not result.audio.samples.any()
    assert result.semitones == 0
    assert "not shifted" in result.notes[0]
    assert (result.range.song, result.range.share_outside) == (None, None)
    assert "no pitch" in result.range.why_not


def test_arrays_and_files_are_taken_too(tmp_path: Path) -> None:
    source = song(1.5)
    engine = _engine(tmp_path)
    path = io.write(source, tmp_path / "song.wav", subtype="FLOAT")
    by_array = engine.convert((source.samples, source.sample_rate_hz), voice())
    by_file = engine.convert(path, voice())
    np.testing.assert_allclose(by_array.audio.samples, by_file.audio.samples, atol=1e-5)


@pytest.mark.parametrize(
    "wrong", [7, None, (np.zeros(3),), Audio(np.zeros((1, 0), np.float32), 8_000)]
)
def test_other_songs_are_refused(tmp_path: Path, wrong: Any) -> None:
    with pytest.raises(InputError, match="song: found"):
        _engine(tmp_path).convert(wrong, voice())


def test_a_song_that_is_all_nan_is_refused(tmp_path: Path) -> None:
    broken = Audio(np.full((1, 8_000), np.nan, np.float32), 8_000)
    with pytest.raises(InputError):
        _engine(tmp_path).convert(broken, voice())


@pytest.mark.parametrize(
    ("options", "message"),
    [({"semitones": 30}, "semitones"), ({"speed": 2}, "unknown"), ({"device": "cpu"}, "Engine")],
)
def test_wrong_options_are_refused(tmp_path: Path, options: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        _engine(tmp_path).convert(song(1), voice(), **options)


def test_an_unknown_voice_says_what_exists(tmp_path: Path) -> None:
    with pytest.raises(VoiceError, match=r"built-in voices: alpha.*stored voices: none yet"):
        _engine(tmp_path).convert(song(1), "nobody")


def test_a_recording_is_a_voice_without_more(tmp_path: Path) -> None:
    result = _engine(tmp_path).convert(song(1), song(4.0, seed=5))
    assert result.voice == "reference"


def _converted(vocal: Vocal, chunk_s: float, crossfade_s: float = 0.1) -> np.ndarray:
    chosen = PRESETS["fast"].model_copy(update={"chunk_s": chunk_s, "crossfade_s": crossfade_s})
    stages = Stages("cpu", builders())
    pipeline = Pipeline(stages, chosen, Reporter(("convert",)))
    return pipeline.convert(vocal, voice().speaker, 0).samples[0]


@pytest.mark.parametrize("chunk_s", [1.0, 2.3, 7.0])
@pytest.mark.parametrize("seconds", [9.0, 13.37])
def test_pieces_equal_the_whole_under_minus_60_db(seconds: float, chunk_s: float) -> None:
    pipeline = Pipeline(
        Stages("cpu", builders()), PRESETS["fast"], Reporter(("separate", "analyse"))
    )
    vocal = pipeline.analyse(song(seconds, 32_000, channels=1))
    whole, pieces = _converted(vocal, 60.0), _converted(vocal, chunk_s)
    error_db = 10 * np.log10(np.mean((whole - pieces) ** 2) / np.mean(whole**2))
    assert error_db < -60


def test_analysis_in_blocks_equals_analysis_at_once() -> None:
    source = song(130.0, 8_000, channels=1)
    pipeline = Pipeline(Stages("cpu", builders()), PRESETS["fast"], Reporter(("analyse",)))
    vocal = pipeline.analyse(source)
    at_once = io.resample(source.samples, 8_000, 24_000)[0]
    error = np.abs(vocal.at_24k[: len(at_once)] - at_once).max()
    assert error < 1e-4
    assert len(vocal.energy.values) == 130 * 80


def test_paged_arrays_give_the_same_result(tmp_path: Path) -> None:
    source = io.write(song(5.0), tmp_path / "song.wav")
    plain = _engine(tmp_path).convert(source, voice())
    engine = Engine(
        "cpu", data_dir=tmp_path, builders=builders(), scratch=Scratch(in_memory_bytes=1000)
    )
    paged = engine.convert(source, voice())
    np.testing.assert_array_equal(plain.audio.samples, paged.audio.samples)
    assert isinstance(paged.stems.vocals.samples, np.memmap)


def test_progress_runs_from_start_to_end_without_falling(tmp_path: Path) -> None:
    reports: list[Progress] = []
    _engine(tmp_path).convert(song(6.0), voice(), progress=reports.append, preset="fast")
    stages = list(dict.fromkeys(report.stage for report in reports))
    assert stages == ["read", "separate", "analyse", "convert", "mix"]
    overall = [report.overall for report in reports]
    assert overall == sorted(overall)
    assert overall[-1] == pytest.approx(1.0)
    assert reports[-1].seconds_left == pytest.approx(0.0, abs=1e-6)


def test_time_left_follows_the_clock() -> None:
    seconds = iter([0.0, 10.0])
    reports: list[Progress] = []
    reporter = Reporter(("convert",), listener=reports.append, clock=lambda: next(seconds))
    reporter._stage = "convert"
    reporter.at(0.25)
    assert reports[0].seconds_left == pytest.approx(30.0)


def test_cancel_stops_between_pieces(tmp_path: Path) -> None:
    carrier, stop = Carrier(), threading.Event()

    def listener(report: Progress) -> None:
        if report.stage == "convert" and report.fraction > 0:
            stop.set()

    with pytest.raises(Cancelled, match="cancelled"):
        _engine(tmp_path, carrier).convert(
            song(30.0, 8_000), voice(), progress=listener, cancel=stop.is_set, preset="fast"
        )
    assert len(carrier.calls) == 1


def test_an_engine_goes_on_after_a_cancelled_call(tmp_path: Path) -> None:
    engine = _engine(tmp_path)
    with pytest.raises(Cancelled):
        engine.convert(song(1), voice(), cancel=lambda: True)
    assert engine.convert(song(1), voice()).semitones == 12


def _on_pretended_gpu(tmp_path: Path, carrier: Carrier) -> Engine:
    engine = _engine(tmp_path, carrier)
    engine._stages.move("cuda:0")
    return engine


def _convert_there(engine: Engine, source: Audio, monkeypatch: pytest.MonkeyPatch) -> Conversion:
    monkeypatch.setattr("autovoice.engine.devices.release", lambda device: None)
    monkeypatch.setattr("torch.random.fork_rng", lambda devices: threading.Lock())
    return engine.convert(source, voice(), preset="balanced", semitones=0)


@pytest.mark.parametrize("wrapped", [False, True])
def test_out_of_memory_halves_the_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrapped: bool
) -> None:
    carrier = Carrier(fits_s=9.0, wrapped=wrapped)
    source = song(30.0, 8_000, channels=1)
    result = _convert_there(_on_pretended_gpu(tmp_path, carrier), source, monkeypatch)
    assert result.device == "cuda:0"
    assert [note for note in result.notes if "pieces of" in note] == list(result.notes)
    assert max(carrier.calls[-4:]) <= 9.0
    plain = _engine(tmp_path).convert(source, voice(), semitones=0)
    np.testing.assert_allclose(result.audio.samples, plain.audio.samples, atol=1e-4)


def test_out_of_memory_at_last_goes_to_the_cpu_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    carrier = Carrier(fits_s=0.0)

    def build(device: str) -> Carrier:
        return Carrier() if device == "cpu" else carrier

    engine = _engine(tmp_path, converter=build)
    engine._stages.move("cuda:0")
    result = _convert_there(engine, song(30.0, 8_000), monkeypatch)
    assert result.device == engine.device == "cpu"
    assert "went on on the CPU" in result.notes[-1]


def test_out_of_memory_on_the_cpu_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match="out of memory"):
        _engine(tmp_path, Carrier(fits_s=0.0)).convert(song(1), voice())


def test_a_memory_error_is_a_resource_error(tmp_path: Path) -> None:
    def mix(converted: Any, stems: Any, device: str) -> Audio:
        raise MemoryError

    with pytest.raises(ResourceError, match="out of memory"):
        _engine(tmp_path, mix=mix).convert(song(1), voice())


def test_other_failures_are_not_taken_for_memory(tmp_path: Path) -> None:
    class Broken:
        def convert(self, *arguments: Any, **options: Any) -> Any:
            raise RuntimeError("shape mismatch")

    with pytest.raises(RuntimeError, match="shape mismatch"):
        _engine(tmp_path, converter=lambda device: Broken()).convert(song(1), voice())


def test_a_vocoder_of_the_wrong_length_is_found_out(tmp_path: Path) -> None:
    class Short:
        def synthesise(self, features: Any, speaker: Any, *, seed: int = 0) -> Audio:
            return Audio(np.zeros((1, 100), np.float32), 24_000)

    with pytest.raises(InputError, match="vocoder: found 100 samples"):
        _engine(tmp_path, vocoder=lambda device: Short()).convert(song(1), voice())


def test_the_same_seed_gives_the_same_sound_and_leaves_the_callers_alone(tmp_path: Path) -> None:
    import torch

    class Noise:
        def __init__(self) -> None:
            torch.randn(100)  # as a network does that is built before it is loaded

        def synthesise(self, features: Any, speaker: Any, *, seed: int = 0) -> Audio:
            chance = torch.Generator().manual_seed(seed)
            length = round(features.seconds * 24_000)
            return Audio(torch.randn(1, length, generator=chance).numpy(), 24_000)

    engine = _engine(tmp_path, vocoder=lambda device: Noise())
    state = torch.random.get_rng_state()
    first, again, other = (
        engine.convert(song(1), voice(), seed=seed).audio.samples for seed in (3, 3, 4)
    )
    assert torch.equal(state, torch.random.get_rng_state())
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.01


def test_stages_are_built_once_and_only_when_needed(tmp_path: Path) -> None:
    built: list[str] = []

    def spy(device: str) -> Any:
        built.append("separator")
        return builders().separator(device)

    engine = _engine(tmp_path, separator=spy)
    engine.convert(song(1), voice(), separate=False)
    assert built == []
    engine.convert(song(1), voice())
    engine.convert(song(1), voice())
    assert built == ["separator"]


def test_results_are_saved_as_files(tmp_path: Path) -> None:
    source = song(1.0)
    result = _engine(tmp_path).convert(source, voice())
    assert io.read(result.save(tmp_path / "out" / "cover.flac")).length_samples == 44_100
    paths = result.save_stems(tmp_path / "stems")
    assert set(paths) == {"vocals", "backing", "converted"}
    assert all(path.is_file() for path in paths.values())


def test_a_score_is_added_by_whoever_judges(tmp_path: Path) -> None:
    from autovoice.types import ScoreCard

    card = ScoreCard(1.0, 0.9, 0.8, 0.5, 0.4, 0, 12)
    result = _engine(tmp_path).convert(song(1), voice())
    scored = result.scored_by(lambda *arguments: card, voice().embedding)
    assert (result.score, scored.score) == (None, card)
    assert "score" in scored.timings


def test_encoders_are_shared_with_the_resolver(tmp_path: Path) -> None:
    built: list[str] = []

    def spy(device: str) -> Any:
        built.append(device)
        return encoders()

    engine = _engine(tmp_path, encoders=spy)
    engine.voice(song(4.0))
    engine.voice(song(4.0, seed=2))
    assert built == ["cpu"]


def test_pauses_in_the_vocal_are_silent_in_the_cover(tmp_path: Path) -> None:
    source = song(3.0, 16_000, channels=1)
    samples = source.samples.copy()
    samples[:, 16_000:32_000] = 0
    result = _engine(tmp_path).convert(Audio(samples, 16_000), voice(), separate=False)
    converted = result.stems.converted.samples[0]
    assert np.abs(converted[17_500:30_500]).max() < 1e-4
    assert np.abs(converted[:14_000]).max() > 0.05


def test_a_mix_of_the_wrong_shape_is_found_out(tmp_path: Path) -> None:
    def wrong(converted: Audio, stems: Stems, device: str) -> Mixdown:
        return Mixdown(converted, converted)

    with pytest.raises(InputError, match=r"mix: found \[1, 24000\], expected \[2, 44100\]"):
        _engine(tmp_path, mix=wrong).convert(song(1), voice())


def test_the_result_tells_how_the_song_fits_with_the_shift_that_is_applied(tmp_path: Path) -> None:
    engine = _engine(tmp_path)
    found = [engine.convert(song(2), voice(), semitones=shift).range for shift in (0, 24)]
    assert [each.semitones for each in found] == [0, 24]
    near, far = (each.song for each in found)
    assert near is not None
    assert far is not None
    assert far.median_hz == pytest.approx(4 * near.median_hz)
    assert found[0].share_outside == 0.0
    assert found[1].share_above == 1.0
    assert found[1].spans


def test_what_is_muted_counts_neither_for_the_octave_nor_for_the_range(tmp_path: Path) -> None:
    """A tracker hears notes in what a separator left of the instruments."""
    asked: list[int] = []

    class Everywhere:
        def track(self, samples: Any) -> Pitch:
            frames = len(samples) // 160
            f0_hz = np.where(np.arange(frames) < 100, 200.0, 1_000.0).astype(np.float32)
            return Pitch(f0_hz, np.ones(frames, np.float32), 0.01)

    def fit(pitch: Pitch, speaker: Any) -> int:
        asked.append(int((pitch.f0_hz > 500).sum()))
        return 0

    source = song(4.0, 16_000, channels=1)
    samples = source.samples.copy()
    samples[:, 16_000:] = 0
    engine = _engine(tmp_path, pitch=lambda device: Everywhere(), fit=fit)
    found = engine.convert(Audio(samples, 16_000), voice(), separate=False).range
    assert asked[0] <= 2
    assert found.song is not None
    assert found.song.high_hz == pytest.approx(200.0)
    assert found.spans == ()
