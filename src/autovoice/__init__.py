"""AutoVoice: a song in, the same song sung by another voice out.

>>> import autovoice
>>> cover = autovoice.convert("song.mp3", "kumo")  # doctest: +SKIP
>>> cover.save("cover.wav")  # doctest: +SKIP

Names are loaded when they are first used, so that the import itself is quick; their types are in
``__init__.pyi``, which is the list of all that is public.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "Audio": "types",
    "AutoVoiceError": "errors",
    "Cancelled": "errors",
    "Conversion": "engine",
    "Engine": "engine",
    "InputError": "errors",
    "Performance": "engine",
    "Progress": "engine",
    "ResourceError": "errors",
    "ScoreCard": "types",
    "UnsupportedAudio": "errors",
    "Voice": "voices",
    "VoiceError": "errors",
    "WeightsError": "errors",
}

__all__ = [*_HOMES, "__version__", "convert", "sing", "speak"]  # noqa: PLE0604 - the keys are names


def convert(
    song: Any, voice: Any, *, device: str = "auto", vram_bytes: Any = None, **options: Any
) -> Any:
    """Sing a song in another voice, and score the result.

    For many calls keep an ``Engine``: its networks stay loaded.

    Args:
        song: a path, ``Audio``, or ``(samples [C, T], sample_rate_hz)``.
        voice: built-in name, stored profile, ``.voice`` file, recording or ``Voice``.
        device: ``auto`` (a GPU when one works), ``cpu``, ``cuda`` or ``cuda:N``. Default ``auto``.
        vram_bytes: cap on GPU memory, bytes or text such as ``4G``. Default: no cap.
        options: as for ``Engine.convert``.

    Raises:
        AutoVoiceError: see ``Engine.convert``.
    """
    engine = import_module("autovoice.engine").Engine(device, vram_bytes)
    target = engine.voice(voice)
    conversion = engine.convert(song, target, **options)
    judge = import_module("autovoice.eval.summary").score
    return conversion.scored_by(judge, target.embedding)


def sing(
    score: Any, voice: Any, *, device: str = "auto", vram_bytes: Any = None, **options: Any
) -> Any:
    """Sing a score, MusicXML or MIDI with words, in a voice.

    For many calls keep an ``Engine``.

    Args:
        score: path of the file.
        voice: built-in name, stored profile, ``.voice`` file, recording or ``Voice``.
        device: ``auto`` (a GPU when one works), ``cpu``, ``cuda`` or ``cuda:N``. Default ``auto``.
        vram_bytes: cap on GPU memory, bytes or text such as ``4G``. Default: no cap.
        options: ``language``, ``part``, ``semitones``, ``backing`` and more: as for
            ``Engine.sing``.

    Returns:
        ``Performance``: ``Audio`` with ``save(path)``, the vocal alone and notes.

    Raises:
        AutoVoiceError: see ``Engine.sing``.
    """
    return (
        import_module("autovoice.engine").Engine(device, vram_bytes).sing(score, voice, **options)
    )


def speak(
    text: Any, voice: Any, *, device: str = "auto", vram_bytes: Any = None, **options: Any
) -> Any:
    """Say a text in a voice.

    For many calls keep an ``Engine``; for long texts use its ``speak_stream``.

    Args:
        text: text, or lines of it.
        voice: built-in name, stored profile, ``.voice`` file, recording or ``Voice``.
        device: ``auto`` (a GPU when one works), ``cpu``, ``cuda`` or ``cuda:N``. Default ``auto``.
        vram_bytes: cap on GPU memory, bytes or text such as ``4G``. Default: no cap.
        options: ``speed``, ``language``, ``lexicon`` and more: as for ``Engine.speak``.

    Returns:
        ``Audio``, 24 kHz mono, with ``save(path)``.

    Raises:
        AutoVoiceError: see ``Engine.speak``.
    """
    return (
        import_module("autovoice.engine").Engine(device, vram_bytes).speak(text, voice, **options)
    )


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'autovoice' has no attribute {name!r}")
    value = getattr(import_module(f"autovoice.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)


class _Package(ModuleType):
    """Keep ``autovoice.convert``, ``sing`` and ``speak`` the functions when the rooms are imported.

    Importing a submodule sets it as an attribute of its package, which would hide the function
    from the second call on; ``from autovoice.convert import ...`` does not need the attribute.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        if name in __all__ and isinstance(value, ModuleType):
            return
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
