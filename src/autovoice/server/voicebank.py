"""Voices of a service: each caller's own, those shared with all, and the built-in ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from autovoice.errors import VoiceError
from autovoice.server.files import VOICES
from autovoice.server.keys import LOCAL
from autovoice.server.settings import Settings
from autovoice.voices import BUILTIN_VOICES, Voice, VoiceStore, builtin_voice, check_name, data_dir

PREVIEW = ".preview.wav"
# Of voices that belong to nobody here; no caller is called so.
_COMMON = "_previews"


@dataclass(frozen=True)
class VoiceBank:
    """Where voices are.

    Args:
        folder: one folder per owner below it.
        shared: voices that all may use and nobody may change here; None for none.
    """

    folder: Path
    shared: VoiceStore | None = None

    @staticmethod
    def of(settings: Settings) -> VoiceBank:
        """Return the bank of a service; one without keys shares the voices of its user."""
        user = None if settings.needs_key else VoiceStore(data_dir() / "voices")
        return VoiceBank(settings.data_dir / VOICES, user)

    def own(self, owner: str) -> VoiceStore:
        """Return the store of one caller."""
        if not owner.isalnum():  # ids of keys are; whatever else it is, it is no folder
            raise ValueError(f"{owner!r} is no owner")
        return VoiceStore(self.folder / (owner or LOCAL))

    def names(self, owner: str) -> Sequence[str]:
        """Return the names of the stored voices that a caller may use, in order."""
        shared = self.shared.names() if self.shared else []
        return sorted({*self.own(owner).names(), *shared})

    def find(self, name: str, owner: str) -> Voice:
        """Return a voice by its name; never a file that a caller names.

        Raises:
            VoiceError: there is none of that name, or it is damaged.
        """
        if name in BUILTIN_VOICES:
            return builtin_voice(name)
        for store in (self.own(owner), self.shared):
            if store is not None and name in store.names():
                return store.load(name)
        raise VoiceError(
            f"voice {name[:64]!r}: no such voice; GET /api/v1/voices lists those that you may use"
        )

    def has(self, name: str, owner: str) -> bool:
        """Tell whether a caller may use a voice of this name."""
        return name in BUILTIN_VOICES or name in self.names(owner)

    def preview(self, name: str, owner: str) -> Path:
        """Return where the preview of a caller's own voice is or would be."""
        return self.own(owner).path(name).with_suffix(PREVIEW)

    def heard(self, name: str, owner: str) -> Path:
        """Return where the preview of any voice that a caller may use is or would be."""
        if name in self.own(owner).names():
            return self.preview(name, owner)
        return self.folder / _COMMON / f"{check_name(name)}.wav"

    def has_preview(self, name: str, owner: str) -> bool:
        """Tell whether a preview is kept, and is of the voice as it is now.

        An own one goes with its voice; others may be replaced from outside the service.
        """
        path = self.heard(name, owner)
        if not path.is_file():
            return False
        is_own = path.parent.name != _COMMON
        return is_own or path.stat().st_mtime >= self.changed_at(name, owner)

    def changed_at(self, name: str, owner: str) -> float:
        """Return when a voice was written, seconds since 1970; 0 of a built-in one."""
        for store in (self.own(owner), self.shared):
            if store is not None and name in store.names():
                return store.path(name).stat().st_mtime
        return 0.0

    def delete(self, name: str, owner: str) -> None:
        """Delete a caller's own voice.

        Raises:
            VoiceError: there is none of that name.
        """
        preview = self.preview(name, owner)
        self.own(owner).delete(name)
        preview.unlink(missing_ok=True)
