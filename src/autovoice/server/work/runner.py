"""What a worker needs of an engine; a pool of machines or another engine fits behind it too."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from autovoice.errors import ResourceError
from autovoice.server.jobs.records import Outcome

if TYPE_CHECKING:
    from autovoice.engine import Progress
    from autovoice.server.settings import WorkerJobs


# On a GPU: jobs that run beside one another share passes there, and wait for the CPU in turns.
GPU_JOBS = 8


def jobs_at_once(wanted: WorkerJobs, device: str) -> int:
    """Return how many jobs a worker runs at once.

    On the CPU one song takes all cores, and the memory of several adds up.

    >>> jobs_at_once("auto", "cpu"), jobs_at_once("auto", "cuda:0"), jobs_at_once(3, "cpu")
    (1, 8, 3)
    """
    if wanted != "auto":
        return wanted
    return GPU_JOBS if device.startswith("cuda") else 1


class StickyDeviceError(ResourceError):
    """The device is of no use to this process any more: the process has to end."""


@dataclass(frozen=True)
class Task:
    """A job as a runner sees it.

    Args:
        id: of the job.
        kind: see ``NewJob``.
        owner: whose it is.
        request: what to do.
        inputs: the uploaded files.
        folder: the job's own; pieces of earlier attempts are in ``pieces`` below it.
        attempt: results go into a folder of this number below ``folder``, so that a late writer
            cannot change what another attempt has finished.
    """

    id: str
    kind: str
    owner: str
    request: Mapping[str, Any]
    inputs: Sequence[Path]
    folder: Path
    attempt: int

    @property
    def pieces(self) -> Path:
        """Folder of the chunks that are safe already."""
        return self.folder / "pieces"

    @property
    def outputs(self) -> Path:
        """Folder of this attempt's results."""
        return self.folder / str(self.attempt)


class Desk(Protocol):
    """Where a runner reports while it works."""

    def stopping(self) -> bool:
        """Tell whether to raise ``Cancelled`` now; asked at least once a chunk."""
        ...

    def progress(self, stage: str, fraction: float, overall: float) -> None:
        """Say how far the stage and the whole are, 0 to 1."""
        ...

    def checkpoint(self, done: int, total: int | None) -> None:
        """Say that so many chunks are safe on disk."""
        ...


class Runner(Protocol):
    """An engine on one device; ``run`` may be called from several threads."""

    device: str

    def load(self) -> None:
        """Bring the models in, before the first job."""
        ...

    def run(self, task: Task, desk: Desk) -> Outcome:
        """Do a job.

        Raises:
            InputError: the request cannot be done, now or later.
            Cancelled: ``desk.stopping`` said so.
            StickyDeviceError: the process has to end.
            ResourceError, WeightsError: may work later.
        """
        ...


def listener(desk: Desk) -> Callable[[Progress], None]:
    """Return what passes an engine's reports on to the desk."""

    def hear(report: Progress) -> None:
        desk.progress(report.stage, report.fraction, report.overall)

    return hear
