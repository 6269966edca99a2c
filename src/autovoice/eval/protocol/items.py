"""What an evaluation folder holds: ``manifest.csv`` and the recordings that it lists."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from autovoice.errors import InputError

MANIFEST = "manifest.csv"
COLUMNS = ("file", "kind", "speaker_id", "sex", "language", "seconds")
KINDS = ("acapella", "song_mix", "speech_ref", "vocal_stem", "accompaniment")


@dataclass(frozen=True)
class Item:
    """A recording of the folder.

    Args:
        name: the file's name without its ending.
        path: where it is.
        kind: ``acapella``, ``song_mix``, ``speech_ref``, ``vocal_stem`` or ``accompaniment``.
        speaker: who it is; empty where there is nobody.
        sex: ``f``, ``m``, or empty where it is not known.
        language: such as ``en``; empty where it is not known.
        seconds: length.
    """

    name: str
    path: Path
    kind: str
    speaker: str
    sex: str
    language: str
    seconds: float


def read_items(folder: Path) -> tuple[Item, ...]:
    """Read the manifest of an evaluation folder.

    What the manifest guesses counts as known: a language ``en?`` is ``en``, and ``en(zh L1)`` is
    ``en`` too, as that is what is spoken. Where the sex of one recording is open, that of the same
    speaker's others is taken.

    Args:
        folder: holds ``manifest.csv`` and the files; columns as in ``COLUMNS``, others are free.

    Raises:
        InputError: there is no manifest, it lacks columns, or files that it lists are missing.
    """
    path = folder / MANIFEST
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path}: found no manifest ({error}); expected an evaluation folder with "
            f"{MANIFEST} (columns {', '.join(COLUMNS)}) beside its recordings"
        ) from error
    reader = csv.DictReader(text.splitlines())
    missing = [column for column in COLUMNS if column not in (reader.fieldnames or ())]
    if missing:
        raise InputError(f"{path}: found no column {', '.join(missing)}; add it")
    items = [_item(folder, row, f"{path}, line {reader.line_num}") for row in reader]
    _check(path, items)
    known = {item.speaker: item.sex for item in items if item.sex and item.speaker}
    return tuple(replace(item, sex=item.sex or known.get(item.speaker, "")) for item in items)


def known_stems(items: Iterable[Item], mix: Item) -> tuple[Item, Item] | None:
    """Return the vocals and the backing that a mix was made of, None where they are not there.

    They bear the name of the mix with ``_voc`` and ``_acc`` in the place of ``_mix``.
    """
    by_name = {item.name: item for item in items}
    stem = mix.name.removesuffix("_mix")
    found = by_name.get(f"{stem}_voc"), by_name.get(f"{stem}_acc")
    return (found[0], found[1]) if found[0] and found[1] and stem != mix.name else None


def _item(folder: Path, row: Mapping[str, str | None], where: str) -> Item:
    cell = {column: (row[column] or "").strip() for column in COLUMNS}
    if cell["kind"] not in KINDS:
        raise InputError(f"{where}: kind: found {cell['kind']!r}, expected {', '.join(KINDS)}")
    try:
        seconds = float(cell["seconds"])
    except ValueError:
        raise InputError(
            f"{where}: seconds: found {cell['seconds']!r}, expected a number"
        ) from None
    language = cell["language"].partition("(")[0].rstrip("?").strip()
    sex = cell["sex"][:1].lower()
    return Item(
        name=Path(cell["file"]).stem,
        path=folder / cell["file"],
        kind=cell["kind"],
        speaker=cell["speaker_id"],
        sex=sex if sex in {"f", "m"} else "",
        language=language,
        seconds=seconds,
    )


def _check(path: Path, items: Sequence[Item]) -> None:
    names = [item.name for item in items]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"{path}: found twice: {', '.join(twice)}; names must differ")
    lost = [item.path.name for item in items if not item.path.is_file()]
    if lost:
        raise InputError(
            f"{path}: lists files that are not there: {', '.join(lost)}; "
            "add them, or take their lines out"
        )
