"""What is answered before the routes: the most frequent question, and refusals of a full queue.

Routing and checking of a request cost more than the answer to "how far is my job", and under
overload refusals are most of all answers. Both keep their routes, which say what they are and
answer what is not plain.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from autovoice.errors import AutoVoiceError
from autovoice.server.api.auth import JOB_SCOPES, admitted
from autovoice.server.api.errors import ApiError, respond, told
from autovoice.server.api.service import Service

_JOB = re.compile(r"/api/v1/jobs/(job_[0-9a-f]{24})\Z")
_RETRY = re.compile(r"/api/v1/jobs/[^/]+/retry\Z")
# Whether the request is counted until it is answered: speech is answered long after it is a job.
SUBMISSIONS = {
    "/api/v1/convert/song": True,
    "/api/v1/convert/batch": True,
    "/api/v1/files": True,
    "/api/v1/voices": True,
    "/api/v1/voices/import": True,
    "/api/v1/synthesize": True,
    "/v1/audio/speech": False,
}


@dataclass(frozen=True)
class _Route:
    path: str


class Front:
    """The layer around the routes.

    Args:
        app: the routes.
        service: of which it is.
    """

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self._app, self._service = app, service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] == "http":
            path, method = scope["path"], scope["method"]
            found = _JOB.match(path) if method == "GET" else None
            if found is not None:
                scope["route"] = _Route("/api/v1/jobs/{job_id}")
                await self._look(found[1], scope, receive, send)
                return
            if method == "POST" and (path in SUBMISSIONS or _RETRY.match(path)):
                await self._submission(scope, receive, send)
                return
        await self._app(scope, receive, send)

    async def _look(self, job_id: str, scope: Scope, receive: Receive, send: Send) -> None:
        state = scope["state"]
        try:
            key = Headers(scope=scope).get("authorization", "") if self._service.needs_key else ""
            caller = await admitted(self._service, key, JOB_SCOPES, state)
            content = await self._service.looks.get(job_id, caller.id)
        except (ApiError, AutoVoiceError) as error:
            await respond(told(error, state), state["request_id"])(scope, receive, send)
            return
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(content)).encode()),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    async def _submission(self, scope: Scope, receive: Receive, send: Send) -> None:
        path, state = scope["path"], scope["state"]
        capacity = self._service.capacity
        try:
            self._service.refuse_if_draining()
            await capacity.check()
        except ApiError as error:
            scope["route"] = _Route(path if path in SUBMISSIONS else "/api/v1/jobs/{job_id}/retry")
            await respond(told(error, state), state["request_id"])(scope, receive, send)
            return
        if not SUBMISSIONS.get(path, True):
            await self._app(scope, receive, send)
            return
        with capacity.coming():
            await self._app(scope, receive, send)
