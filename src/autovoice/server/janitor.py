"""Remove what has outlived its time: finished jobs, unused files, uploads that were broken off."""

from __future__ import annotations

import time

import structlog

from autovoice.server.files import PARTS, FileStore
from autovoice.server.filetable import FileTable
from autovoice.server.jobs import JobTable

log = structlog.get_logger(__name__)


def sweep(
    table: JobTable,
    files: FileTable,
    store: FileStore,
    *,
    retention_s: float,
    receive_s: float,
) -> int:
    """Remove once.

    The rows go first: a crash between leaves a file without a row, which ``remove_orphans`` finds,
    never a row without its file.

    Args:
        table, files, store: what is swept.
        retention_s: how long finished jobs and unused files are kept.
        receive_s: longest time of an upload.

    Returns:
        How many jobs and files were removed.
    """
    before, removed = table.clock() - retention_s, 0
    while expired := table.expired(before):
        for job in expired:
            table.forget(job.id)
            store.remove(job.folder)
            removed += 1
    for one in files.unused(before):
        files.remove(one.id)
        store.remove(one.path)
        removed += 1
    for part in (store.folder / PARTS).iterdir():
        if part.stat().st_mtime < time.time() - 2 * receive_s:
            part.unlink(missing_ok=True)
    if removed:
        log.info("removed what was kept long enough", count=removed)
    return removed
