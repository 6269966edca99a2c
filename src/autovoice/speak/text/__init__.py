"""The text front: written text to Kokoro's phonemes, sentence by sentence.

>>> from autovoice.speak.text import languages
>>> "en-us" in languages()
True
"""

from __future__ import annotations

from autovoice.speak.text.front import MAX_PHONEMES, utterances
from autovoice.speak.text.readers import languages

__all__ = ["MAX_PHONEMES", "languages", "utterances"]
