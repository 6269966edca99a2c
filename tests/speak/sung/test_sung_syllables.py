from __future__ import annotations

import pytest

from autovoice.speak.sung.syllables import fitted, syllables, with_mute_e


def shown(phonemes: str, language: str = "en-us") -> str:
    return ".".join(s.onset + s.nucleus + s.coda for s in syllables(phonemes, language))


@pytest.mark.parametrize(
    ("phonemes", "language", "wanted"),
    [
        ("əmˈAzɪŋ", "en-us", "ə.mˈA.zɪŋ"),
        ("twˈɪŋkᵊl", "en-us", "twˈɪŋ.kᵊl"),
        ("wˈʌndəɹ", "en-us", "wˈʌn.dəɹ"),
        ("ˈɛkstɹə", "en-us", "ˈɛk.stɹə"),
        ("bˈɑksɪŋ", "en-us", "bˈɑk.sɪŋ"),
        ("sˈɪŋɪŋ", "en-us", "sˈɪŋ.ɪŋ"),
        ("ˈætləs", "en-us", "ˈæt.ləs"),
        ("dˈIəmənd", "en-us", "dˈI.ə.mənd"),
        ("stɹˈɛŋθs", "en-us", "stɹˈɛŋθs"),
        ("ˌAnʤᵊl", "en-us", "ˌAn.ʤᵊl"),
        ("paɾtˈio", "es", "paɾ.tˈi.o"),
        ("estɾˈeʝa", "es", "es.tɾˈe.ʝa"),
        ("θjˈelo", "es", "θjˈe.lo"),
        ("lˈuʧːika", "it", "lˈu.ʧːi.ka"),
        ("ɑ̃fˈɑ̃", "fr", "ɑ̃.fˈɑ̃"),
        ("koɾasˈɐ̃ʊ̃", "pt-br", "ko.ɾa.sˈɐ̃ʊ̃"),
        ("ʃ", "en-us", "ʃ"),
    ],
)
def test_words_are_cut_into_syllables(phonemes: str, language: str, wanted: str) -> None:
    assert shown(phonemes, language) == wanted


def test_nothing_has_no_syllables() -> None:
    assert syllables("") == []


def test_the_stressed_vowel_keeps_the_note() -> None:
    (one,) = fitted(syllables("hˈɛvᵊn"), 1)
    assert (one.onset, one.nucleus, one.coda) == ("h", "ˈɛ", "vᵊn")
    (one,) = fitted(syllables("əbˈʌv"), 1)
    assert (one.onset, one.nucleus, one.coda) == ("əb", "ˈʌ", "v")
    first, last = fitted(syllables("ˈɛvəɹi"), 2)
    assert (first.nucleus, first.coda, last.nucleus) == ("ˈɛ", "və", "i")
    assert fitted(syllables("ˈɛvəɹi"), 5) == syllables("ˈɛvəɹi")


def test_a_french_silent_e_is_sung() -> None:
    found = with_mute_e(syllables("fʁˈɛʁ", "fr"), "re")
    assert [s.onset + s.nucleus + s.coda for s in found] == ["fʁˈɛ", "ʁə"]
    assert with_mute_e(syllables("bˈɔ̃", "fr"), "bon") == syllables("bˈɔ̃", "fr")
