"""What the tests of the service share: time that moves when told, and jobs."""

from __future__ import annotations

from dataclasses import dataclass

from autovoice.server.jobs import NewJob


@dataclass
class Clock:
    """Time that moves when told."""

    now: float = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def new_job(owner: str = "anna", **values: object) -> NewJob:
    """Return a job to submit."""
    fields: dict[str, object] = {"kind": "convert.song", "request": {}, "files": [], "folder": "f"}
    return NewJob(owner, **{**fields, **values})  # type: ignore[arg-type]
