"""Small scores for tests, written as text."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path

HEAD = "<attributes><divisions>4</divisions></attributes>"
TEMPO = '<direction><sound tempo="120"/></direction>'


def note(
    key: str, quarters: float, *lyrics: str, voice: str = "1", more: str = "", grace: bool = False
) -> str:
    """Return a note such as ``note("B-4", 1, "a-")``, with a lyric for each verse."""
    step, alter, octave = key[0], key[1:-1], key[-1]
    shift = {"": 0, "-": -1, "#": 1}[alter]
    words = "".join(_lyric(text, number) for number, text in enumerate(lyrics, 1) if text)
    length = "<grace/>" if grace else f"<duration>{round(quarters * 4)}</duration>"
    return (
        f"<note>{length if grace else ''}<pitch><step>{step}</step><alter>{shift}</alter>"
        f"<octave>{octave}</octave></pitch>{'' if grace else length}{more}"
        f"<voice>{voice}</voice>{words}</note>"
    )


def rest(quarters: float) -> str:
    """Return a rest."""
    return f"<note><rest/><duration>{round(quarters * 4)}</duration><voice>1</voice></note>"


def _lyric(text: str, number: int) -> str:
    place = {(0, 0): "single", (0, 1): "begin", (1, 1): "middle", (1, 0): "end"}
    kind = place[text.startswith("-"), text.endswith("-")]
    return (
        f'<lyric number="{number}"><syllabic>{kind}</syllabic>'
        f"<text>{text.strip('-')}</text></lyric>"
    )


def score(
    *parts: Sequence[str], names: Iterable[str] = ("Voice", "Choir", "Drums"), head: str = ""
) -> str:
    """Return a document: each part is its bars, each bar its elements."""
    listed, body = "", ""
    for number, (name, bars) in enumerate(zip(names, parts, strict=False), 1):
        listed += f'<score-part id="P{number}"><part-name>{name}</part-name></score-part>'
        inner = "".join(
            f'<measure number="{k}">{HEAD if k == 1 else ""}{bar}</measure>'
            for k, bar in enumerate(bars, 1)
        )
        body += f'<part id="P{number}">{inner}</part>'
    return (
        f'<?xml version="1.0"?>{head}<score-partwise><work><work-title>A tune</work-title></work>'
        f"<part-list>{listed}</part-list>{body}</score-partwise>"
    )


def saved(folder: Path, text: str, name: str = "tune.musicxml") -> Path:
    """Write a document and return its path."""
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def zipped(files: dict[str, bytes]) -> bytes:
    """Return an archive of files."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return data.getvalue()


SCALE = [
    TEMPO + note("C4", 1, "san-") + note("D4", 1, "-ta") + note("E4", 2, "lu-"),
    note("F4", 1, "-ci-") + note("G4", 1, "-a") + rest(2),
]
