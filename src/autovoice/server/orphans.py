"""Find and remove files that no row and no voice mentions: what a kill left behind.

A file is on disk before its row is, and a row is gone before its file is, so whatever dies between
leaves a file that nobody will ask for. It is told from one whose row is about to come by its age.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import structlog

from autovoice.server.files import JOBS, UPLOADS, VOICES, FileStore
from autovoice.server.filetable import FileTable
from autovoice.server.jobs import JobTable
from autovoice.server.voicebank import PREVIEW
from autovoice.voices.file import SUFFIX

log = structlog.get_logger(__name__)
# So many names are asked for in one query.
AT_ONCE = 400


def remove_orphans(table: JobTable, files: FileTable, store: FileStore, grace_s: float) -> int:
    """Remove what nothing mentions, of a folder that the database knows.

    A database without any row is taken for the wrong one, and nothing is removed.

    Args:
        table, files, store: what is compared.
        grace_s: how old a file has to be, by the last change of it or of anything in it.

    Returns:
        How many files and folders were removed.

    Raises:
        DatabaseUnavailable: nothing was removed.
    """
    if table.is_empty() and files.is_empty():
        if any(_old(store, UPLOADS, 0.0)) or any(_old(store, JOBS, 0.0)):
            log.warning("the database is empty and the data folder is not; nothing is removed")
        return 0
    removed = _remove(_unknown(store, UPLOADS, grace_s, files.known_paths))
    removed += _remove(_unknown(store, JOBS, grace_s, table.known_folders))
    removed += _remove(_unfinished_voices(store, grace_s))
    if removed:
        log.info("removed what nothing mentions", count=removed)
    return removed


def _unknown(
    store: FileStore, room: str, grace_s: float, known: Callable[[Sequence[str]], set[str]]
) -> Iterator[Path]:
    """Yield what is old enough and has no row; the disk is read first, so that rows are newer."""
    names = {path.relative_to(store.folder).as_posix(): path for path in _old(store, room, grace_s)}
    asked = list(names)
    for start in range(0, len(asked), AT_ONCE):
        part = asked[start : start + AT_ONCE]
        for name in set(part) - known(part):
            yield names[name]


def _old(store: FileStore, room: str, grace_s: float) -> Iterator[Path]:
    for path in (store.folder / room).glob("*/*"):
        if _age_s(path) > grace_s:
            yield path


def _unfinished_voices(store: FileStore, grace_s: float) -> Iterator[Path]:
    """Yield temporary files, and previews of voices that there are not."""
    for path in (store.folder / VOICES).glob("*/*"):
        voice = path.with_name(path.name.removesuffix(PREVIEW) + SUFFIX)
        is_alone = path.name.endswith(PREVIEW) and not voice.exists()
        if (path.name.startswith(".") or is_alone) and _age_s(path) > grace_s:
            yield path


def _age_s(path: Path) -> float:
    """Return the seconds since the last change; 0 of what has just vanished."""
    try:
        newest = path.lstat().st_mtime
        if path.is_dir():
            newest = max([newest, *(one.lstat().st_mtime for one in path.rglob("*"))])
    except FileNotFoundError:
        return 0.0
    return time.time() - newest


def _remove(paths: Iterator[Path]) -> int:
    count = 0
    for path in paths:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
        count += 1
    return count
