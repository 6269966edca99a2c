"""The card of speech that was made from text."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from judge_standins import TEXT, Judging, silence, sung

from autovoice.errors import InputError
from autovoice.eval.card import Card
from autovoice.eval.measures import MEASURES
from autovoice.eval.report import card_page, write_card
from autovoice.eval.scorer import Scorer
from autovoice.eval.spoken import NO_MELODY, NO_SOURCE, cut_at_pauses, whisper_language
from autovoice.types import Audio


def scorer(judging: Judging | None = None, **options: bool) -> Scorer:
    return Scorer(cache=None, builders=(judging or Judging()).builders(), **options)


def card(text: str = TEXT, judging: Judging | None = None, **options: bool) -> Card:
    return scorer(judging, **options).text_card(sung(110), text, sung(115, seed=2))


def test_every_measure_is_there_or_says_why_not() -> None:
    found = card()
    assert list(found.figures) == [measure.key for measure in MEASURES]
    measured = {key for key, figure in found.figures.items() if figure.value is not None}
    assert measured == {
        "similarity_target", "cer", "cer_greedy", "distillmos", "distillmos_reference",
        "dnsmos_ovrl", "dnsmos_sig", "dnsmos_bak", "loudness_lufs", "true_peak_dbtp",
    }  # fmt: skip
    assert found.figures["pitch_rmse_hz"].why_not == NO_MELODY
    assert found.figures["similarity_source"].why_not == NO_SOURCE
    assert found.figures["length_error_samples"].why_not == NO_SOURCE
    assert found.melody is None
    assert found.phrases == ()


def test_words_are_held_against_the_text() -> None:
    assert card("The same words,\nare sung -- AGAIN!").value("cer") == 0.0
    wrong = card("the same words are said again")
    assert wrong.value("cer") == pytest.approx(4 / 29, abs=0.05)
    assert wrong.words is not None
    assert wrong.words.source == "the same words are said again"
    assert wrong.words.output == TEXT
    assert wrong.source.name == "text: the same words are said again"


def test_the_language_is_whispers() -> None:
    judging = Judging()
    scorer(judging).text_card(sung(110), TEXT, sung(115), language="pt-br")
    assert judging.languages == ["pt"]
    assert [whisper_language(code) for code in ("en-us", "PT_br", "ja")] == ["en", "pt", "ja"]


def test_the_gates_of_text() -> None:
    good = {gate.name: gate.status for gate in card().gates}
    assert good == {"similarity": "pass", "words": "pass", "naturalness": "pass"}
    bad = card("nothing of the kind was said", Judging(opinion=3.9))
    assert {gate.name: gate.status for gate in bad.gates}["words"] == "fail"
    assert {gate.name: gate.status for gate in bad.gates}["naturalness"] == "fail"


def test_a_stored_voice_and_what_was_not_asked_for() -> None:
    reference = np.ones(256, np.float32) / 16
    found = scorer(words=False, naturalness=False).text_card(sung(110), TEXT, reference)
    assert found.value("similarity_target") is not None
    for key in ("cer", "distillmos", "dnsmos_ovrl"):
        assert found.figures[key].why_not == "not asked for"
    assert found.words is None
    assert found.reference.channels == 0


def test_silence_has_no_words() -> None:
    found = scorer().text_card(silence(), TEXT, sung(110))
    assert found.value("cer") is None
    assert found.figures["cer"].why_not
    assert found.value("similarity_target") is None


def test_without_text_there_is_nothing_to_judge() -> None:
    with pytest.raises(InputError, match="expected what was to be said"):
        card(" \n")


def test_long_speech_is_heard_sentence_by_sentence() -> None:
    rate = 8_000
    at_s = np.arange(40 * rate) / rate
    speaking = at_s % 5.0 < 4.4  # 0.6 s of pause before each multiple of five
    sound = (np.sin(2 * np.pi * 200 * at_s) * speaking * 0.1).astype(np.float32)
    pieces = cut_at_pauses(Audio(sound[None], rate))
    np.testing.assert_array_equal(np.concatenate([p.samples for p in pieces], 1)[0], sound)
    assert max(piece.seconds for piece in pieces) <= 12.0
    ends = np.cumsum([piece.seconds for piece in pieces])[:-1]
    assert all(end % 5.0 > 4.4 for end in ends)
    judging = Judging(texts=["one two three", "four five", "six seven", "eight nine"])
    text = "One two three four five six seven eight nine."
    found = scorer(judging).text_card(Audio(sound[None], rate), text, sung(115))
    assert judging.asked["transcriber"] == len(pieces) == 4
    assert found.value("cer") == 0.0


def test_a_sound_without_pauses_is_cut_all_the_same() -> None:
    hum = sung(110, 30.0)
    pieces = cut_at_pauses(hum)
    assert sum(piece.length_samples for piece in pieces) == hum.length_samples
    assert [p.length_samples for p in cut_at_pauses(sung(110, 3.0))] == [3 * 16_000]


def test_the_page_needs_no_source(tmp_path: Path) -> None:
    found, output = card("the same words are said again"), sung(110)
    page = card_page(found, output=output, source=None, reference=None)
    assert "text to speech" in page
    assert "Spectrogram of the output" in page
    assert "Spectrogram of the source" not in page
    assert NO_MELODY in page
    assert "in the text alone" in page
    path = write_card(found, tmp_path, "d", output=output, source=None, reference=output)
    assert path.stat().st_size < 3_000_000
    assert found.to_json()["kind"] == "text"
