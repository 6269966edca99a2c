"""Read a score file: MusicXML, compressed MusicXML or MIDI, told by what is in it."""

from __future__ import annotations

from pathlib import Path

from autovoice.errors import InputError
from autovoice.speak.score.lines import score_of
from autovoice.speak.score.midi import read_midi
from autovoice.speak.score.musicxml import read_parts
from autovoice.speak.score.records import Choice, Score
from autovoice.speak.score.xml import LARGEST_BYTES, parsed, unzipped

ENDINGS = (".musicxml", ".mxl", ".xml", ".mid", ".midi", ".kar")
LONGEST_S = 9_000.0
LONGEST_NOTE_S = 60.0


def read_score(path: str | Path, choice: Choice | None = None) -> Score:
    """Read the line of a score that is sung.

    Args:
        path: of a .musicxml, .mxl, .xml, .mid, .midi or .kar file; what it is, is told by its
            first bytes.
        choice: which line, and how fast. Default: the first part with words, as written.

    Raises:
        InputError: the file cannot be read or holds nothing to sing; longer than 150 minutes; a
            note longer than a minute.
    """
    path, choice = Path(path), choice or Choice()
    if path.suffix.lower() not in ENDINGS:
        raise InputError(
            f"{path}: found the ending {path.suffix!r}, expected one of {', '.join(ENDINGS)}"
        )
    data = _bytes(path)
    if data[:4] == b"MThd":
        score = read_midi(data, path.name, choice)
    else:
        if data[:2] == b"PK":
            data = unzipped(data, path.name)
        title, parts = read_parts(parsed(data, path.name), path.name)
        score = score_of(title, parts, choice)
    return _checked(score, path.name)


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_BYTES + 1)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    if not data:
        raise InputError(f"{path}: found an empty file, expected a score")
    if len(data) > LARGEST_BYTES:
        raise InputError(f"{path}: found more than {LARGEST_BYTES} bytes, expected a score")
    start = data[:4096].lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n\0")
    if data[:4] == b"MThd" or data[:2] == b"PK" or start[:1] == b"<":
        return data
    raise InputError(f"{path}: found neither MusicXML nor MIDI; export the score as one of them")


def _checked(score: Score, where: str) -> Score:
    if not score.notes:
        raise InputError(f"{where}: found no notes to sing")
    if score.seconds > LONGEST_S:
        raise InputError(
            f"{where}: found {score.seconds / 60:.0f} minutes of music, expected at most "
            f"{LONGEST_S / 60:.0f}; split the score"
        )
    longest = max(score.notes, key=lambda note: note.seconds)
    if longest.seconds > LONGEST_NOTE_S:
        raise InputError(
            f"{where}: found a note of {longest.seconds:.0f} s at {longest.start_s:.1f} s, "
            f"expected at most {LONGEST_NOTE_S:.0f} s"
        )
    return score
