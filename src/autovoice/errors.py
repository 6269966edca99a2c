"""Every exception that AutoVoice raises on purpose.

::

    AutoVoiceError
    ├── InputError            the caller's audio, option or file is not usable      exit 2, HTTP 422
    │   ├── UnsupportedAudio  not audio that we read, or read badly                 exit 2, HTTP 415
    │   └── VoiceError        a voice that is unknown, damaged or not usable        exit 2
    ├── WeightsError          a model file is missing, damaged or cannot be had     exit 3
    ├── ResourceError         memory, disk or time ran out                          exit 4, HTTP 503
    └── Cancelled             the caller asked to stop                              exit 130

A message says what was found, what was expected and what to do.
"""

from __future__ import annotations


class AutoVoiceError(Exception):
    """Base of every error that AutoVoice raises on purpose."""

    exit_code = 1


class InputError(AutoVoiceError):
    """What the caller passed cannot be used."""

    exit_code = 2


class UnsupportedAudio(InputError):
    """The bytes are not audio that AutoVoice reads."""


class VoiceError(InputError):
    """A voice is unknown, damaged or made for another model."""


class WeightsError(AutoVoiceError):
    """Model weights are missing, damaged or cannot be fetched."""

    exit_code = 3


class ResourceError(AutoVoiceError):
    """Memory, disk space or time ran out."""

    exit_code = 4


class Cancelled(AutoVoiceError):
    """The caller asked to stop."""

    exit_code = 130
