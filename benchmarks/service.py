"""Measure the service under load on this machine, with the engine of fixed speed; prints JSON.

python -m benchmarks.service --seconds 20 [--against OTHER/src]

Two loads, each on a service of its own, with client and service on the same cores:

- looking: 100 connections, each with a request for a job in flight all the time, while jobs run.
- overload: songs come at five times the rate at which the engine ends jobs. What does not fit the
  queue has to be refused quickly, and the engine has to end as many jobs as without the crowd.

``--against`` measures another checkout in turns with this one, so that both see the same machine.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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

CONNECTIONS, TIMES_OVER = 100, 5
# Four chunks of the fake engine; long enough that jobs run all the time.
SONG = b"RIFF\xff\xff\x00\x00WAVEfmt " + bytes(200_000)
SHORT_SONG = SONG[:16_000]
BASE: dict[str, Any] = {
    "engine": "fake", "workers": 2, "free_bytes": 0, "max_streams": 0, "log_level": "info",
}  # fmt: skip


@contextlib.contextmanager
def serving(source: Path, **settings: Any) -> Iterator[int]:
    """Yield the port of a service that runs the code of ``source``."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "load.toml"
        quotas = settings.pop("quotas", {"requests_per_minute": 0, "concurrent_jobs": 0})
        values = {**BASE, "data_dir": f"{folder}/data", **settings}
        lines = [f"{key} = {json.dumps(value)}" for key, value in values.items()]
        lines += ["[quotas]", *(f"{key} = {value}" for key, value in quotas.items())]
        config.write_text("\n".join(lines))
        with (Path(folder) / "said").open("w+b") as said:
            process = subprocess.Popen(
                [sys.executable, "-m", "autovoice", "serve", "--port", "0", "--config", config],
                env={**os.environ, "PYTHONPATH": str(source)},
                stderr=said,
            )
            try:
                yield asyncio.run(_ready(Path(folder) / "said"))
            finally:
                process.terminate()
                process.wait(60)


async def _ready(said: Path) -> int:
    """Return the port, once the service takes work."""
    port = 0
    for _ in range(600):
        await asyncio.sleep(0.1)
        _, found, address = said.read_text(errors="replace").partition("url=http://127.0.0.1:")
        port = int(address.split()[0]) if found and address.split() else 0
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            if port and (await ask(port, get("/health/ready")))[0] == 200:
                return port
    raise SystemExit(f"the service did not start:\n{said.read_text(errors='replace')[-2000:]}")


def looking(source: Path, seconds: float) -> dict[str, Any]:
    """Measure how long it takes to look at a job."""
    with serving(source, fake_chunk_s=0.05) as port:

        async def run() -> tuple[Answers, float]:
            ids = []
            for _ in range(CONNECTIONS):
                _, content = await ask(port, upload("/api/v1/convert/song", SONG))
                ids.append(json.loads(content)["id"])
            requests = [get(f"/api/v1/jobs/{job}") for job in ids]
            before = await _finished(port)
            found = await closed_loop(port, requests, seconds)
            return found, await _finished(port) - before

        found, finished = asyncio.run(run())
    good = found.of(200, 300)
    return {
        "requests_per_s": round(len(good) / seconds, 1),
        "p50_ms": _ms(good, 0.5),
        "p99_ms": _ms(good, 0.99),
        "worst_ms": _ms(good, 1.0),
        "other_answers": len(found.status) - len(good),
        "jobs_finished": finished,
    }


def overload(source: Path, seconds: float) -> dict[str, Any]:
    """Measure refusals, and what the engine still does, under five times its load."""
    request = upload("/api/v1/convert/song", SHORT_SONG)
    with serving(source, fake_chunk_s=0.1, max_queued=40) as port:

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
        "refused_p50_ms": _ms(refused, 0.5),
        "refused_p99_ms": _ms(refused, 0.99),
        "refused_worst_ms": _ms(refused, 1.0),
        "accepted_p99_ms": _ms(found.of(202, 203), 0.99),
        "answers": dict(Counter(map(str, found.status))),
        "finished_per_s_calm": round(calm_per_s, 2),
        "finished_per_s": round(busy_per_s, 2),
        "goodput": round(busy_per_s / calm_per_s, 3),
    }


async def _finished(port: int) -> float:
    _, content = await ask(port, get("/metrics"))
    lines = content.decode().splitlines()
    name = "autovoice_jobs_finished_total{"
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))


def _ms(values: list[float], share: float) -> float:
    return round(1000 * percentile(values, share), 1)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seconds", type=float, default=20.0, help="of each load")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--against", type=Path, help="source folder of another checkout")
    options = parser.parse_args()
    gc.freeze()  # a client that looks for garbage is late, too
    sources = {"this": ROOT / "src"}
    if options.against:
        sources["other"] = options.against.resolve()
    found: dict[str, Any] = {
        "about": about(f"python -m benchmarks.service --seconds {options.seconds:g}")
    }
    for number in range(options.rounds):
        for name, source in sources.items():
            for load in (looking, overload):
                key = f"{load.__name__} {name} {number + 1}"
                found[key] = load(source, options.seconds)
                print(key, json.dumps(found[key]), file=sys.stderr)
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
