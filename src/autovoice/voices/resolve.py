"""Find the voice that a word names: built-in, stored, a ``.voice`` file, or audio."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from autovoice.errors import ResourceError, VoiceError
from autovoice.types import Audio
from autovoice.voices.builtin import BUILTIN_VOICES, builtin_voice
from autovoice.voices.file import SUFFIX, read_voice, write_voice
from autovoice.voices.make import Encoders, make_voice
from autovoice.voices.names import LONGEST_NAME, check_name
from autovoice.voices.profile import Voice
from autovoice.voices.store import VoiceStore

log = logging.getLogger(__name__)
_CACHE_VERSION = b"1"


@dataclass(frozen=True)
class Resolver:
    """Find voices.

    Args:
        store: the user's voices.
        encoders: called when audio has to be listened to; building them may load weights.
        cache: folder for voices made from audio files. Default: the user's cache folder.
        builtin_file: file of the built-in voices. Default: the one that comes with the program.
    """

    store: VoiceStore
    encoders: Callable[[], Encoders]
    cache: Path | None = None
    builtin_file: Path | None = None

    def resolve(self, voice: str | Path | Voice | Audio) -> Voice:
        """Return the voice.

        Args:
            voice: a name, a path, or what is already a voice or audio. A name is looked up among
                the built-in voices first, then among the stored ones, then as a path.

        Raises:
            VoiceError: nothing of that name exists; the message lists what does.
        """
        if isinstance(voice, Voice):
            return voice
        if isinstance(voice, Audio):
            return make_voice(voice, encoders=self.encoders(), name="reference")
        word = str(voice)
        if word in BUILTIN_VOICES:
            return builtin_voice(word, self.builtin_file)
        if word in self.store.names():
            return self.store.load(word)
        path = Path(voice)
        if not word or not _is_file(path):
            raise VoiceError(
                f"voice {word[:200]!r}: no such voice or file; {self.store.known()}; "
                "or give a .voice file or a recording of 3 s or more"
            )
        if path.suffix.lower() == SUFFIX:
            return read_voice(path)
        return self._from_recording(path)

    def _from_recording(self, path: Path) -> Voice:
        encoders = self.encoders()
        kept = self._cache_folder() / f"{_fingerprint(path, encoders.identity)}{SUFFIX}"
        if kept.is_file():
            try:
                return read_voice(kept)
            except VoiceError as error:
                log.warning("a cached voice is damaged and is made again: %s", error)
        voice = make_voice(path, encoders=encoders, name=_name_of(path))
        try:
            write_voice(voice, kept)
        except ResourceError as error:
            log.warning("the voice is not cached: %s", error)
        return voice

    def _cache_folder(self) -> Path:
        if self.cache is not None:
            return self.cache
        from autovoice.weights.paths import cache_root

        return cache_root() / "voices"


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _fingerprint(path: Path, identity: str) -> str:
    """Return a hash of the recording, of its name and of the encoders that listen to it."""
    digest = hashlib.sha256(_CACHE_VERSION)
    digest.update(hashlib.sha256(identity.encode()).digest())
    digest.update(hashlib.sha256(_name_of(path).encode()).digest())
    with path.open("rb") as handle:
        while block := handle.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _name_of(path: Path) -> str:
    """Return a name for a recording: that of its file, where that may be a name."""
    kept = "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "-" for c in path.stem)
    try:
        return check_name(kept.strip("-_")[:LONGEST_NAME])
    except VoiceError:
        return "reference"
