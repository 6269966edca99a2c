"""Which names a voice may have."""

from __future__ import annotations

import re

from autovoice.errors import VoiceError

LONGEST_NAME = 64
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*\Z", re.IGNORECASE)
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?\Z", re.IGNORECASE)


def check_name(name: str) -> str:
    """Return ``name`` when a voice may be called so on every file system.

    Raises:
        VoiceError: the name is empty, too long, reserved, or holds other characters than letters,
            digits, dots, dashes and underscores.
    """
    short = name if len(name) <= LONGEST_NAME else name[:LONGEST_NAME] + "..."
    if len(name) > LONGEST_NAME or not _NAME.match(name) or ".." in name or name.endswith("."):
        raise VoiceError(
            f"voice name {short!r}: expected 1 to {LONGEST_NAME} of the letters a-z, digits, "
            "'-', '_' and single dots, starting with a letter or digit"
        )
    if _RESERVED.match(name):
        raise VoiceError(f"voice name {name!r} is reserved on some systems; choose another")
    if name.lower().endswith((".voice", ".safetensors")):
        raise VoiceError(f"voice name {name!r}: leave the file ending away")
    return name
