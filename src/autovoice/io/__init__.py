"""Files and bytes to audio and back: probe, guarded decoding, sanitising, resampling, writing."""

from autovoice.io.formats import AudioInfo
from autovoice.io.reader import (
    DEFAULT_MAX_SECONDS,
    Reading,
    blocks,
    from_array,
    probe,
    read,
    reading,
)
from autovoice.io.resample import Resampler, resample
from autovoice.io.sanitise import sanitise
from autovoice.io.writer import Writer, write

__all__ = [
    "DEFAULT_MAX_SECONDS",
    "AudioInfo",
    "Reading",
    "Resampler",
    "Writer",
    "blocks",
    "from_array",
    "probe",
    "read",
    "reading",
    "resample",
    "sanitise",
    "write",
]
