"""The score card: every figure there or with its reason, whatever comes in."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autovoice import io, weights
from autovoice.errors import AutoVoiceError, InputError, WeightsError
from autovoice.eval.cache import Cache
from autovoice.eval.card import Card
from autovoice.eval.measures import MEASURES
from autovoice.eval.part import cut
from autovoice.eval.scorer import Scorer
from autovoice.types import Audio

sys.path.insert(0, str(Path(__file__).parent))
from judge_standins import RATE, TEXT, Judging, noise, silence, sung


def _scorer(judging: Judging | None = None, **options: Any) -> Scorer:
    builders = (judging or Judging()).builders()
    return Scorer(**{"cache": None, "builders": builders, **options})


def _strict(card: Card) -> dict[str, Any]:
    """Return the card as JSON, read with anything that is no JSON number refused."""

    def refuse(word: str) -> float:
        raise AssertionError(f"found {word}")

    text = json.dumps(card.to_json(), allow_nan=False)
    found: dict[str, Any] = json.loads(text, parse_constant=refuse)
    return found


def _why(card: Card, key: str) -> str:
    figure = card.figures[key]
    assert figure.value is None
    assert figure.why_not
    return figure.why_not


def test_doing_nothing_is_a_perfect_copy_of_the_source() -> None:
    source, reference = sung(200), sung(120, seed=1)
    card = _scorer().card(source, source, reference, kind="copy", names=("o", "s", "r"))
    assert tuple(card.figures) == tuple(measure.key for measure in MEASURES)
    for key in ("pitch_rmse_hz", "pitch_median_cents", "pitch_beyond_200_cents", "voicing_error"):
        assert card.value(key) == pytest.approx(0.0, abs=1e-6)
    for key in ("pitch_within_50_cents", "log_f0_correlation", "similarity_source", "stoi"):
        assert card.value(key) == pytest.approx(1.0, abs=1e-5)
    for key in ("cer", "cer_greedy", "mr_stft", "distillmos_change", "loudness_change_lu",
                "length_error_samples", "gap_noise_share", "delay_s"):  # fmt: skip
        assert card.value(key) == pytest.approx(0.0, abs=1e-6)
    assert card.value("similarity_target") == card.value("similarity_floor")
    assert card.value("similarity_gain") == 0.0
    assert (card.value("distillmos"), card.value("dnsmos_sig")) == (4.2, 3.5)
    assert card.words is not None
    assert (card.words.source, card.words.output_greedy) == (TEXT, TEXT)
    assert card.melody is not None
    assert len(card.melody.output_hz) == len(card.melody.wanted_hz) == 401
    assert len(card.phrases) == 3
    assert [gate.status for gate in card.gates] == ["pass", "pass", "pass"]
    assert (card.output.name, card.source.name, card.reference.name) == ("o", "s", "r")
    assert card.output.sha256 == card.source.sha256 != card.reference.sha256
    assert (card.source.seconds, card.source.sample_rate_hz, card.source.channels) == (4.0, RATE, 1)
    assert set(card.timings) == {"words", "pitch", "phrases", "gaps", "level", "copy",
                                 "similarity", "distillmos", "dnsmos", "total"}  # fmt: skip
    assert card.notes == ()
    assert _strict(card)["figures"]["stoi"]["value"] == card.value("stoi")


def test_becoming_the_reference_an_octave_down() -> None:
    source, reference = sung(220), sung(110)
    card = _scorer().card(reference, source, reference, semitones=-12)
    assert card.value("similarity_target") == pytest.approx(1.0, abs=1e-5)
    assert card.value("similarity_source") == card.value("similarity_floor")
    assert card.value("similarity_gain") == pytest.approx(
        1.0 - (card.value("similarity_floor") or 0)
    )
    assert card.semitones == -12
    octave = _scorer().card(sung(110), sung(220), reference)
    assert (octave.value("pitch_beyond_200_cents") or 0) > 0.9
    assert octave.notes[-1].startswith("the output lies -12 semitones from the wanted melody")
    assert card.notes == ()


def test_what_is_only_for_copies_says_so() -> None:
    card = _scorer().card(sung(), sung(), sung(120), kind="song")
    for key in ("stoi", "estoi", "mr_stft"):
        assert "only for a voice copied to itself" in _why(card, key)
    assert [gate.name for gate in card.gates] == ["pitch", "similarity", "naturalness"]


def test_a_stored_voice_has_no_recording() -> None:
    judging = Judging()
    embedding = judging.embed(sung(120).mono(), RATE)
    card = _scorer(judging).card(sung(), sung(), embedding, names=("o", "s", "kumo"))
    assert card.value("similarity_target") is not None
    assert "holds no recording" in _why(card, "distillmos_reference")
    assert (card.reference.name, card.reference.seconds, card.reference.channels) == ("kumo", 0, 0)
    assert "the reference is a stored voice" in card.notes[0]
    by_recording = _scorer().card(sung(), sung(), sung(120))
    assert card.value("similarity_target") == by_recording.value("similarity_target")
    _strict(card)


@pytest.mark.parametrize("wrong", [np.zeros(3, np.float32), np.full(256, np.nan, np.float32)])
def test_what_is_no_embedding_is_refused(wrong: Any) -> None:
    with pytest.raises(InputError, match="expected a recording or a speaker embedding"):
        _scorer().card(sung(), sung(), wrong)


_ALL_OF_OUTPUT = ("cer", "cer_greedy", "pitch_rmse_hz", "similarity_target",
                  "similarity_source", "distillmos", "distillmos_change", "dnsmos_ovrl",
                  "loudness_lufs", "true_peak_dbtp", "gap_noise_share")  # fmt: skip


@pytest.mark.parametrize(
    ("output", "source", "reference", "reasons"),
    [
        pytest.param(
            silence(), sung(), sung(120), dict.fromkeys(_ALL_OF_OUTPUT, "silen|voiced"),
            id="silent output",
        ),
        pytest.param(
            noise(), sung(), sung(120), {"pitch_rmse_hz": "0 voiced frames in the output"},
            id="unvoiced output",
        ),
        pytest.param(
            sung(), noise(), sung(120), {"pitch_rmse_hz": "0 in the source"}, id="unvoiced source"
        ),
        pytest.param(
            Audio(np.zeros((1, 0), np.float32), RATE), sung(), sung(120),
            dict.fromkeys(_ALL_OF_OUTPUT, "silen|voiced|empty|0.00 s"), id="empty output",
        ),
        pytest.param(
            sung(), silence(), sung(120),
            {"similarity_floor": "source is silent", "distillmos_source": "source is silent"},
            id="silent source",
        ),
        pytest.param(
            sung(), sung(), sung(120, seconds=2.9),
            dict.fromkeys(
                ("similarity_target", "similarity_floor", "similarity_gain"),
                "reference is 2.90 s long; similarity needs 3 s",
            ),
            id="reference under 3 s",
        ),
        pytest.param(
            sung(), sung(), silence(),
            {"similarity_target": "reference is silent",
             "distillmos_reference": "reference is silent"},
            id="silent reference",
        ),
        pytest.param(
            sung(seconds=2.0), sung(), sung(120),
            {"gap_noise_share": "2.00 s long", "breath_db": "2.00 s long",
             "pitch_rmse_hz": "2.00 s long"}, id="output cut short",
        ),
        pytest.param(
            sung(seconds=0.05), sung(seconds=0.05), sung(120),
            {"pitch_rmse_hz": "voiced", "distillmos": "needs 0.5 s", "loudness_lufs": "0.4 s"},
            id="hardly anything",
        ),
        pytest.param(
            sung(rate=1000), sung(), sung(120), {"sibilance_db": "1000 Hz"}, id="a very low rate"
        ),
        pytest.param(
            Audio(np.full((1, 400), 0.5, np.float32), 100), sung(), sung(120),
            {"loudness_lufs": "100 Hz", "gap_noise_share": "100 Hz"}, id="no rate at all",
        ),
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["song", "copy"])
def test_bad_input_is_a_card_with_reasons(
    output: Audio, source: Audio, reference: Audio, reasons: dict[str, str], kind: Any
) -> None:
    card = _scorer().card(output, source, reference, kind=kind)
    for key, reason in reasons.items():
        assert re.search(reason, _why(card, key)), (key, _why(card, key))
    for gate in card.gates:
        assert (gate.status == "not applicable") == bool(gate.why)
    _strict(card)


def test_similarity_to_the_source_needs_no_reference() -> None:
    card = _scorer().card(sung(), sung(), sung(120, seconds=1.0))
    assert card.value("similarity_source") == pytest.approx(1.0, abs=1e-5)
    assert card.value("distillmos_reference") == 4.2


def test_recordings_of_different_rates_are_compared() -> None:
    source = sung(rate=44_100)
    output = Audio(io.resample(source.samples, 44_100, 24_000), 24_000)
    card = _scorer().card(output, source, sung(120), kind="copy")
    assert "the output is at 24000 Hz, the source at 44100 Hz" in card.notes
    assert card.value("length_error_samples") == 0.0
    assert (card.value("pitch_median_cents") or 0.0) < 1.0
    assert (card.value("stoi") or 0.0) > 0.99
    _strict(card)


def test_lengths_are_told_in_samples_of_the_output() -> None:
    card = _scorer().card(sung(seconds=4.3, rate=8000), sung(), sung(120))
    assert card.value("length_error_samples") == pytest.approx(0.3 * 8000)
    assert "the output is 0.30 s longer than the source" in card.notes
    assert card.value("gap_noise_share") is not None


def test_samples_that_are_no_sound_are_silence_and_noted() -> None:
    samples = sung().samples.copy()
    samples[0, 100:103] = [np.nan, np.inf, 1e38]
    card = _scorer().card(Audio(samples, RATE), sung(), sung(120))
    assert card.notes[0].startswith("3 samples of the output are no sound")
    assert (card.value("pitch_median_cents") or 0.0) < 1.0
    _strict(card)


def test_of_a_long_recording_the_most_active_part_is_judged() -> None:
    samples = np.zeros((1, 20 * RATE), np.float32)
    samples[:, 9 * RATE : 13 * RATE] = sung().samples
    song = Audio(samples, RATE)
    card = _scorer().card(song, song, sung(120, seconds=9.0), most_s=5.0)
    assert card.span_s[1] - card.span_s[0] == pytest.approx(5.0)
    assert 7.9 < card.span_s[0] < 9.1
    assert "of 20.0 s" in card.notes[0]
    assert card.source.seconds == 20.0
    assert card.melody is not None
    assert len(card.melody.source_hz) == 501
    assert all(0.0 <= phrase.start_s < phrase.end_s <= 5.0 for phrase in card.phrases)


def test_sources_and_references_are_judged_once(tmp_path: Path) -> None:
    first, again = Judging(), Judging(opinion=3.0)
    whole = _scorer(first, cache=Cache(tmp_path)).card(sung(210), sung(), sung(120))
    assert first.asked == {
        "encoder": 3, "transcriber": 2, "distillmos": 3, "dnsmos": 2, "tracker": 2
    }  # fmt: skip
    card = _scorer(again, cache=Cache(tmp_path)).card(sung(210), sung(), sung(120))
    assert again.asked == dict.fromkeys(first.asked, 1)
    assert card.value("distillmos_source") == 4.2
    assert card.value("distillmos") == 3.0
    for key in ("pitch_rmse_hz", "similarity_target", "similarity_floor", "cer", "sibilance_db"):
        assert card.figures[key] == whole.figures[key]


def test_of_the_reference_a_sample_is_listened_to() -> None:
    lengths: list[float] = []

    class Listener(Judging):
        def score(self, audio: Audio) -> float:
            lengths.append(audio.seconds)
            return 4.0

    _scorer(Listener()).card(sung(210), sung(), sung(120, seconds=20.0))
    assert lengths == pytest.approx([4.0, 4.0, 10.0])


def test_networks_are_loaded_once(tmp_path: Path) -> None:
    judging = Judging()
    scorer = _scorer(judging)
    scorer.load()
    assert set(judging.built) == {"encoder", "transcriber", "distillmos", "dnsmos"}
    for _ in range(2):
        scorer.card(sung(), sung(), sung(120))
    assert set(judging.built.values()) == {1}


def test_what_was_not_asked_for_is_not_loaded() -> None:
    judging = Judging()
    scorer = _scorer(judging, words=False, naturalness=False)
    scorer.load()
    card = scorer.card(sung(), sung(), sung(120))
    assert set(judging.built) == {"encoder", "tracker"}
    for measure in MEASURES:
        if measure.group in {"words", "naturalness"}:
            assert _why(card, measure.key) == "not asked for"
    assert card.words is None
    assert "words" not in card.timings


def test_the_language_of_the_source_is_that_of_the_output() -> None:
    judging = Judging()
    _scorer(judging).card(sung(210), sung(), sung(120))
    assert judging.languages == [None, "en"]
    _scorer(judging).card(sung(210), sung(), sung(120), language="ko")
    assert judging.languages[2:] == ["ko", "ko"]


def test_a_source_without_words() -> None:
    card = _scorer(Judging(texts=["Ooo, oh", "other"])).card(sung(210), sung(), sung(120))
    assert "no words heard in the source" in _why(card, "cer")
    assert "no words heard in the source" in _why(card, "cer_greedy")
    assert card.words is not None
    assert (card.words.source, card.words.output) == ("Ooo, oh", "other")


def test_endless_loops_are_noted_and_scored_as_they_are() -> None:
    loop = "and on and on we go " * 12
    card = _scorer(Judging(texts=[TEXT, loop])).card(sung(210), sung(), sung(120))
    assert "the transcript of the output repeats itself" in card.notes
    assert (card.value("cer") or 0.0) > 5.0


@pytest.mark.parametrize(
    ("network", "error"),
    [
        (
            "transcriber",
            AutoVoiceError("found no ctranslate2, which scores words"),
        ),
        ("distillmos", WeightsError("distillmos: cannot be had")),
    ],
)
def test_what_cannot_be_loaded_is_an_error_not_a_figure(network: str, error: Exception) -> None:
    scorer = Scorer(cache=None, builders=Judging().builders(**{network: error}))
    with pytest.raises(type(error), match=str(error)[:20]):
        scorer.card(sung(), sung(), sung(120))
    with pytest.raises(type(error), match=str(error)[:20]):
        scorer.load()


def test_the_cache_is_the_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOVOICE_CACHE_DIR", str(tmp_path))
    Scorer(builders=Judging().builders()).card(sung(), sung(), sung(120))
    assert not (tmp_path / "eval").exists()  # what stand-ins find is not for the user
    Scorer(builders=Judging().builders(), cache=Cache()).card(sung(), sung(), sung(120))
    assert len(list((tmp_path / "eval").glob("*.kept"))) == 7


@pytest.mark.e2e
def test_the_real_judges_of_a_real_song(tmp_path: Path) -> None:
    song = cut(io.read(weights.file("demo-song", "audio_example.mp3")), 1.0, 6.0)
    rng = np.random.default_rng(0)
    hiss = Audio(
        (song.samples + 0.02 * rng.standard_normal(song.samples.shape)).astype(np.float32),
        song.sample_rate_hz,
    )
    scorer = Scorer(cache=Cache(tmp_path))
    scorer.load()
    card = scorer.card(hiss, song, song, kind="copy")
    missing = {key: figure.why_not for key, figure in card.figures.items() if figure.value is None}
    assert set(missing) <= {"gap_noise_share", "sibilance_db", "breath_db", "cer", "cer_greedy"}
    assert 0.9 < (card.value("similarity_target") or 0.0) < 1.0
    assert card.value("similarity_floor") == pytest.approx(1.0, abs=1e-5)
    assert (card.value("pitch_within_50_cents") or 0.0) > 0.7
    assert (card.value("stoi") or 0.0) > 0.8
    for measure in MEASURES:
        value = card.value(measure.key)
        if value is not None:
            assert measure.least is None or value >= measure.least
            assert measure.most is None or value <= measure.most + 1e-6
    _strict(card)
