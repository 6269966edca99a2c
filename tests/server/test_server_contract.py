"""The OpenAPI document against the service: what it allows and what it forbids is answered."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from api_desk import ApiDesk, tone
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.python.asgi import shutdown_lifespans
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
# Of each route: half of what the document allows, half of what it forbids.
EXAMPLES = 12


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiDesk]:
    made = ApiDesk(
        tmp_path_factory.mktemp("contract"),
        speech_wait_s=2.0,
        quotas={"requests_per_minute": 0, "concurrent_jobs": 0},
    )
    with made.working():
        yield made
    shutdown_lifespans()


@pytest.fixture(scope="module")
def known(desk: ApiDesk) -> dict[str, list[str]]:
    """Ids of what is there, as random ones would meet nothing but 404; and one of nothing."""
    schema = schemathesis.openapi.from_asgi("/openapi.json", desk.app)
    assert schema.raw_schema["openapi"]
    client = desk.client
    jobs = [desk.song().json()["id"], desk.song(voice="poison-input", stems="true").json()["id"]]
    stored = client.post("/api/v1/files", files={"file": ("a.wav", tone())}).json()["id"]
    deadline = time.monotonic() + 60
    while not all(desk.service.table.get(job).is_finished for job in jobs):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return {
        "job_id": [*jobs, "job_none"],
        "file_id": [stored, "file_none"],
        "name": ["kumo", "vocals", "alpha", "nobody"],
    }


def visited(operation: Any, known: dict[str, list[str]]) -> set[int]:
    """Look once at each of what is known, check the answers, and return their statuses."""
    statuses: set[int] = set()
    asked = {parameter.name for parameter in operation.path_parameters}
    for name in sorted(asked & set(known)) if operation.method == "get" else ():
        for value in known[name]:
            others = dict.fromkeys(asked - {name}, "vocals")
            case = operation.Case(path_parameters={name: value} | others)
            answer = case.call()
            statuses.add(answer.status_code)
            case.validate_response(answer, checks=CHECKS)
    return statuses


def exercised(operation: Any, known: dict[str, list[str]]) -> set[int]:
    """Send requests to one route, check the answers, and return what statuses there were."""
    statuses = visited(operation, known)
    modes = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
    cases = st.one_of(*(operation.as_strategy(generation_mode=mode) for mode in modes))

    @given(case=cases, data=st.data())
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def meet(case: Any, data: Any) -> None:
        for name in sorted(set(case.path_parameters or {}) & set(known)):
            if data.draw(st.booleans()):
                case.path_parameters[name] = data.draw(st.sampled_from(known[name]))
        answer = case.call()
        statuses.add(answer.status_code)
        case.validate_response(answer, checks=CHECKS)

    meet()
    return statuses


# Hypothesis sees draws from `random` anywhere in the process, and libraries of the service that
# runs beside it draw from it; the strategies of the requests do not.
@pytest.mark.filterwarnings("ignore:Do not use the `random` module inside strategies")
def test_no_request_meets_a_failure(desk: ApiDesk, known: dict[str, list[str]]) -> None:
    schema = schemathesis.openapi.from_asgi("/openapi.json", desk.app)
    operations = [found.ok() for found in schema.get_all_operations()]
    assert len(operations) >= 25
    # What removes comes last, so that the others meet what is there.
    operations.sort(key=lambda operation: operation.method == "delete")
    seen = {operation.label: exercised(operation, known) for operation in operations}
    reached = {status for statuses in seen.values() for status in statuses}
    assert {200, 202, 404, 422} <= reached, seen
    assert seen["GET /api/v1/jobs/{job_id}/result"] >= {200, 404, 409}, seen
