"""The hard places of real recordings, found by rule: one cut of a kind from each recording."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from autovoice import io
from autovoice.eval.frames import levels_db, loud_db
from autovoice.eval.fricatives import LEAST_FRAMES, breath_frames, sibilant_frames
from autovoice.eval.gaps import LEAST_SILENCE_S, silent_frames
from autovoice.eval.harvest import harvest
from autovoice.eval.part import cut
from autovoice.eval.pitch import Tracker
from autovoice.eval.protocol.items import Item
from autovoice.eval.stress.place import Place
from autovoice.eval.stress.steady import Stretch, steady_stretches
from autovoice.eval.world import HOP_S
from autovoice.types import Audio

CUT_S = 6.0
MOST_PER_KIND = 3
# Under this nothing can be said about a window: a gap needs a voice beside it.
LEAST_SUNG_S = 2.0
_SAME_S = 1.0
_RATE_HZ = 24_000
_RANGE_DB = 30.0
Curve = NDArray[np.float64]
Marks = NDArray[np.bool_]


@dataclass(frozen=True)
class _Find:
    """Where a cut begins, how much it is worth beside others of its kind, and what is there."""

    start_s: float
    worth: float
    says: str


@dataclass(frozen=True, eq=False)
class _Song:
    """What the finders look at: sound at 24 kHz or its own lower rate, F0 and level by 10 ms."""

    audio: Audio
    f0_hz: Curve
    level_db: Curve


def cut_places(
    items: Iterable[Item],
    *,
    most: int = MOST_PER_KIND,
    read: Callable[[Path], Audio] | None = None,
    tracker: Tracker = harvest,
) -> list[Place]:
    """Cut the hardest places out of the a cappella recordings of an evaluation folder.

    Of each kind the recordings with the most of it give 6 s each: ``high`` the highest note that is
    held for 0.3 s, ``long`` the longest one, ``sibilants``, ``breaths`` and ``gaps`` the stretch
    with most frames of them (as ``fricatives`` and ``gaps`` find them).

    Args:
        items: of the folder.
        most: cuts of each kind. Default 3.
        read: reads a recording. Default ``io.read``.
        tracker: finds F0. Default ``harvest``.

    Returns:
        Places named ``KIND/RECORDING``, by kind, the hardest first. A kind that no recording has
        gives none, and a cut that starts within 1 s of one of an earlier kind is left out.

    Raises:
        InputError: a recording cannot be read.
    """
    found: Mapping[str, list[tuple[_Find, Item, Audio]]] = {kind: [] for kind in FINDERS}
    for item in items:
        if item.kind == "acapella":
            whole = (read or io.read)(item.path)
            song = _listen(whole, tracker)
            for kind, finder in FINDERS.items():
                find = finder(song)
                if find is not None:
                    part = cut(whole, find.start_s, find.start_s + CUT_S)
                    found[kind].append((find, item, part))
    return _hardest(found, most)


def _hardest(found: Mapping[str, list[tuple[_Find, Item, Audio]]], most: int) -> list[Place]:
    """Return the most worth of each kind; what an earlier kind has taken is not taken again."""
    taken: dict[str, list[float]] = {}
    places = []
    for kind, finds in found.items():
        count = 0
        for find, item, part in sorted(finds, key=lambda each: -each[0].worth):
            starts_s = taken.setdefault(item.name, [])
            if count < most and all(abs(find.start_s - each) >= _SAME_S for each in starts_s):
                says = f"{find.says}; from {find.start_s:.2f} s"
                places.append(Place(f"{kind}/{item.name}", kind, part, says))
                starts_s.append(find.start_s)
                count += 1
    return places


def _listen(whole: Audio, tracker: Tracker) -> _Song:
    rate_hz = min(whole.sample_rate_hz, _RATE_HZ)
    mono = io.resample(whole.mono()[None], whole.sample_rate_hz, rate_hz)
    (f0_hz,) = tracker([(mono[0], rate_hz)])
    audio = Audio(mono, rate_hz)
    level = levels_db(audio)
    count = min(len(level), len(f0_hz))
    return _Song(audio, f0_hz[:count], level[:count])


def _high(song: _Song) -> _Find | None:
    held = _held(song)
    if not held:
        return None
    note = max(held, key=lambda each: (each.median_hz, each.frames))
    return _around(song, note, note.median_hz, f"the highest held note, {note.median_hz:.0f} Hz")


def _long(song: _Song) -> _Find | None:
    held = _held(song)
    if not held:
        return None
    note = max(held, key=lambda each: each.frames)
    return _around(song, note, note.frames, f"the longest note, {note.frames * HOP_S:.1f} s")


def _held(song: _Song) -> list[Stretch]:
    """Return held notes within 30 dB of the loud level: quieter ones are echoes and noise."""
    loud = song.level_db >= loud_db(song.level_db) - _RANGE_DB
    return steady_stretches(np.where(loud, song.f0_hz, 0.0))


def _around(song: _Song, note: Stretch, worth: float, says: str) -> _Find:
    middle_s = (note.first + note.frames / 2) * HOP_S
    latest_s = max(0.0, song.audio.seconds - CUT_S)
    return _Find(float(np.clip(middle_s - CUT_S / 2, 0.0, latest_s)), float(worth), says)


def _sibilants(song: _Song) -> _Find | None:
    samples, rate_hz = song.audio.samples[0], song.audio.sample_rate_hz
    marks = np.zeros(len(song.f0_hz), dtype=np.bool_)
    marks[sibilant_frames(samples, rate_hz, song.level_db, song.f0_hz)] = True
    return _richest(song, marks, LEAST_FRAMES, "sibilants")


def _breaths(song: _Song) -> _Find | None:
    if not (song.f0_hz > 0).any():
        return None
    return _richest(song, breath_frames(song.level_db, song.f0_hz), LEAST_FRAMES, "breaths")


def _gaps(song: _Song) -> _Find | None:
    least = round(LEAST_SILENCE_S / HOP_S)
    sung = np.flatnonzero(song.f0_hz > 0)
    between = np.zeros(len(song.f0_hz), dtype=np.bool_)
    if len(sung):
        between[sung[0] : sung[-1]] = True
    return _richest(song, silent_frames(song.level_db) & between, least, "silence between notes")


def _richest(song: _Song, marks: Marks, least: int, what: str) -> _Find | None:
    """Find the 6 s with most marks among those with at least 2 s of singing."""
    width = min(round(CUT_S / HOP_S), len(marks))
    counted, sung = (_counts(each, width) for each in (marks, song.f0_hz > 0))
    counted = np.where(sung >= LEAST_SUNG_S / HOP_S, counted, 0)
    start = int(np.argmax(counted))
    if counted[start] < least:
        return None
    says = f"{counted[start] * HOP_S:.1f} s of {what}"
    return _Find(start * HOP_S, float(counted[start]), says)


def _counts(marks: Marks, width: int) -> NDArray[np.int64]:
    sums = np.cumsum(np.concatenate(([0], marks.astype(np.int64))))
    counts: NDArray[np.int64] = sums[width:] - sums[: len(sums) - width]
    return counts


FINDERS: Mapping[str, Callable[[_Song], _Find | None]] = {
    "high": _high,
    "long": _long,
    "sibilants": _sibilants,
    "breaths": _breaths,
    "gaps": _gaps,
}
KINDS: Sequence[str] = tuple(FINDERS)
