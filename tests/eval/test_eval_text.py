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
from autovoice.eval.spoken import NO_MELODY, NO_SOURCE, whisper_language


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
