"""The folder where a user's voices are kept: one ``.voice`` file each."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from autovoice.errors import VoiceError
from autovoice.voices.builtin import BUILTIN_VOICES
from autovoice.voices.file import SUFFIX, read_voice, write_voice
from autovoice.voices.names import check_name
from autovoice.voices.profile import Voice

ENVIRONMENT_VARIABLE = "AUTOVOICE_DATA_DIR"


def data_dir(override: str | Path | None = None, environ: Mapping[str, str] | None = None) -> Path:
    """Return the folder of the user's data.

    Args:
        override: this folder, whatever else is set.
        environ: where to look for ``AUTOVOICE_DATA_DIR``. Default: the process's environment.
    """
    if override is not None:
        return Path(override)
    found = (os.environ if environ is None else environ).get(ENVIRONMENT_VARIABLE, "")
    return Path(found) if found else Path(platformdirs.user_data_dir("autovoice", appauthor=False))


@dataclass(frozen=True)
class VoiceStore:
    """Voices by name in ``folder``; every write is atomic."""

    folder: Path

    @staticmethod
    def default(override: str | Path | None = None) -> VoiceStore:
        """Return the store of this user (see ``data_dir``)."""
        return VoiceStore(data_dir(override) / "voices")

    def path(self, name: str) -> Path:
        """Return where the voice ``name`` is or would be kept."""
        return self.folder / f"{check_name(name)}{SUFFIX}"

    def names(self) -> list[str]:
        """Return the names of the stored voices in order."""
        if not self.folder.is_dir():
            return []
        return sorted(file.stem for file in self.folder.glob(f"[!.]*{SUFFIX}") if file.is_file())

    def load(self, name: str) -> Voice:
        """Read a stored voice.

        Raises:
            VoiceError: there is none of that name, or it is damaged.
        """
        path = self.path(name)
        if not path.is_file():
            raise VoiceError(f"no stored voice is called {name!r}; {self.known()}")
        return read_voice(path)

    def save(self, voice: Voice, *, replace: bool = False) -> Path:
        """Keep a voice under its name.

        Raises:
            VoiceError: the name is that of a built-in voice, or taken and ``replace`` is off.
        """
        self.check_free(voice.name, replace=replace)
        return write_voice(voice, self.path(voice.name))

    def check_free(self, name: str, *, replace: bool = False) -> None:
        """Check that a voice may be kept under ``name``.

        Raises:
            VoiceError: as for ``save``.
        """
        path = self.path(name)
        if name.lower() in BUILTIN_VOICES:
            raise VoiceError(f"{name!r} is a built-in voice; choose another name")
        if path.exists() and not replace:
            raise VoiceError(
                f"a voice called {name!r} exists; choose another name or replace it (--force)"
            )

    def delete(self, name: str) -> None:
        """Delete a stored voice.

        Raises:
            VoiceError: there is none of that name.
        """
        path = self.path(name)
        try:
            path.unlink()
        except FileNotFoundError:
            raise VoiceError(f"no stored voice is called {name!r}; {self.known()}") from None

    def import_file(
        self, file: str | Path, *, name: str | None = None, replace: bool = False
    ) -> Voice:
        """Check a ``.voice`` file, keep it, and return the voice.

        Args:
            file: the file to take.
            name: what to call it here. Default: the name in its record.
            replace: replace a voice of that name.
        """
        voice = read_voice(Path(file))
        voice = voice.renamed(voice.name if name is None else name)
        self.save(voice, replace=replace)
        return voice

    def export_file(self, name: str, file: str | Path) -> Path:
        """Write a stored voice to ``file`` and return its path."""
        return write_voice(self.load(name), Path(file))

    def known(self) -> str:
        """Return a line that lists what exists."""
        stored = ", ".join(self.names()) or "none yet"
        return f"built-in voices: {', '.join(BUILTIN_VOICES)}; stored voices: {stored}"
