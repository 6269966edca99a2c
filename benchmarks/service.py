"""Measure the service under load on this machine, with the engine of fixed speed; prints JSON.

python -m benchmarks.service --seconds 20 [--loads looking overload] [--against OTHER/src]

Four loads, each on a service of its own, with client and service on the same cores:

- looking: 100 connections, each with a request for a job in flight all the time, while jobs run.
- overload: songs come at five times the rate at which the engine ends jobs. What does not fit the
  queue has to be refused quickly, and the engine has to end as many jobs as without the crowd.
- sustained: 100 users, each with a request in flight all the time: send a song, look at it until
  it is done, fetch the result, and again.
- sockets: 1,000 live sessions that say nothing; what memory each takes.

``--against`` measures another checkout in turns with this one, so that both see the same machine.
``--page`` writes docs/benchmarks.md, too.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from autovoice.server.files import raise_file_limit
from benchmarks import page, service_page
from benchmarks.machine import ROOT, about
from benchmarks.service_client import (
    Answers,
    ask,
    closed_loop,
    get,
    open_loop,
    percentile,
    upload,
)
from benchmarks.service_process import Served, serving, shares
from benchmarks.service_sockets import Socket
from benchmarks.service_users import FINISHED, users

CONNECTIONS, TIMES_OVER, SOCKETS = 100, 5, 1000
# Four chunks of the fake engine; long enough that jobs run all the time.
SONG = b"RIFF\xff\xff\x00\x00WAVEfmt " + bytes(200_000)
SHORT_SONG = SONG[:16_000]


def looking(source: Path, seconds: float) -> dict[str, Any]:
    """Measure how long it takes to look at a job."""
    with serving(source, fake_chunk_s=0.05) as served:
        port = served.port

        async def run() -> tuple[Answers, float, Any]:
            ids = []
            for _ in range(CONNECTIONS):
                _, content = await ask(port, upload("/api/v1/convert/song", SONG))
                ids.append(json.loads(content)["id"])
            requests = [get(f"/api/v1/jobs/{job}") for job in ids]
            before, begun, taken = await _finished(port), time.perf_counter(), served.cpu_s()
            found = await closed_loop(port, requests, seconds)
            cores = shares(taken, served.cpu_s(), time.perf_counter() - begun)
            return found, await _finished(port) - before, cores

        found, finished, cores = asyncio.run(run())
    good = found.of(200, 300)
    return {
        "requests_per_s": round(len(good) / seconds, 1),
        **_times(good),
        "other_answers": len(found.status) - len(good),
        "jobs_finished": finished,
        "cores": cores,
    }


def overload(source: Path, seconds: float) -> dict[str, Any]:
    """Measure refusals, and what the engine still does, under five times its load."""
    request = upload("/api/v1/convert/song", SHORT_SONG)
    with serving(source, fake_chunk_s=0.1, max_queued=40) as served:
        port = served.port

        async def run(per_s: float) -> tuple[Answers, float]:
            await open_loop(port, request, per_s, 3.0)  # fills the queue
            before = await _finished(port)
            load = asyncio.create_task(open_loop(port, request, per_s, seconds + 2.0))
            await asyncio.sleep(seconds)
            finished = await _finished(port) - before
            return await load, finished / seconds

        _, calm_per_s = asyncio.run(run(25.0))
        found, busy_per_s = asyncio.run(run(TIMES_OVER * calm_per_s))
    refused = found.of(503, 504) + found.of(429, 430)
    return {
        "offered_per_s": round(TIMES_OVER * calm_per_s, 1),
        **{f"refused_{name}": value for name, value in _times(refused).items()},
        "accepted_p99_ms": _ms(found.of(202, 203), 0.99),
        "answers": dict(Counter(map(str, found.status))),
        "finished_per_s_calm": round(calm_per_s, 2),
        "finished_per_s": round(busy_per_s, 2),
        "goodput": round(busy_per_s / calm_per_s, 3),
    }


def sustained(source: Path, seconds: float) -> dict[str, Any]:
    """Measure what users of the whole way see: nothing lost, no failure of the service."""
    with serving(source, fake_chunk_s=0.05) as served:
        memory, taken, begun = [served.own_bytes()], served.cpu_s(), time.perf_counter()
        seen = asyncio.run(users(served.port, CONNECTIONS, SONG, seconds))
        took_s = time.perf_counter() - begun
        cores = shares(taken, served.cpu_s(), took_s)
        memory.append(served.own_bytes())
        left = asyncio.run(_unfinished(served.port))
    statuses = seen.sent.status + seen.looked.status + seen.fetched.status
    return {
        "seconds": round(took_s, 1),
        "requests_per_s": round(len(statuses) / took_s, 1),
        "answers": dict(Counter(map(str, statuses))),
        "failures_5xx": sum(status >= 500 for status in statuses),
        "broken_connections": seen.broken,
        "accepted": seen.accepted,
        "ended": {state: seen.ended[state] for state in sorted(FINISHED)},
        "lost": seen.lost + left,
        "sounds": len(seen.sounds),
        "look": _times(seen.looked.of(200, 300)),
        "send": _times(seen.sent.of(202, 203)),
        "fetch": _times(seen.fetched.of(200, 300)),
        "cores": cores,
        "api_mb": [round(one["api"] / 1e6, 1) for one in memory],
    }


def sockets(source: Path, seconds: float) -> dict[str, Any]:
    """Measure what memory WebSockets take: only connected, and with a session that says nothing."""
    raise_file_limit()

    async def run(served: Served) -> dict[str, Any]:
        empty = served.own_bytes()
        opened = [await Socket.open(served.port) for _ in range(SOCKETS)]
        connected = served.own_bytes()
        for socket in opened:
            await socket.start()
        await asyncio.sleep(min(seconds, 20.0))  # a session without a word ends after 30 s
        started = served.own_bytes()
        begun = time.perf_counter()
        alive = sum(await asyncio.gather(*(socket.converted() for socket in opened)))
        took_s = time.perf_counter() - begun
        for socket in opened:
            socket.close()
        return {
            "sockets": SOCKETS,
            "connected": _each(empty, connected),
            "in_session": _each(empty, started),
            "alive": alive,
            "all_at_once_s": round(took_s, 2),
        }

    with serving(source, max_streams=SOCKETS, workers=1) as served:
        return asyncio.run(run(served))


def _each(before: Mapping[str, int], after: Mapping[str, int]) -> dict[str, float]:
    """Return by how many kB (1000 bytes) per socket each process grew, and all of them."""
    grown = {role: (after[role] - before[role]) / 1000 / SOCKETS for role in after}
    return {role: round(kb, 1) for role, kb in (*grown.items(), ("all", sum(grown.values())))}


async def _finished(port: int) -> float:
    _, content = await ask(port, get("/metrics"))
    lines = content.decode().splitlines()
    name = "autovoice_jobs_finished_total{"
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))


async def _unfinished(port: int) -> int:
    """Return how many jobs wait or run."""
    _, content = await ask(port, get("/metrics"))
    lines = content.decode().splitlines()
    states = [line for line in lines if line.startswith("autovoice_jobs_in_state{")]
    return round(sum(float(line.rpartition(" ")[2]) for line in states))


def _times(values: list[float]) -> dict[str, float]:
    names = {"p50_ms": 0.5, "p99_ms": 0.99, "worst_ms": 1.0}
    return {name: _ms(values, share) for name, share in names.items()}


def _ms(values: list[float], share: float) -> float:
    return round(1000 * percentile(values, share), 1)


LOADS: Mapping[str, Callable[[Path, float], dict[str, Any]]] = {
    "looking": looking, "overload": overload, "sustained": sustained, "sockets": sockets,
}  # fmt: skip


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seconds", type=float, default=20.0, help="of each load")
    parser.add_argument("--loads", nargs="+", choices=LOADS, default=["looking", "overload"])
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--against", type=Path, help="source folder of another checkout")
    parser.add_argument("--page", action="store_true", help="write docs/benchmarks.md")
    options = parser.parse_args()
    gc.freeze()  # a client that looks for garbage is late, too
    sources = {"this": ROOT / "src"}
    if options.against:
        sources["other"] = options.against.resolve()
    words = f"--loads {' '.join(options.loads)} --seconds {options.seconds:g}"
    words += f" --rounds {options.rounds}" + (" --against OTHER/src" if options.against else "")
    made = about(f"python -m benchmarks.service {words}")
    found: dict[str, Any] = {}
    for number in range(options.rounds):
        for name, source in sources.items():
            for load in options.loads:
                rounds = found.setdefault(load, {}).setdefault(name, [])
                rounds.append(LOADS[load](source, options.seconds))
                print(f"{load} {name} {number + 1}", json.dumps(rounds[-1]), file=sys.stderr)
    for load in options.loads if options.page else ():
        page.write(service_page.section(load, found[load]), made, ROOT / "docs" / "benchmarks.md")
    print(json.dumps({"about": made, **found}, indent=1))


if __name__ == "__main__":
    main()
