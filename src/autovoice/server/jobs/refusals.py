"""Why the table of jobs says no."""

from __future__ import annotations

from autovoice.errors import AutoVoiceError, InputError, ResourceError


class JobNotFound(InputError):
    """There is no such job, or it is somebody else's."""


class IdempotencyConflict(InputError):
    """The idempotency key was used with another request."""


class QueueFull(ResourceError):
    """As many jobs wait as may."""


class QuotaExceeded(ResourceError):
    """The caller's own limit is reached.

    Args:
        message: for people.
        retry_s: when to try again.
    """

    def __init__(self, message: str, retry_s: float) -> None:
        super().__init__(message)
        self.retry_s = retry_s


class LeaseLost(AutoVoiceError):
    """Another worker has the job now: whatever this one made does not count."""
