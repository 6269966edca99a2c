from __future__ import annotations

from sung_lines import line

from autovoice.speak.sung.phrases import phrases
from autovoice.speak.sung.tokens import Token, tokens


def roles(said: str, *notes: tuple[float, float, float, str]) -> list[tuple[str, str]]:
    (phrase,) = phrases(line(*notes), language="it", lexicon={"x": said}).phrases
    return [(token.symbol, token.role) for token in tokens(phrase)]


def test_vowels_are_held_and_their_signs_follow() -> None:
    assert roles("sˈan", (0, 1, 60, "x")) == [
        ("s", "onset"), ("ˈ", "mark"), ("a", "vowel"), ("n", "coda"),
    ]  # fmt: skip
    assert roles("bˈɔ̃", (0, 1, 60, "x"))[2:] == [("ɔ", "vowel"), ("̃", "sign")]


def test_the_beginning_of_a_diphthong_is_held() -> None:
    assert roles("nˈIt", (0, 1, 60, "x")) == [
        ("n", "onset"), ("ˈ", "vowel"), ("I", "sign"), ("t", "coda"),
    ]  # fmt: skip
    assert roles("nIt", (0, 1, 60, "x"))[1] == ("I", "vowel")


def test_words_are_parted_and_rests_filled() -> None:
    found = roles("la", (0, 1, 60, "x,"), (1.2, 2, 60, "x!"))
    assert found[2:4] == [(",", "rest"), (" ", "mark")]
    assert found[-1] == ("!", "mark")


def test_what_has_a_voice() -> None:
    assert [Token(s, "onset", 0).voiced for s in "sbhm"] == [False, True, False, True]
    assert not Token(",", "rest", 0).voiced
    assert Token("ˈ", "vowel", 0).voiced
    assert not Token("ˈ", "mark", 0).voiced
