"""Further languages by the program espeak-ng, where somebody has installed it.

espeak-ng is GPL-3.0: it is neither required nor shipped, and runs as a program of its own. Kokoro
learned no other languages than its eight, so how well these come out is unknown.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping

from autovoice.errors import InputError, ResourceError
from autovoice.speak.text.alphabet import from_ipa, vocabulary
from autovoice.speak.text.wordlist import word_set

PREFIX = "espeak:"
_SECONDS = 20
_TOKEN = re.compile(r"[\U000F0000-\U000FFFFD]|[;:,.!?—…]|[^\U000F0000-\U000FFFFD;:,.!?—…]+")


class EspeakReader:
    """Ask espeak-ng for the phonemes.

    Args:
        voice: what espeak-ng calls the language ("de", "nl").
        lexicon: the user's own pronunciations.

    Raises:
        InputError: the program is not installed, or does not know the language.
    """

    scripts = word_set(
        "LATIN CYRILLIC GREEK ARABIC HEBREW DEVANAGARI CJK HANGUL GEORGIAN ARMENIAN THAI BENGALI "
        "TAMIL TELUGU KANNADA MALAYALAM GUJARATI GURMUKHI MODIFIER FEMININE MASCULINE"
    )
    english = False

    def __init__(self, voice: str, lexicon: Mapping[str, str]) -> None:
        self._voice = voice
        self._lexicon = {word.lower(): said for word, said in lexicon.items()}
        program = shutil.which("espeak-ng")
        if program is None:
            raise InputError(
                f"language: {PREFIX}{voice} needs the program espeak-ng, which was not found; "
                "install it with the system's package manager"
            )
        if not re.fullmatch(r"[a-z]{2,3}(?:-[a-z0-9-]+)?", voice):
            raise InputError(
                f"language: found {voice!r} after {PREFIX}, expected a code such as de"
            )
        self._program = program
        self._asked("a")

    def words(self, text: str) -> str:
        """Return text as it is: espeak-ng reads figures itself."""
        return text

    def phonemes(self, text: str, marked: Mapping[str, str] | None = None) -> str | None:
        """Return Kokoro's phonemes; sounds that Kokoro lacks are left out."""
        said = ""
        for piece in _TOKEN.findall(text):
            if marked and piece in marked:
                said += f" {marked[piece]}"
            elif piece in ";:,.!?—…":
                said += piece
            elif piece.strip():
                said += f" {self._lexicon.get(piece.strip().lower()) or self._asked(piece)}"
        return "".join(symbol for symbol in said.strip() if symbol in vocabulary())

    def say_as(self, kind: str, text: str, layout: str) -> str:
        """Refuse: espeak-ng reads text in its own way.

        Raises:
            InputError: always.
        """
        del layout
        raise InputError(f"<say-as>: found {kind!r} around {text!r}; not for {PREFIX}{self._voice}")

    def _asked(self, text: str) -> str:
        command = [self._program, "-q", "--ipa", "--tie=͡", "-v", self._voice, "--stdin"]
        try:
            done = subprocess.run(
                command, input=text.encode(), capture_output=True, timeout=_SECONDS, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ResourceError(f"espeak-ng: no answer within {_SECONDS} s ({error})") from error
        if done.returncode:
            told = done.stderr.decode(errors="replace").strip()
            raise InputError(f"language: espeak-ng cannot read {self._voice!r}: {told[:200]}")
        heard = re.sub(r"\([a-z-]+\)", "", done.stdout.decode(errors="replace"))
        return from_ipa(" ".join(heard.split()), english=False)
