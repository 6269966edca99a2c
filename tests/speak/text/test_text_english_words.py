"""English words become Kokoro's phonemes."""

from __future__ import annotations

import numpy as np
import pytest

from autovoice.errors import WeightsError
from autovoice.speak.text.alphabet import checked
from autovoice.speak.text.english import inflection, spelling
from autovoice.speak.text.english.dictionary import Dictionary
from autovoice.speak.text.english.grammar import Context, part_of_speech
from autovoice.speak.text.english.reader import EnglishReader

FIGURES = np.random.default_rng(3)


def spoken(reader: EnglishReader, text: str) -> str:
    return checked(reader.phonemes(reader.words(text)) or "", text)


@pytest.mark.parametrize(
    ("text", "phonemes"),
    [
        ("The cat, the apple!", "ðə kˈæt, ði ˈæpᵊl!"),
        ("To eat, to go.", "tʊ ˈit, tə ɡˌO."),
        ("We go to.", "wi ɡˌO tu."),
        ("Water.", "wˈɔTəɹ."),
        ("cats dogs boxes", "kˈæts dˈɔɡz bˈɑksᵻz"),
        ("dancing painted", "dˈænsɪŋ pˈAntᵻd"),
        ("The dog's box", "ðə dˈɔɡz bˈɑks"),
        ("snowboard", "snˈObˌɔɹd"),
        ("friendly unfriendly friendless", "fɹˈɛndli ˌʌnfɹˈɛndli fɹˈɛndləs"),
        ("well-known", "wˈɛl nˈOn"),
        ("café", "kæfˈA"),
        ("It'll", "ɪtəl"),
        ("We could go. We could.", "wi kʊd ɡˌO. wi kˈʊd."),
        ("“Hello,” (world)", "“həlˈO,” (wˈɜɹld)"),
        ("5 cats", "fˈIv kˈæts"),
    ],
)
def test_words(reader: EnglishReader, text: str, phonemes: str) -> None:
    assert spoken(reader, text) == phonemes


@pytest.mark.parametrize(
    ("text", "phonemes"),
    [
        ("NASA told us.", "nˈæsə tˈOld ˌʌs."),
        ("The FBI told US cats.", "ði ˌɛfbˌiˈI tˈOld jˌuˈɛs kˈæts."),
        ("STOP THE CAT", "stˈɑp ðə kˈæt"),
        ("We go at 5 p.m. here", "wi ɡˌO æt fˈIv pˌiˈɛm hˈɪɹ"),
    ],
)
def test_capitals(reader: EnglishReader, text: str, phonemes: str) -> None:
    assert spoken(reader, text) == phonemes


def test_a_word_that_nothing_explains_is_guessed_or_unknown(dictionary: Dictionary) -> None:
    guessing = EnglishReader(dictionary, lambda word: f"b{len(word) * 'ə'}")
    assert guessing.word("zorblax") == "b" + 7 * "ə"
    assert EnglishReader(dictionary, None).word("zorblax") is None
    assert EnglishReader(dictionary, None).phonemes("the zorblax cat") is None


def test_the_lexicon_comes_first(dictionary: Dictionary) -> None:
    reader = EnglishReader(dictionary, None, {"Cat": "kˈɑt", "zorblax": "zˈɔɹ"})
    assert reader.phonemes("The cat, a ZORBLAX.") == "ðə kˈɑt, ɐ zˈɔɹ."


HETERONYMS = [
    ("I will read the book.", "read", "VERB"),
    ("She had read it.", "read", "VBD"),
    ("I read it yesterday.", "read", "VBD"),
    ("lead pipes are old", "lead", "METAL"),
    ("they lead the way", "lead", None),
    ("they live in paris", "live", "VERB"),
    ("a live concert", "live", "ADJ"),
    ("wind the clock", "wind", "VERB"),
    ("in the wind", "wind", "NOUN"),
    ("do not tear the paper", "tear", "VERB"),
    ("a tear ran down", "tear", None),
    ("we will record a song", "record", "VERB"),
    ("they broke the record", "record", "NOUN"),
    ("close the door", "close", "VERB"),
    ("we stood close to it", "close", "ADJ"),
    ("he found a use for it", "use", "NOUN"),
    ("you can use it", "use", "VERB"),
    ("he wound the string", "wound", "VBD"),
    ("the wound healed", "wound", None),
    ("she was content", "content", None),
    ("the content of it", "content", "NOUN"),
    ("he plays the bass guitar", "bass", "ADJ"),
    ("they caught a bass in the lake", "bass", None),
    ("she dove into the water", "dove", "VERB"),
    ("i used to sing", "used", "VBD"),
    ("a minute amount of dust", "minute", "ADJ"),
    ("farmers produce milk", "produce", "VERB"),
    ("the ship took a bow", "bow", "VERB"),
    ("my resume is short", "resume", "NOUN"),
    ("nine lives", "lives", None),
    ("he lives here", "lives", "VERB"),
]


@pytest.mark.parametrize(("text", "word", "part"), HETERONYMS)
def test_heteronyms(text: str, word: str, part: str | None) -> None:
    words = text.lower().rstrip(".").split()
    assert part_of_speech(Context(words, words.index(word), word)) == part


def test_polish_people_and_polish_shoes() -> None:
    assert part_of_speech(Context(["the", "polish", "king"], 1, "Polish")) == "PEOPLE"
    assert part_of_speech(Context(["polish", "the", "shoes"], 0, "Polish")) is None


@pytest.mark.parametrize(
    ("word", "sound"),
    [("kitties", "kˈɪTiz"), ("hopped", "hˈɑpt"), ("hopping", "hˈɑpɪŋ"), ("hoping", "hˈOpɪŋ")],
)
def test_stems_are_found_behind_their_endings(word: str, sound: str) -> None:
    known = {"kitty": "kˈɪTi", "hop": "hˈɑp", "hope": "hˈOp"}
    assert inflection.inflected(word, known.get) == sound


def test_short_parts_make_no_compounds() -> None:
    known = {"hun": "hˈʌn", "nell": "nˈɛl", "snow": "snˈO", "board": "bˈɔɹd"}
    assert inflection.compound("hunnell", known.get) is None
    assert inflection.compound("snowboard", known.get) == "snˈObˌɔɹd"


def network(names: int = 74) -> dict[str, spelling.Floats]:
    shapes = {"enc_emb": (29, 8), "dec_emb": (names, 8), "fc_w": (names, 8), "fc_b": (names,)}
    for part in ("enc", "dec"):
        for side in ("ih", "hh"):
            shapes[f"{part}_w_{side}"] = (24, 8)
            shapes[f"{part}_b_{side}"] = (24,)
    return {name: FIGURES.standard_normal(shape) for name, shape in shapes.items()}


def test_the_network_stops_and_speaks_only_phonemes() -> None:
    speller = spelling.Speller(network())
    for word in ("abc", "Zorblax", "a" * 300, "naïve"):
        said = speller(word)
        assert len(said) <= 60 * (1 + len(word) // 20)
        if said:
            checked(said + "ə", word)
    assert speller("123") == ""


def test_another_network_is_refused() -> None:
    with pytest.raises(WeightsError, match="found 70 sounds, expected 74"):
        spelling.Speller(network(70))
