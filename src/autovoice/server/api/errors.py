"""Every error as JSON: a code for programs, a sentence for people, the id of the request."""

from __future__ import annotations

import math
from collections.abc import Mapping, MutableMapping
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from autovoice.errors import (
    AutoVoiceError,
    InputError,
    ResourceError,
    UnsupportedAudio,
    VoiceError,
)
from autovoice.server.database import DatabaseUnavailable
from autovoice.server.files import StorageFull
from autovoice.server.filetable import FileNotFound
from autovoice.server.jobs import IdempotencyConflict, JobNotFound, QueueFull, QuotaExceeded

log = structlog.get_logger(__name__)
LATER_S = 5.0
# The first that fits: status, code, seconds after which to try again.
KNOWN: tuple[tuple[type[AutoVoiceError], int, str, float | None], ...] = (
    (JobNotFound, 404, "job_not_found", None),
    (FileNotFound, 404, "file_not_found", None),
    (IdempotencyConflict, 409, "idempotency_conflict", None),
    (UnsupportedAudio, 415, "unsupported_audio", None),
    (VoiceError, 422, "voice_error", None),
    (InputError, 422, "input_error", None),
    (QueueFull, 503, "queue_full", LATER_S),
    (DatabaseUnavailable, 503, "database_unavailable", LATER_S),
    (StorageFull, 503, "storage_full", 60.0),
    (ResourceError, 503, "out_of_resources", LATER_S),
)
BY_STATUS = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    413: "too_large",
    415: "unsupported_media_type",
    416: "range_not_satisfiable",
}


class ApiError(Exception):
    """A refusal.

    Args:
        status: HTTP status.
        code: for programs; stable.
        message: what was found, what was expected, what to do.
        retry_s: seconds after which to try again, where that helps.
        close: end the connection, as the rest of the request was not read.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        retry_s: float | None = None,
        close: bool = False,
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message
        self.retry_s, self.close = retry_s, close


def as_api_error(error: AutoVoiceError) -> ApiError:
    """Return the refusal that an error of the library is."""
    if isinstance(error, QuotaExceeded):
        return ApiError(429, "quota_exceeded", str(error), retry_s=error.retry_s)
    for kind, status, code, retry_s in KNOWN:
        if isinstance(error, kind):
            return ApiError(status, code, str(error), retry_s=retry_s)
    return ApiError(500, "internal_error", "the service failed; its log tells more")


def body(code: str, message: str, request_id: str) -> dict[str, Any]:
    """Return the body of an error; ``error`` is what clients of OpenAI's API look for."""
    return {
        "code": code,
        "message": message,
        "request_id": request_id,
        "error": {"message": message, "type": code, "code": code, "param": None},
    }


def respond(error: ApiError, request_id: str) -> JSONResponse:
    """Return the response of a refusal."""
    headers: dict[str, str] = {}
    if error.retry_s is not None:
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_s)))
    if error.close:
        headers["Connection"] = "close"
    if error.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse(body(error.code, error.message, request_id), error.status, headers)


def told(error: ApiError | AutoVoiceError, state: MutableMapping[str, Any]) -> ApiError:
    """Return the refusal that an error is, noted for the metrics, and for the log if it is ours.

    Args:
        error: what was raised.
        state: of the request.
    """
    found = error if isinstance(error, ApiError) else as_api_error(error)
    state["rejection"] = found.code
    if found is not error and found.status >= 500 and found.code != "queue_full":
        log.warning("request failed", code=found.code, problem=str(error))
    return found


def install(app: FastAPI) -> None:
    """Answer every exception in the one form."""

    async def refused(request: Request, error: Any) -> JSONResponse:
        return respond(told(error, request.scope["state"]), request.state.request_id)

    async def invalid(request: Request, error: Any) -> JSONResponse:
        found = ApiError(422, "invalid_request", "; ".join(map(_detail, error.errors())))
        return respond(found, request.state.request_id)

    async def plain(request: Request, error: Any) -> JSONResponse:
        code = BY_STATUS.get(error.status_code, "error")
        return respond(ApiError(error.status_code, code, str(error.detail)), _id(request))

    app.add_exception_handler(ApiError, refused)
    app.add_exception_handler(AutoVoiceError, refused)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, plain)


def _id(request: Request) -> str:
    return str(getattr(request.state, "request_id", ""))


def _detail(detail: Mapping[str, Any]) -> str:
    where = ".".join(str(part) for part in detail["loc"] if part != "body")
    return f"{where}: {detail['msg']}"[:300]
