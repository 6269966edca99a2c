"""The table of jobs: what was accepted, who works on it, and what came of it."""

from autovoice.server.jobs.records import Job, Lease, Limits, NewJob, News, Signal
from autovoice.server.jobs.refusals import (
    IdempotencyConflict,
    JobNotFound,
    LeaseLost,
    QueueFull,
    QuotaExceeded,
)
from autovoice.server.jobs.table import JobTable

__all__ = [
    "IdempotencyConflict",
    "Job",
    "JobNotFound",
    "JobTable",
    "Lease",
    "LeaseLost",
    "Limits",
    "NewJob",
    "News",
    "QueueFull",
    "QuotaExceeded",
    "Signal",
]
