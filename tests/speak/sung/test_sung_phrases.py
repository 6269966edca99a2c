from __future__ import annotations

import pytest
from sung_lines import line

from autovoice.errors import InputError
from autovoice.speak.score import Score
from autovoice.speak.sung.phrases import Phrase, phrases


def sung(score: Score, **options: object) -> tuple[Phrase, ...]:
    return phrases(score, **{"language": "it", **options}).phrases  # type: ignore[arg-type]


def shown(phrase: Phrase) -> list[tuple[str, int]]:
    return [(s.sounds.onset + s.sounds.nucleus + s.sounds.coda, len(s.notes)) for s in phrase.sung]


def test_syllables_make_words_and_keep_their_notes() -> None:
    score = line((0, 1, 60, "san-"), (1, 2, 62, "-ta"), (2, 3, 64, "lu-"), (3, 4, 65, "-na"))
    (phrase,) = sung(score)
    assert phrase.text == "santa luna"
    assert shown(phrase) == [("sˈan", 1), ("ta", 1), ("lˈu", 1), ("na", 1)]
    assert [s.begins for s in phrase.sung] == [True, False, True, False]


def test_notes_without_a_syllable_hold_the_vowel() -> None:
    (phrase,) = sung(line((0, 1, 60, "lu-"), (1, 2, 62, ""), (2, 3, 64, ""), (3, 4, 65, "-na")))
    assert shown(phrase) == [("lˈu", 3), ("na", 1)]


def test_after_a_rest_the_vowel_begins_anew() -> None:
    (phrase,) = sung(line((0, 1, 60, "mar"), (1.2, 2, 62, "")))
    assert shown(phrase) == [("mˈa", 1), ("ˈar", 1)]


def test_what_the_score_lacks_or_has_too_much_of() -> None:
    (more,) = sung(line((0, 1, 60, "pi-"), (1, 2, 62, "-ù"), (2, 3, 64, "")))
    assert shown(more) == [("pjˈu", 3)]
    (less,) = sung(line((0, 1, 60, "luna")))
    assert shown(less) == [("lˈuna", 1)]


def test_an_elision_shares_its_note() -> None:
    (phrase,) = sung(line((0, 1, 60, "che+il"), (1, 2, 62, "mar")))
    assert [(s.start_s, s.end_s) for s in phrase.sung] == [(0, 0.5), (0.5, 1), (1, 2)]


def test_long_rests_part_phrases_and_small_gaps_close() -> None:
    found = sung(line((0, 0.95, 60, "la"), (1, 2, 62, "la"), (2.6, 3, 64, "la")))
    assert [len(phrase.sung) for phrase in found] == [2, 1]
    assert found[0].sung[0].end_s == 1.0


def test_a_breath_is_taken_at_punctuation_and_in_time() -> None:
    notes = [(k, k + 1.0, 60.0, "la," if k == 5 else "la") for k in range(8)]
    found = phrases(line(*notes), language="it")
    assert [len(phrase.sung) for phrase in found.phrases] == [6, 2]
    assert found.phrases[0].end_s == pytest.approx(6 - 0.14)
    assert any("1 breaths" in remark for remark in found.remarks)
    endless = phrases(line(*[(k, k + 1.0, 60.0, "la") for k in range(100)]), language="it")
    assert max(p.end_s - p.start_s for p in endless.phrases) <= 18.0
    assert sum(len(p.sung) for p in endless.phrases) == 100


def test_a_note_of_20_s_stays_whole() -> None:
    (phrase,) = sung(line((0, 20, 60, "la")))
    assert (phrase.start_s, phrase.end_s) == (0, 20)


def test_without_words_it_is_la() -> None:
    found = phrases(line((0, 1, 60, ""), (1, 2, 62, "")), language="it")
    assert found.phrases[0].text == "la la"
    assert any("no words" in remark for remark in found.remarks)


def test_own_words_take_as_many_notes_as_they_have_syllables() -> None:
    score = line(*[(k, k + 1.0, 60.0, "") for k in range(6)])
    found = phrases(score, language="it", text="luna_ san-ta")
    (phrase,) = found.phrases
    assert shown(phrase) == [("lˈu", 1), ("na", 2), ("sˈan", 1), ("ta", 1), ("la", 1)]
    assert any("1 notes have no words" in remark for remark in found.remarks)
    long = phrases(score, language="it", text="la " * 1_000)
    assert any("994 words have no notes" in remark for remark in long.remarks)


def test_a_megabyte_of_words_is_read_in_time() -> None:
    score = line(*[(k / 4, k / 4 + 0.25, 60.0, "") for k in range(400)])
    found = phrases(score, language="it", text="luna " * 200_000)
    assert any("199800 words" in remark for remark in found.remarks)


def test_own_pronunciations_come_first() -> None:
    score = line((0, 1, 60, "luna"))
    assert shown(sung(score, lexicon={"luna": "bˈo"})[0]) == [("bˈo", 1)]


def test_punctuation_stays_with_its_word() -> None:
    (phrase,) = sung(line((0, 1, 60, "«lu-"), (1, 2, 62, "-na»!"), (2, 3, 60, "mar")))
    assert [s.stop for s in phrase.sung] == ["", "!", ""]
    assert phrase.text == "«luna»! mar"


def test_words_that_cannot_be_read_are_told() -> None:
    with pytest.raises(InputError, match=r"'月'.*--lang"):
        sung(line((0, 1, 60, "月")))
    with pytest.raises(InputError, match="language: found 'tlh'"):
        sung(line((0, 1, 60, "a")), language="tlh")
