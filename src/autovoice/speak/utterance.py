"""What travels from the text front to the acoustic front."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Utterance:
    """One sentence (or clause) ready to be spoken.

    Args:
        text: what was written, for progress and for word checks.
        phonemes: in Kokoro's alphabet (every character is a key of its vocabulary), 1 to 400
            characters.
        pause_s: silence that follows, seconds, at least 0.
        speed: factor on the speaking rate from markup, 1.0 as written.
        semitones: pitch shift from markup.
    """

    text: str
    phonemes: str
    pause_s: float = 0.0
    speed: float = 1.0
    semitones: float = 0.0
