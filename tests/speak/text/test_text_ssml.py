"""The SSML that is understood, and how the rest is refused."""

from __future__ import annotations

import random

import pytest

from autovoice.errors import InputError
from autovoice.speak.text import utterances
from autovoice.speak.utterance import Utterance

pytestmark = pytest.mark.usefixtures("small_english")


def said(inner: str) -> list[Utterance]:
    return list(utterances(f"<speak>{inner}</speak>"))


def test_breaks_pause_after_what_stands_before() -> None:
    first, second, third = said(
        'hello <break time="500ms"/> world. <break time="1.5s"/><break strength="weak"/> cat'
    )
    assert (first.phonemes, first.pause_s) == ("həlˈO", 0.5)
    assert (second.phonemes, second.pause_s) == ("wˈɜɹld.", pytest.approx(1.7))
    assert third.phonemes == "kˈæt"


def test_a_break_of_no_strength_joins() -> None:
    first, _ = said('hello, <break strength="none"/>world')
    assert first.pause_s == 0.0


def test_a_break_before_all_words_is_told(caplog: pytest.LogCaptureFixture) -> None:
    assert len(said('<break time="1s"/>hello')) == 1
    assert "a break before the first word is left out" in caplog.text


def test_prosody_nests() -> None:
    outer, inner, after = said(
        '<prosody rate="80%" pitch="+2st">hello <prosody rate="+25%" pitch="-10%">world'
        "</prosody></prosody> cat"
    )
    assert (outer.speed, outer.semitones) == (0.8, 2.0)
    assert inner.speed == pytest.approx(1.0)
    assert inner.semitones == pytest.approx(2 - 1.824, abs=1e-3)
    assert (after.speed, after.semitones, after.phonemes) == (1.0, 0.0, "kˈæt")
    assert outer.pause_s == 0.0


def test_phonemes_and_aliases() -> None:
    (only,) = said(
        '<phoneme ph="təˈmeɪtoʊ">tomato</phoneme> and '
        '<phoneme alphabet="kokoro" ph="kˈæt">x</phoneme> <sub alias="world">W</sub>'
    )
    assert only.phonemes == "təmˈAtO ænd kˈæt wˈɜɹld"
    assert only.text == "tomato and x world"


def test_say_as() -> None:
    (only,) = said('<say-as interpret-as="characters">FBI</say-as> cat')
    assert only.phonemes == "ˈɛf, bˈi, ˈI kˈæt"
    assert only.text == "FBI cat"


def test_paragraphs_and_sentences() -> None:
    found = said("<p><s>hello</s><s>world</s></p><p>cat</p>")
    assert [u.phonemes for u in found] == ["həlˈO", "wˈɜɹld", "kˈæt"]
    assert found[1].pause_s > found[0].pause_s


@pytest.mark.parametrize("seed", range(10))
def test_markup_may_come_in_any_pieces(seed: int) -> None:
    text = (
        '<?xml version="1.0"?><speak>hello <break time="1s"/> &amp; <prosody rate="slow">world'
        "</prosody> <s>cat. dog.</s></speak>"
    )
    rng, parts, place = random.Random(seed), [], 0
    while place < len(text):
        step = rng.randint(1, 9)
        parts.append(text[place : place + step])
        place += step
    assert list(utterances(parts, ssml=True)) == list(utterances(text))


def test_ssml_can_be_switched_off() -> None:
    (only,) = utterances("<speak>hello</speak>", ssml=False)
    assert only.text == "<speak>hello</speak>"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<speak>a & b</speak>", r"line 1, column 11: found not well-formed .*&amp;"),
        ("<speak>\nhello", "line 2, column 6: found no element found"),
        ("<speak>hello</speak> world", "found junk after document element"),
        ("<speak><audio/></speak>", "column 8: found <audio>, expected one of <speak>"),
        ("<speak><speak/></speak>", "expected one <speak> around all"),
        ('<speak><break time="1min"/></speak>', "found the break '1min', expected a time"),
        ('<speak><break time="60s"/></speak>', "at most 10 s"),
        ('<speak><break strength="huge"/></speak>', "found the strength 'huge'"),
        ('<speak><prosody rate="quick">a</prosody></speak>', "found the rate 'quick'"),
        ('<speak><prosody rate="4">a</prosody></speak>', "rate of 4, expected 0.5 to 2"),
        ('<speak><prosody pitch="+20Hz">a</prosody></speak>', r"found the pitch '\+20Hz'"),
        ('<speak><prosody pitch="+13st">a</prosody></speak>', "at most 12 altogether"),
        ('<speak><prosody volume="loud">a</prosody></speak>', "attribute 'volume' of <prosody>"),
        ('<speak><phoneme ph="k€t">a</phoneme></speak>', "unknown phoneme '€'"),
        ('<speak><phoneme alphabet="x-sampa" ph="k">a</phoneme></speak>', "expected 'ipa' or"),
        ("<speak><phoneme>a</phoneme></speak>", "expected at least one phoneme"),
        ('<speak><say-as interpret-as="colour">a</say-as></speak>', "interpret-as='colour'"),
        ('<speak><say-as interpret-as="cardinal">a</say-as></speak>', "found 'a', expected a card"),
        ('<speak><phoneme ph="k"><s>a</s></phoneme></speak>', "found <s> inside of <phoneme>"),
        ("<speak></speak>", "found nothing that can be said"),
        ("<speak>" + "<p>" * 100, "nested deeper than 64"),
        ("<!DOCTYPE speak><speak>a</speak>", r"found a document type \(speak\)"),
    ],
)
def test_bad_markup_is_told_with_its_place(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        list(utterances(text))


def test_entities_are_neither_expanded_nor_fetched() -> None:
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    bomb = f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY l0 "ha">{laughs}]><speak>&l9;</speak>'
    outside = '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><speak>&e;</speak>'
    for text in (bomb, outside):
        with pytest.raises(InputError, match="found a document type"):
            list(utterances(text))


def test_private_characters_cannot_be_smuggled_in() -> None:
    (only,) = said("hello&#xF0000;&#xE000; world")
    assert only.phonemes == "həlˈO wˈɜɹld"
