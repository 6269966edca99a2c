"""From the notes of a score to phrases: phonemes on notes, cut where the singer breathes."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from autovoice.errors import InputError
from autovoice.speak.score.records import Note, Score
from autovoice.speak.score.records import Syllable as Written
from autovoice.speak.sung.syllables import Syllable, fitted, syllables, with_mute_e
from autovoice.speak.text.alphabet import PUNCTUATION
from autovoice.speak.text.lexicon import validated
from autovoice.speak.text.reader import Reader
from autovoice.speak.text.readers import checked_language, reader_of

# What is shorter is no rest: notes of a keyboard end early.
CLOSED_S = 0.06
# A rest this long ends a phrase; in one of 5 s every rest does.
PHRASE_REST_S = 0.35
LONG_PHRASE_S, LONGEST_PHRASE_S = 5.0, 18.0
MOST_PHONEMES = 300
BREATH_S, BREATH_AFTER_S = 0.14, 3.0
VOCALISE = "la"


@dataclass(frozen=True)
class Sung:
    """A syllable and the notes that its vowel is held over, which follow without a rest.

    Args:
        sounds: its phonemes.
        notes: one or more.
        begins: a word begins with it.
        stop: punctuation after it, may be empty.
    """

    sounds: Syllable
    notes: tuple[Note, ...]
    begins: bool = True
    stop: str = ""

    @property
    def start_s(self) -> float:
        """Where its vowel begins."""
        return self.notes[0].start_s

    @property
    def end_s(self) -> float:
        """Where its last note ends."""
        return self.notes[-1].end_s


@dataclass(frozen=True)
class Phrase:
    """What is sung in one breath.

    Args:
        text: its words.
        sung: its syllables, in order; rests between them are short.
    """

    text: str
    sung: tuple[Sung, ...]

    @property
    def start_s(self) -> float:
        """Where its first vowel begins."""
        return self.sung[0].start_s

    @property
    def end_s(self) -> float:
        """Where its last note ends."""
        return self.sung[-1].end_s


@dataclass
class _Word:
    """A word of the score: its syllables, each with its notes."""

    syllables: list[str] = field(default_factory=list)
    notes: list[list[Note]] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(self.syllables)


@dataclass(frozen=True)
class Lyrics:
    """The phrases of a score, and what is told of them.

    Args:
        phrases: in the order of time.
        remarks: in words.
    """

    phrases: tuple[Phrase, ...]
    remarks: tuple[str, ...] = ()


def phrases(
    score: Score,
    *,
    language: str = "en-us",
    text: str | None = None,
    lexicon: Mapping[str, str] | None = None,
) -> Lyrics:
    """Put the words of a score into phonemes, syllable by syllable on its notes.

    Args:
        score: the line.
        language: of the words. Default "en-us".
        text: words in the place of those of the score; hyphens part syllables, ``_`` holds one for
            another note. A word without hyphens takes as many notes as it has syllables.
        lexicon: own pronunciations. Default none.

    Raises:
        InputError: the language is unknown, or it reads nothing of the words.
    """
    code = checked_language(language)
    reader = reader_of(code, validated(lexicon, "lexicon") if lexicon else {})
    remarks: list[str] = []
    notes = _split_elisions(score.notes)
    if text is not None:
        words = _from_text(text, notes, reader, code, remarks)
    elif score.has_words:
        words = _from_score(notes)
    else:
        remarks.append(f"the score has no words: every note is sung to {VOCALISE!r}")
        words = [_Word([VOCALISE], [[note]]) for note in notes]
    said = [_said(word, sounds, code) for word, sounds in _sounds(words, reader)]
    line = _breathing([sung for word in said for sung in word], remarks)
    return Lyrics(tuple(_cut(line, words)), tuple(remarks))


def _split_elisions(notes: Iterable[Note]) -> list[Note]:
    """Give each of several syllables under one note its share of it."""
    split: list[Note] = []
    for note in notes:
        if len(note.syllables) < 2:
            split.append(note)
            continue
        each = note.seconds / len(note.syllables)
        for place, syllable in enumerate(note.syllables):
            begin = note.start_s + place * each
            split.append(Note(begin, begin + each, note.key, (syllable,)))
    return split


def _from_score(notes: Sequence[Note]) -> list[_Word]:
    words: list[_Word] = []
    open_word = False
    for note in notes:
        if not note.syllables:
            if not words:
                words.append(_Word([VOCALISE], [[note]]))
            else:
                words[-1].notes[-1].append(note)
            continue
        syllable: Written = note.syllables[0]
        if syllable.begins or not open_word:
            words.append(_Word())
        words[-1].syllables.append(syllable.text)
        words[-1].notes.append([note])
        open_word = not syllable.ends
    return words


def _from_text(
    text: str, notes: Sequence[Note], reader: Reader, language: str, remarks: list[str]
) -> list[_Word]:
    """Lay words under the notes, a syllable each."""
    left = list(notes)
    words: list[_Word] = []
    tokens = text.split()
    for place, token in enumerate(tokens):
        if not left:
            remarks.append(f"{len(tokens) - place} words have no notes and are left out")
            break
        if not token.strip("_") and words:
            words[-1].notes[-1] += [left.pop(0) for _ in token[: len(left)]]
            continue
        parts = [part for part in token.strip("_").split("-") if _letters(part)]
        if not parts:
            continue
        count = len(parts)
        if count == 1:
            count = max(1, len(syllables(_phonemes(parts[0], reader), language)))
            parts += [""] * (count - 1)
        word = _Word(parts[: len(left)], [])
        word.notes = [[left.pop(0)] for _ in word.syllables]
        held = len(token) - len(token.rstrip("_"))
        word.notes[-1] += [left.pop(0) for _ in range(min(held, len(left)))]
        words.append(word)
    if left:
        remarks.append(f"{len(left)} notes have no words and are sung to {VOCALISE!r}")
        words += [_Word([VOCALISE], [[note]]) for note in left]
    return words


def _letters(text: str) -> str:
    """Return what of a syllable is read: letters, digits, marks and apostrophes inside."""
    kept = "".join(c for c in text if unicodedata.category(c)[0] in "LMN" or c in "'’-")
    return kept.strip("-") if any(c.isalnum() for c in kept) else ""


def _stop(text: str) -> str:
    found = re.search(r"[;:,.!?…]+[^\w]*$", text)
    return found[0][0] if found and found[0][0] in PUNCTUATION else ""


def _phonemes(text: str, reader: Reader) -> str:
    """Return the sounds of a text without spaces and punctuation."""
    said = reader.phonemes(reader.words(_letters(text))) or ""
    return _only_sounds(said)


def _only_sounds(said: str) -> str:
    return "".join(c for c in said if c.isalpha() or c in "ˈˌː̃")


def _sounds(words: Sequence[_Word], reader: Reader) -> Iterator[tuple[_Word, str]]:
    """Yield each word with its phonemes, read in its line, where words can be told apart."""
    for begin in range(0, len(words), 12):
        some = words[begin : begin + 12]
        texts = [_letters(word.text) for word in some]
        whole = reader.phonemes(reader.words(" ".join(filter(None, texts)))) or ""
        parts = [sounds for part in whole.split() if (sounds := _only_sounds(part))]
        if len(parts) != len(some):
            parts = [_phonemes(text, reader) for text in texts]
        yield from zip(some, parts, strict=True)


def _said(word: _Word, sounds: str, language: str) -> list[Sung]:
    """Return the syllables of a word on their notes."""
    found = syllables(sounds, language)
    if not found:
        raise InputError(
            f"lyrics: found {word.text!r}, of which {language!r} reads nothing; pass the language "
            "of the words (--lang)"
        )
    if language == "fr" and len(found) < len(word.syllables):
        found = with_mute_e(found, _letters(word.syllables[-1]))
    found = fitted(found, len(word.notes))
    notes = word.notes[: len(found)]
    for more in word.notes[len(found) :]:
        notes[-1] = notes[-1] + more
    said: list[Sung] = []
    for each, held in zip(found, notes, strict=True):
        said += _held(each, held, begins=not said)
    said[-1] = replace(said[-1], stop=_stop(word.text))
    return said


def _held(sounds: Syllable, notes: Sequence[Note], *, begins: bool) -> list[Sung]:
    """Hold a syllable over notes; after a rest inside of it the vowel begins anew."""
    runs: list[list[Note]] = [[notes[0]]]
    for note in notes[1:]:
        if note.start_s - runs[-1][-1].end_s > CLOSED_S:
            runs.append([])
        runs[-1].append(note)
    if len(runs) == 1:
        return [Sung(sounds, tuple(notes), begins)]
    vowel = Syllable("", sounds.nucleus)
    parts = [replace(sounds, coda=""), *[vowel] * (len(runs) - 2), replace(vowel, coda=sounds.coda)]
    return [
        Sung(part, tuple(run), begins and not place)
        for place, (part, run) in enumerate(zip(parts, runs, strict=True))
    ]


def _breathing(line: Sequence[Sung], remarks: list[str]) -> list[Sung]:
    """Close gaps that are no rests, and breathe where a singer would.

    A breath is taken out of the note before it: at the punctuation after at least 3 s of singing,
    and before a word where 18 s would pass without one.
    """
    closed: list[Sung] = []
    since_s, breaths = line[0].start_s, 0
    for place, sung in enumerate(line):
        following = line[place + 1] if place + 1 < len(line) else None
        notes = [replace(a, end_s=b.start_s) for a, b in pairwise(sung.notes)] + [sung.notes[-1]]
        last = notes[-1]
        if following is not None:
            gap_s = following.start_s - last.end_s
            if gap_s <= CLOSED_S:
                last = replace(last, end_s=following.start_s)
            if gap_s >= BREATH_S:
                since_s = following.start_s
            elif following.begins and _breathes(sung, following, since_s):
                end_s = following.start_s - min(BREATH_S, 0.3 * last.seconds)
                last = replace(last, end_s=min(last.end_s, end_s))
                since_s, breaths = following.start_s, breaths + 1
        closed.append(replace(sung, notes=(*notes[:-1], last)))
    if breaths:
        remarks.append(f"{breaths} breaths are taken where no rest is written")
    return closed


def _breathes(sung: Sung, following: Sung, since_s: float) -> bool:
    if following.end_s - since_s > LONGEST_PHRASE_S:
        return True
    return bool(sung.stop) and sung.end_s - since_s >= BREATH_AFTER_S


def _cut(line: Sequence[Sung], words: Sequence[_Word]) -> Iterator[Phrase]:
    """Yield phrases: cut at long rests, and after 5 s at every breath."""
    texts = iter(word.text for word in words)
    begin, text, sounds = 0, list[str](), 0
    for place, sung in enumerate(line):
        if sung.begins:
            text.append(next(texts))
        sounds += len(sung.sounds.onset + sung.sounds.nucleus + sung.sounds.coda) + 2
        last = place + 1 == len(line)
        rest_s = math.inf if last else line[place + 1].start_s - sung.end_s
        long = sung.end_s - line[begin].start_s > LONG_PHRASE_S
        if rest_s >= PHRASE_REST_S or (long and rest_s > CLOSED_S) or sounds > MOST_PHONEMES:
            yield Phrase(" ".join(text), tuple(line[begin : place + 1]))
            begin, text, sounds = place + 1, [], 0
