"""What a file is, told from its first bytes."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

HEAD_BYTES = 16_384

_CONVERT = "convert it first, for example: ffmpeg -i FILE song.wav"
_CHOOSE = "choose an audio file"
_PICKLE = "it is not opened, as loading it could run code; choose an audio file"
_LIST = "name the audio file that the list points to"


@dataclass(frozen=True)
class Found:
    """What the first bytes say.

    Args:
        description: in words, with its article.
        readable: whether the decoder may try it.
        advice: what to do where it may not.
    """

    description: str
    readable: bool = False
    advice: str = _CHOOSE


# Magic bytes: offset, bytes, what they mean.
_READABLE = (
    (0, b"fLaC", "FLAC audio"),
    (0, b"RF64", "RF64 audio"),
)
_AUDIO = (
    (0, b"ADIF", "AAC audio"),
    (0, b"\x0b\x77", "AC-3 audio"),
    (0, b"#!AMR", "AMR audio"),
    (0, b".snd", "Sun AU audio"),
    (0, b"caff", "Core Audio (CAF)"),
    (0, b"riff\x2e\x91\xcf\x11", "Sony Wave64 audio"),
    (0, b"MAC ", "Monkey's Audio"),
    (0, b"wvpk", "WavPack audio"),
    (0, b"DSD ", "DSD audio"),
    (0, b"TTA1", "True Audio"),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "Windows Media (ASF, WMA or WMV)"),
    (0, b"OggS", "an OGG file without Vorbis, Opus, FLAC or Speex sound"),
    (0, b"FLV\x01", "a Flash video"),
    (0, b"\x00\x00\x01\xba", "an MPEG video"),
    (0, b"\x00\x00\x01\xb3", "an MPEG video"),
    (8, b"AVI ", "an AVI video"),
)
_OTHER = (
    (0, b"MThd", "a MIDI file, which holds notes and no sound"),
    (8, b"RMID", "a MIDI file, which holds notes and no sound"),
    (0, b"%PDF", "a PDF document"),
    (0, b"\x89PNG", "a PNG picture"),
    (0, b"\xff\xd8\xff", "a JPEG picture"),
    (0, b"GIF8", "a GIF picture"),
    (8, b"WEBP", "a WebP picture"),
    (0, b"\x1f\x8b", "a gzip archive"),
    (0, b"BZh", "a bzip2 archive"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (0, b"Rar!", "a RAR archive"),
    (0, b"\x28\xb5\x2f\xfd", "a Zstandard archive"),
    (0, b"\xfd7zXZ", "an xz archive"),
    (0, b"\x7fELF", "a program"),
    (0, b"MZ", "a program"),
    (0, b"\x93NUMPY", "a NumPy array; pass arrays to autovoice.io.from_array"),
    (0, b"\x89HDF", "an HDF5 file"),
    (0, b"SQLite format 3", "a database"),
)


def identify(head: bytes, suffix: str = "") -> Found:
    """Tell what a file is.

    Args:
        head: its first bytes, ``HEAD_BYTES`` or all of them.
        suffix: of its name; only used to name what the bytes leave open.
    """
    for test in _TESTS:
        found = test(head)
        if found is not None:
            return found
    text = _as_text(head)
    if text is not None:
        return _text(text, suffix.lower())
    return Found(f"bytes that are no known audio (they begin with {head[:8].hex(' ')})")


def _magic(head: bytes) -> Found | None:
    for table, readable, advice in (
        (_READABLE, True, ""),
        (_AUDIO, False, _CONVERT),
        (_OTHER, False, _CHOOSE),
    ):
        for offset, magic, meaning in table:
            if head.startswith(magic, offset):
                return Found(meaning, readable, advice)
    return None


def _chunked(head: bytes) -> Found | None:
    if head[:4] in (b"RIFF", b"RIFX") and head[8:12] == b"WAVE":
        return Found("WAV audio", readable=True)
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return Found("AIFF audio", readable=True)
    return None


def _ogg(head: bytes) -> Found | None:
    if not head.startswith(b"OggS"):
        return None
    first = head[27:600]
    if b"\x80theora" in head or b"\x01video\x00" in head:
        return Found("an OGG video", advice=_CONVERT)
    if any(mark in first for mark in (b"\x01vorbis", b"OpusHead", b"\x7fFLAC", b"Speex   ")):
        return Found("OGG audio", readable=True)
    return None


def _mp4(head: bytes) -> Found | None:
    if head[4:8] != b"ftyp":
        return Found("a QuickTime video", advice=_CONVERT) if head[4:8] == b"moov" else None
    brand = head[8:12].decode("ascii", "replace").strip()
    if brand.startswith(("M4A", "M4B")):
        return Found(f"AAC or ALAC audio in MP4 (brand {brand!r})", advice=_CONVERT)
    return Found(f"an MP4 or QuickTime video (brand {brand!r})", advice=_CONVERT)


def _matroska(head: bytes) -> Found | None:
    if not head.startswith(b"\x1a\x45\xdf\xa3"):
        return None
    kind = "a WebM video" if b"webm" in head[:64] else "a Matroska video"
    return Found(kind, advice=_CONVERT)


def _transport_stream(head: bytes) -> Found | None:
    if len(head) > 376 and head[0] == head[188] == head[376] == 0x47:
        return Found("an MPEG transport stream (video)", advice=_CONVERT)
    return None


def _pickle(head: bytes) -> Found | None:
    if len(head) > 2 and head[0] == 0x80 and 2 <= head[1] <= 5:
        return Found("a Python pickle", advice=_PICKLE)
    if head.startswith(b"PK\x03\x04"):
        if b"data.pkl" in head or b"archive/" in head[:100]:
            return Found("a PyTorch checkpoint (a pickle)", advice=_PICKLE)
        return Found("a ZIP archive", advice="unpack it first")
    if head[8:10] in (b'{"', b"{ ") and head[4:8] == bytes(4):
        return Found("a safetensors file")
    return None


def _mpeg_audio(head: bytes) -> Found | None:
    """MPEG audio has no magic: an ID3 tag, or a frame header whose fields all make sense."""
    if head.startswith(b"ID3"):
        size = 10 + sum((b & 0x7F) << (21 - 7 * i) for i, b in enumerate(head[6:10]))
        after = head[size:].lstrip(b"\x00")
        if after and after[:4] != b"fLaC":
            return _frame(after) or Found("MP3 audio", readable=True)
        return Found("MP3 audio", readable=True)
    return _frame(head.lstrip(b"\x00"))


def _frame(head: bytes) -> Found | None:
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    layer, version = head[1] >> 1 & 3, head[1] >> 3 & 3
    if layer == 0 and head[1] & 0xF0 == 0xF0:
        return Found("AAC audio (ADTS)", advice=_CONVERT)
    if layer == 0 or version == 1 or head[2] >> 4 == 15 or head[2] >> 2 & 3 == 3:
        return None
    return Found("MP3 audio", readable=True)


_TESTS: tuple[Callable[[bytes], Found | None], ...] = (
    _chunked,
    _ogg,
    _mp4,
    _matroska,
    _pickle,
    _magic,
    _transport_stream,
    _mpeg_audio,
)


def _as_text(head: bytes) -> str | None:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return head.decode("utf-16", "replace")
    if any(byte < 9 or 13 < byte < 32 for byte in head):
        return None
    text = head.decode("utf-8", "ignore")
    # A cut at the end may cost one character; more losses mean that it is not text.
    return text if len(text.encode()) >= len(head) - 3 else None


def _text(text: str, suffix: str) -> Found:
    start = text.lstrip("\ufeff \t\r\n")
    low = start.lower()
    if low.startswith("#extm3u") or suffix in (".m3u", ".m3u8"):
        return Found("an M3U playlist", advice=_LIST)
    if low.startswith("[playlist]") or suffix == ".pls":
        return Found("a PLS playlist", advice=_LIST)
    if suffix == ".cue" or (re.search(r"^\s*TRACK \d+ AUDIO", start, re.M) and "FILE" in start):
        return Found("a CUE sheet", advice=_LIST)
    if "<playlist" in low[:500] or suffix == ".xspf":
        return Found("an XSPF playlist", advice=_LIST)
    if low.startswith(("<!doctype html", "<html")):
        return Found("a web page", advice="download the audio file itself")
    return Found(f"text (it begins with {start[:24]!r})")
