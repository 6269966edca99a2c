"""The records that the table of jobs takes and gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

QUEUED, RUNNING, DONE, FAILED, CANCELLED = "queued", "running", "done", "failed", "cancelled"
# Kinds of speech: kept as a file to be fetched, or heard by a caller who waits for it.
SPEECH, SPOKEN_NOW = "speech", "speech.stream"
ACTIVE = (QUEUED, RUNNING)
FINISHED = (DONE, FAILED, CANCELLED)
STATES = (*ACTIVE, *FINISHED)
# What a heartbeat brings back: go on, stop as the caller asked, or stop as the lease is gone.
Signal = Literal["held", "cancel", "lost"]


@dataclass(frozen=True)
class NewJob:
    """A job to be accepted.

    Args:
        owner: who submits it.
        kind: ``convert.song``, ``voice.create``, ``speech`` or ``speech.stream``.
        request: what to do, checked.
        files: ids of the uploaded files, in order.
        folder: where its results go, within the data folder.
        audio_s: claimed length of the audio, seconds; 0 where unknown.
        idempotency_key, body_hash: of the request; None without a key.
        trace: ``traceparent`` of the request; None where it is not traced.
    """

    owner: str
    kind: str
    request: Mapping[str, Any]
    files: Sequence[str]
    folder: str
    audio_s: float = 0.0
    idempotency_key: str | None = None
    body_hash: str | None = None
    trace: str | None = None


@dataclass(frozen=True)
class StoredFile:
    """A row of the table of files; see ``tables.files``."""

    id: str
    owner: str
    path: str
    name: str
    bytes: int
    sha256: str
    seconds: float | None
    created_at: float
    used_at: float


@dataclass(frozen=True)
class Limits:
    """What a submission must not exceed; 0 means no limit.

    Args:
        active: jobs queued and running, of everybody.
        own_active: of the owner.
        own_audio_s: of the owner in the last 24 hours, seconds.
    """

    active: int = 0
    own_active: int = 0
    own_audio_s: float = 0.0


@dataclass(frozen=True)
class Job:
    """A row of the table; see ``tables.jobs``."""

    id: str
    owner: str
    kind: str
    state: str
    request: Mapping[str, Any]
    files: Sequence[str]
    folder: str
    audio_s: float
    bytes: int
    created_at: float
    updated_at: float
    not_before: float
    attempt: int
    stalled: int
    overall: float
    progress: Mapping[str, float]
    chunks_done: int
    cancel_requested: bool
    version: int
    started_at: float | None = None
    finished_at: float | None = None
    worker: str | None = None
    lease_token: str | None = None
    lease_until: float | None = None
    heartbeat_at: float | None = None
    stage: str | None = None
    chunks_total: int | None = None
    result: Mapping[str, Any] | None = None
    error: Mapping[str, Any] | None = None
    idempotency_key: str | None = None
    body_hash: str | None = None
    trace: str | None = None

    @property
    def is_finished(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.state in FINISHED


@dataclass(frozen=True)
class Lease:
    """A job that one worker has for a while.

    Args:
        job: as it was when it was taken.
        token: proves that the lease is still this one.
    """

    job: Job
    token: str


@dataclass(frozen=True)
class News:
    """How far a job is.

    Args:
        stage: what it is at; empty for what was told before.
        overall: how much of the whole is done, 0 to 1; it never falls.
        progress: of each stage that is named, 0 to 1.
        chunks: how many are safe on disk, and of how many, where that is known; None as before.
    """

    stage: str = ""
    overall: float = 0.0
    progress: Mapping[str, float] = field(default_factory=dict)
    chunks: tuple[int, int | None] | None = None


@dataclass(frozen=True)
class Observation:
    """One value for a histogram that outlives processes.

    Args:
        name: of the histogram.
        label: its label values, joined by ``|``.
        value: in base units.
        times: how often it was seen.
    """

    name: str
    label: str
    value: float
    times: int = 1


@dataclass(frozen=True)
class Outcome:
    """What a worker made of a job.

    Args:
        result: for the caller; paths are within the job's folder.
        bytes: of what was written.
        audio_s: true length of the audio, seconds.
        observations: for the metrics.
    """

    result: Mapping[str, Any]
    bytes: int = 0
    audio_s: float = 0.0
    observations: Sequence[Observation] = field(default_factory=tuple)
