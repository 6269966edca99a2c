"""English sentences to Kokoro's phonemes."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping

from autovoice.speak.text.alphabet import PUNCTUATION, VOWELS
from autovoice.speak.text.english.dictionary import Dictionary
from autovoice.speak.text.english.grammar import EXTRA, EXTRA_WORDS, Context, part_of_speech
from autovoice.speak.text.english.inflection import compound, derived, inflected
from autovoice.speak.text.english.normalise import normalise
from autovoice.speak.text.english.rules import LETTER
from autovoice.speak.text.english.say_as import say_as
from autovoice.speak.text.marks import MARKS

_TOKEN = re.compile(
    rf"(?P<mark>[{MARKS}])|(?P<letters>(?:[A-Za-z]{LETTER})+)"
    r"|(?P<word>'?[^\W\d_]+(?:['-][^\W\d_]+)*'?)|(?P<stop>[;:,.!?—…\"()])"
)
_WEAK = {"a": "ɐ", "an": "ɐn", "i": "ˌI", "i'm": "ˌIm", "i'll": "ˌIl", "i've": "ˌIv", "i'd": "ˌId"}
_CLIPPED = {"'em": "əm", "'tis": "tɪz", "'twas": "twʌz", "'cause": "kʌz", "'n'": "ən", "'n": "ən"}
_CONTRACTED = {"'ll": "əl", "'ve": "əv", "'d": "d", "'re": "əɹ", "n't": "ᵊnt", "'m": "m"}
_OPENERS = "(“"
_FOLDED = str.maketrans({
    "ß": "ss", "ẞ": "SS", "ø": "o", "Ø": "O", "æ": "ae", "Æ": "Ae", "œ": "oe", "Œ": "Oe",
    "ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "þ": "th", "Þ": "Th", "ð": "th", "Ð": "Th", "ı": "i",
    "ŋ": "ng", "ħ": "h", "ə": "e",
})  # fmt: skip


class EnglishReader:
    """Read English aloud, in phonemes.

    Args:
        dictionary: of known words.
        spell: guesses a word that nothing else explains; None makes such a word unknown.
        lexicon: the user's own pronunciations, before all others; keys in any capitals.
    """

    scripts = frozenset({"LATIN", "MODIFIER", "FEMININE", "MASCULINE"})
    english = True

    def __init__(
        self,
        dictionary: Dictionary,
        spell: Callable[[str], str] | None,
        lexicon: Mapping[str, str] | None = None,
    ) -> None:
        self._dictionary = dictionary
        self._spell = spell
        self._lexicon = {word.lower(): said for word, said in (lexicon or {}).items()}
        self._guessed: dict[str, str | None] = {}

    def words(self, text: str) -> str:
        """Return what is said as words and punctuation."""
        return normalise(text)

    def say_as(self, kind: str, text: str, layout: str) -> str:
        """Return text as words, the way that SSML's ``interpret-as`` names."""
        return say_as(kind, text, layout)

    def phonemes(self, text: str, marked: Mapping[str, str] | None = None) -> str | None:
        """Return the phonemes of normalised text; None when a word is unknown.

        Args:
            text: from :meth:`words`.
            marked: what each private mark in the text is said as.
        """
        tokens = [(match.lastgroup or "", match[0]) for match in _TOKEN.finditer(text)]
        words = [written.lower() for _, written in tokens]
        shouted = not any(kind == "word" and not word.isupper() for kind, word in tokens)
        said: list[str] = []
        following = ""
        # From the end, since "the" and "to" depend on the sound that follows.
        for place in range(len(tokens) - 1, -1, -1):
            kind, written = tokens[place]
            if kind == "stop":
                said.append(written)
                following = "" if written not in '"()' else following
                continue
            sound = self._sound(
                kind, Context(words, place, written), marked or {}, following=following,
                shouted=shouted,
            )  # fmt: skip
            if sound is None and self._spell is None:
                return None
            if not sound:
                continue
            said.append(sound)
            following = sound.lstrip("ˈˌ")[:1]
        return _joined(said[::-1])

    def _sound(
        self,
        kind: str,
        context: Context,
        marked: Mapping[str, str],
        *,
        following: str,
        shouted: bool,
    ) -> str | None:
        written = context.written
        if kind == "mark":
            return marked.get(written, "")
        if kind == "letters":
            return self._letters(written.replace(LETTER, ""))
        clipped = written.lower() in _CLIPPED
        word = written if clipped else written.strip("'") + _possessive(written)
        return self.word(word, context=context, following=following, shouted=shouted)

    def word(
        self,
        word: str,
        *,
        context: Context | None = None,
        following: str = "",
        shouted: bool = False,
    ) -> str | None:
        """Return one word's phonemes, or None when it is unknown.

        Args:
            word: with its capitals.
            context: the sentence, for words that sound differently by their use.
            following: the next sound; empty at a pause.
            shouted: the whole sentence is in capitals, so capitals mean nothing.
        """
        lower = word.lower()
        if lower in self._lexicon:
            return self._lexicon[lower]
        weak = _weak(lower, following)
        if weak and not (word == "A" and context and context.place and not shouted):
            return weak
        if len(word) > 1 and word.isupper() and word.isalpha():
            capitals = self._capitals(word, shouted)
            if capitals:
                return capitals
        part = None
        if context and (self._dictionary.varies(word) or lower in EXTRA_WORDS):
            part = part_of_speech(context)
        part = "NOUN" if lower in {"résumé", "resumé"} else part
        if (lower, part or "") in EXTRA:
            return EXTRA[lower, part or ""]
        return self._dictionary.look_up(word, part) or self._unlisted(word)

    def _capitals(self, word: str, shouted: bool) -> str | None:
        """Decide whether capitals are a word (NASA) or letters (FBI)."""
        exact = self._dictionary.exact(word)
        if not shouted and self._dictionary.is_initialism(word):
            return self._letters(word)
        if exact or word in self._dictionary:
            return None
        known = self._known(word.lower())
        if known and (shouted or len(word) > 4):
            return known
        vowels = sum(letter in "AEIOUY" for letter in word)
        return self._letters(word) if len(word) <= 4 or vowels * 4 < len(word) else None

    def _letters(self, letters: str) -> str:
        """Say letters by their names, in one breath with the stress on the last."""
        names = [self._dictionary.exact(letter.upper()) or "" for letter in letters]
        weak = [name.replace("ˈ", "ˌ") for name in names[:-1]]
        return "".join([*weak, names[-1]])

    def _known(self, lower: str) -> str | None:
        return self._dictionary.look_up(lower) or inflected(lower, self._dictionary.look_up)

    def _unlisted(self, word: str) -> str | None:
        if word not in self._guessed:
            if len(self._guessed) > 20_000:
                self._guessed.clear()
            self._guessed[word] = self._explained(word)
        return self._guessed[word]

    def _explained(self, word: str) -> str | None:
        """Explain a word by its parts, by its folded accents or by its letters."""
        lower = word.lower()
        if "-" in lower:
            attached = derived(lower, self._known)
            if attached:
                return _one_stress(attached)
            parts = [self.word(part) or "" for part in word.split("-") if part]
            return " ".join(parts) if all(parts) else None
        found = inflected(lower, self._stem) or self._contracted(lower)
        found = found or derived(lower, self._stem) or compound(lower, self._dictionary.look_up)
        if found:
            return _one_stress(found)
        folded = unicodedata.normalize("NFKD", word.translate(_FOLDED))
        folded = "".join(c for c in folded if c.isascii())
        if folded and folded != word:
            return self.word(folded)
        if len(word) <= 5 and not re.search("[aeiouy]", lower) and lower.isascii():
            return self._letters(re.sub("[^A-Za-z]", "", word)) or None
        return (self._spell(word) or None) if self._spell and lower.strip("'") else None

    def _stem(self, stem: str) -> str | None:
        """Return the phonemes of the stem of an inflected word, guessed for names before 's."""
        return self._known(stem) or derived(stem, self._known)

    def _contracted(self, lower: str) -> str | None:
        for ending, said in _CONTRACTED.items():
            stem = lower.removesuffix(ending)
            if stem != lower and stem:
                known = self.word(stem)
                return known + said if known else None
        if lower.endswith("'s") and self._spell:
            owner = self.word(lower[:-2])
            return inflected(lower, lambda _: owner)
        return None


def _possessive(token: str) -> str:
    """Return the apostrophe that ends a plural possessive; others only quote."""
    return "'" if token.endswith("s'") and not token.startswith("'") else ""


def _weak(lower: str, following: str) -> str | None:
    if lower in _CLIPPED:
        return _CLIPPED[lower]
    if lower == "the":
        return "ði" if following in VOWELS else "ðə"
    if lower == "to":
        return "tu" if not following else "tʊ" if following in VOWELS else "tə"
    return _WEAK.get(lower)


def _one_stress(phonemes: str) -> str:
    """Leave the first main stress, and make later ones secondary."""
    head, mark, tail = phonemes.partition("ˈ")
    return head + mark + tail.replace("ˈ", "ˌ")


def _joined(pieces: list[str]) -> str:
    text = ""
    open_quote = False
    for piece in pieces:
        if piece == '"':
            open_quote = not open_quote
            text += (" “" if text else "“") if open_quote else "”"
        elif piece == "(":
            text += " (" if text else "("
        elif piece in PUNCTUATION or piece == ")":
            text += piece
        elif piece:
            text += piece if not text or text[-1] in _OPENERS else " " + piece
    return text.strip()
