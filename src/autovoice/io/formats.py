"""What can be read and written: one row per file format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from autovoice.errors import InputError

ACCEPTED = "WAV (also RF64), FLAC, MP3, OGG Vorbis, OGG Opus or AIFF"

MIN_RATE_HZ = 4_000
MAX_RATE_HZ = 768_000
MAX_CHANNELS = 64

# The tags libsndfile knows; the names are those of its string attributes.
TAGS = (
    "title",
    "artist",
    "album",
    "date",
    "comment",
    "genre",
    "tracknumber",
    "copyright",
    "license",
    "software",
)


@dataclass(frozen=True)
class AudioInfo:
    """What the header of a file says.

    Args:
        container: ``WAV``, ``RF64``, ``FLAC``, ``MP3``, ``OGG`` or ``AIFF``.
        codec: libsndfile's name of the coding (``PCM_16``, ``FLOAT``, ``VORBIS``, ``OPUS`` ...).
        sample_rate_hz: samples per second of each channel.
        channels: number of channels.
        claimed_seconds: the length the header claims, ``None`` where it claims none.
        metadata: tags, by the names in ``TAGS``.
    """

    container: str
    codec: str
    sample_rate_hz: int
    channels: int
    claimed_seconds: float | None
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class OutputFormat:
    """One way to write a file.

    Args:
        container: libsndfile's name of the container.
        subtypes: codings it may hold here, the default first.
        max_channels: as many channels as the container takes.
        rates_hz: the only rates it takes, ascending; empty where any rate will do.
        max_rate_hz: the highest rate it takes.
        tens_above_hz: above this rate, only multiples of 10 Hz.
        compression: libsndfile's level from 0 (best sound) to 1; ``None`` for its default.
    """

    container: str
    subtypes: tuple[str, ...]
    max_channels: int
    rates_hz: tuple[int, ...] = ()
    max_rate_hz: int = MAX_RATE_HZ
    tens_above_hz: int = MAX_RATE_HZ
    compression: float | None = None

    def rate_for(self, rate_hz: int) -> int:
        """Return the rate to write at: the lowest that keeps the band, else the highest."""
        if not self.rates_hz:
            tens = rate_hz + -rate_hz % 10 if rate_hz > self.tens_above_hz else rate_hz
            return min(tens, self.max_rate_hz)
        return next((r for r in self.rates_hz if r >= rate_hz), self.rates_hz[-1])


_PCM = ("PCM_24", "PCM_16", "PCM_32", "PCM_U8", "FLOAT", "DOUBLE")
_MP3_RATES_HZ = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
_OPUS_RATES_HZ = (8_000, 12_000, 16_000, 24_000, 48_000)

# Compression: MP3 variable bit rate 0 (about 245 kbit/s), Vorbis quality 7 (about 220 kbit/s),
# Opus about 80 kbit/s per channel. All three are taken as transparent for music.
FORMATS: Mapping[str, OutputFormat] = MappingProxyType(
    {
        "WAV": OutputFormat("WAV", _PCM, MAX_CHANNELS),
        "RF64": OutputFormat("RF64", _PCM, MAX_CHANNELS),
        "FLAC": OutputFormat(
            "FLAC",
            ("PCM_24", "PCM_16", "PCM_S8"),
            8,
            max_rate_hz=655_350,
            tens_above_hz=65_535,
        ),
        "MP3": OutputFormat("MP3", ("MPEG_LAYER_III",), 2, _MP3_RATES_HZ, compression=0.0),
        "OGG": OutputFormat("OGG", ("VORBIS",), 8, max_rate_hz=192_000, compression=0.3),
        "OPUS": OutputFormat("OGG", ("OPUS",), 8, _OPUS_RATES_HZ, compression=0.7),
    }
)

_SUFFIXES: Mapping[str, str] = MappingProxyType(
    {
        ".wav": "WAV",
        ".wave": "WAV",
        ".rf64": "RF64",
        ".flac": "FLAC",
        ".mp3": "MP3",
        ".ogg": "OGG",
        ".oga": "OGG",
        ".opus": "OPUS",
    }
)


def output_format(path: Path, name: str | None, subtype: str | None) -> tuple[OutputFormat, str]:
    """Choose container and coding for a file to write.

    Args:
        path: the file; its suffix decides where ``name`` is ``None``.
        name: a key of ``FORMATS``, any case.
        subtype: one of that format's codings, ``None`` for its default.

    Raises:
        InputError: the suffix, the name or the coding is not known.
    """
    key = name.upper() if name is not None else _SUFFIXES.get(path.suffix.lower())
    if key is None:
        raise InputError(
            f"{path.name}: found the suffix {path.suffix or '(none)'!r}, expected one of "
            f"{', '.join(_SUFFIXES)}; rename the output or pass the format"
        )
    if key not in FORMATS:
        raise InputError(f"format: found {name!r}, expected one of {', '.join(FORMATS)}")
    chosen = FORMATS[key]
    coding = chosen.subtypes[0] if subtype is None else subtype.upper()
    if coding not in chosen.subtypes:
        raise InputError(
            f"subtype: found {subtype!r}, expected one of {', '.join(chosen.subtypes)} for {key}"
        )
    return chosen, coding
