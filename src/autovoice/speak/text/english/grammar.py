"""Which part of speech a word has here, guessed from its neighbours: enough for most heteronyms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from autovoice.speak.text.wordlist import word_set

_DETERMINERS = word_set(
    "the a an this these those my your his her its our their no any some every each another "
    "either neither both many several few much more most such one two three whose what which "
    "first second third last next of in on at for with by from into under without about per"
)
_MODALS = word_set(
    "to will would can could shall should may might must do does did don't doesn't didn't can't "
    "won't couldn't wouldn't shouldn't cannot let's ll please not never always often also "
    "usually i'll you'll we'll they'll he'll she'll it'll i'd you'd we'd they'd he'd she'd "
    "help helped let"
)
_SUBJECTS = word_set("i you we they he she it who")
_OBJECTS = word_set(
    "the a an my your his her its our their this that these those it them him us me all every "
    "each any some"
)
_BE = word_set(
    "am is are was were be been being isn't aren't wasn't weren't i'm he's she's it's "
    "you're we're they're feel feels felt seem seems seemed"
)
_HAVE = word_set("have has had having haven't hasn't hadn't i've you've we've they've")
_PAST = word_set(
    "yesterday ago last was were had did said went came saw thought knew took made told found "
    "gave felt once earlier previously couldn't wasn't didn't"
)
_LINKS = word_set(
    "of in on at for with by from to into and or but is was are were will would has had have "
    "that which who when while as than if because can could should must may do does did not"
)
_PLACES = word_set(
    "in at on with near by alone here there under among without within outside upstairs "
    "downstairs together through forever longer where"
)
_METAL = word_set(
    "pipe pipes paint poisoning weight weights pencil pencils bullet bullets acid oxide shot "
    "balloon ore mine mines content levels based free glass roof coffin"
)
_MUSIC = word_set(
    "guitar guitars player drum drums line lines voice singer clef double music sound sounds "
    "boost note notes solo deep treble tenor baritone drop speaker speakers amp played plays"
)
_FISHING = word_set("fish fishing caught sea striped lake river largemouth freshwater boat")


@dataclass(frozen=True)
class Context:
    """A word among the others of its sentence.

    Args:
        words: all of the sentence in lower case; punctuation stays in its place.
        place: index of the word.
        written: the word with its capitals.
    """

    words: Sequence[str]
    place: int
    written: str

    def near(self, steps: int) -> str:
        """Return the word so many places away, empty past the ends."""
        at = self.place + steps
        return self.words[at] if 0 <= at < len(self.words) else ""

    @property
    def word(self) -> str:
        """The word itself, in lower case."""
        return self.words[self.place]

    @property
    def before(self) -> str:
        """The word before."""
        return self.near(-1)

    @property
    def after(self) -> str:
        """The word after."""
        return self.near(1)

    def any_of(self, words: frozenset[str]) -> bool:
        """Tell whether one of these is in the sentence."""
        return not words.isdisjoint(self.words)


def part_of_speech(context: Context) -> str | None:
    """Return a Penn tag or ``NOUN``, ``VERB``, ``ADJ``; None where the neighbours do not tell."""
    special = _SPECIAL.get(context.word)
    return special(context) if special else _general(context)


def _general(context: Context) -> str | None:
    before, after = context.before, context.after
    if _last(context) and before not in _DETERMINERS and context.word in _WEAK_UNLESS_LAST:
        return "None"
    if before in _BE | _HAVE:
        return "ADJ" if before in _BE and context.near(-2) not in _SUBJECTS | {""} else None
    if before in _MODALS | _SUBJECTS:
        return "VERB"
    if before in _DETERMINERS or before.endswith("'s"):
        return "ADJ" if _is_content(after) else "NOUN"
    if context.near(-2) in _DETERMINERS and _is_content(before) and not before.endswith("s"):
        return "VERB" if after in _OBJECTS else "NOUN"
    return _by_what_follows(context)


def _by_what_follows(context: Context) -> str | None:
    if _last(context) and _is_content(context.before) and not context.before.endswith(("s", "ly")):
        return "NOUN"  # "fresh produce."
    acts = context.after in _OBJECTS or _plural(context.before)
    return "VERB" if acts and not context.word.endswith("s") else None


def _last(context: Context) -> bool:
    return not context.after or not context.after[0].isalpha()


def _is_content(word: str) -> bool:
    return word.isalpha() and word not in _LINKS and word not in _OBJECTS


def _plural(word: str) -> bool:
    return len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is", "'s"))


def _read(context: Context) -> str | None:
    before = context.before
    asked = before in _SUBJECTS and context.near(-2) in _HAVE
    if before in _MODALS:
        return "VERB"
    if (
        asked
        or before in _HAVE | _BE
        or before in {"he", "she", "it", "got", "ever", "already", "just"}
    ):
        return "VBD"
    return "VBD" if context.any_of(_PAST) or any(w.endswith("ed") for w in context.words) else None


def _lead(context: Context) -> str | None:
    metal = context.after in _METAL or context.before in {"of", "as", "molten", "from"}
    listed = context.after == "and" and context.near(2) in {"zinc", "copper", "tin", "iron"}
    return "METAL" if metal or listed else None


def _live(context: Context) -> str | None:
    if context.before in _MODALS | _SUBJECTS or context.after in _PLACES:
        return "VERB"
    people = _plural(context.before) or context.before in {"people", "who"}
    return "VERB" if people and not _is_content(context.after) else "ADJ"


def _lives(context: Context) -> str | None:
    return (
        "VERB"
        if context.before not in _DETERMINERS
        and (context.before in _SUBJECTS or context.after in _PLACES)
        else None
    )


def _tear(context: Context) -> str | None:
    if context.before == "and" and context.near(-2) == "wear":
        return "VERB"
    torn = context.after in {"in", "up", "apart", "down", "off", "it", "the", "along"}
    return "VERB" if torn or _general(context) == "VERB" else None


def _bow(context: Context) -> str | None:
    ship = context.after == "of" or context.before.endswith("'s") or "ship" in context.words
    took = context.any_of(frozenset({"took", "take", "takes", "made"})) and context.before == "a"
    return "VERB" if ship or took or _general(context) == "VERB" else None


def _used(context: Context) -> str | None:
    return "VBD" if context.after == "to" and context.before not in _BE else None


def _wound(context: Context) -> str | None:
    turned = {"up", "down", "around", "round", "through", "its", "the", "his", "her", "tightly"}
    return "VBD" if context.after in turned and context.before not in _DETERMINERS else None


def _dove(context: Context) -> str | None:
    down = {"into", "in", "down", "under", "for", "off", "from", "deep"}
    return "VERB" if context.after in down and context.before not in _DETERMINERS else None


def _minute(context: Context) -> str | None:
    small = {"amount", "amounts", "detail", "details", "quantities", "quantity", "particles",
             "changes", "difference", "differences", "traces", "fraction"}  # fmt: skip
    return "ADJ" if context.after in small else None


def _bass(context: Context) -> str | None:
    return None if context.any_of(_FISHING) and not context.any_of(_MUSIC) else "ADJ"


def _close(context: Context) -> str | None:
    guess = _general(context)
    adverb = context.after in {"to", "by", "enough", "together"} and guess != "VERB"
    if adverb or context.before in _BE | {"so", "too", "very", "as", "how", "get", "got", "come"}:
        return "ADJ"
    return guess


def _content(context: Context) -> str | None:
    feeling = context.before in _BE | {"quite", "perfectly", "not", "be", "to", "with"}
    return None if feeling or context.after == "with" else "NOUN"


def _resume(context: Context) -> str | None:
    return "NOUN" if context.before in _DETERMINERS and context.before != "to" else None


def _use(context: Context) -> str | None:
    guess = _general(context)
    if guess == "ADJ" or context.before in {"little", "good", "daily", "heavy", "personal"}:
        return "NOUN"
    return guess


def _polish(context: Context) -> str | None:
    shine = context.place == 0 and context.after in _OBJECTS
    return "PEOPLE" if context.written[0].isupper() and not shine else None


_WEAK_UNLESS_LAST = word_set(
    "be been by can could could've couldn't get gone got had has have her hers his should would "
    "do does did was were will am are is doth may might must shall"
)
_SPECIAL: dict[str, Callable[[Context], str | None]] = {
    "read": _read, "lead": _lead, "live": _live, "lives": _lives, "tear": _tear, "bow": _bow,
    "used": _used, "wound": _wound, "dove": _dove, "minute": _minute, "bass": _bass,
    "close": _close, "content": _content, "resume": _resume, "use": _use, "polish": _polish,
}  # fmt: skip
# What the dictionary lacks: a word's other sound, by the part of speech that is given above.
EXTRA = {
    ("lead", "METAL"): "lˈɛd",
    ("resume", "NOUN"): "ɹˈɛzəmˌA",
    ("résumé", "NOUN"): "ɹˈɛzəmˌA",
    ("resumé", "NOUN"): "ɹˈɛzəmˌA",
    ("polish", "PEOPLE"): "pˈOlɪʃ",
    ("tears", "VERB"): "tˈɛɹz",
    ("winds", "VERB"): "wˈIndz",
    ("protest", "VERB"): "pɹətˈɛst",
    ("protests", "VERB"): "pɹətˈɛsts",
}
EXTRA_WORDS = frozenset(word for word, _ in EXTRA)
