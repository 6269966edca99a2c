"""The service with its real engine: many requests of a second at the same moment; prints JSON.

python -m benchmarks.service_device [--requests 100] [--rounds 3] [--workers 1]
    [--worker-jobs auto] [--device auto]

Starts ``autovoice serve`` with an empty data folder, sends every request at once, each over a
connection of its own, and ends it. A request is all that its user waits for: the song is sent, its
job is looked at every few milliseconds until it is done, and the cover is fetched to the last byte.
Every cover has to be sound of the right length that is not silent.
"""

from __future__ import annotations

import argparse
import asyncio
import io as bytes_io
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import soundfile

from autovoice import io, weights
from autovoice.server.files import raise_file_limit
from benchmarks.concurrency import BEGIN_S, percentiles_ms
from benchmarks.machine import ROOT, about
from benchmarks.service_client import BOUNDARY, answer, get
from benchmarks.service_process import Served, serving
from benchmarks.service_users import FINISHED

# As in ``benchmarks.concurrency``, so that what the service adds shows.
OPTIONS = {"preset": "fast", "semitones": "12", "format": "wav"}
VOICES = ("alpha", "gongitsune", "nezumi", "tebukuro", "kumo")
LOOK_S = 0.02
QUIETEST_RMS = 0.003
MOST_BYTES = 4_000_000_000


@dataclass
class Round:
    """What one round of requests came to.

    Args:
        taken_s: of each request that got its cover.
        failed: what went wrong, and how often.
        stages_s: the engine's own time of each job.
    """

    taken_s: list[float] = field(default_factory=list)
    failed: Counter[str] = field(default_factory=Counter)
    stages_s: list[float] = field(default_factory=list)


def main(words: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.service_device")
    parser.add_argument("--requests", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--worker-jobs", default="auto", help="jobs at once in each")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--warm-up", type=int, default=8, help="requests before those that count")
    parser.add_argument("--no-separate", action="store_true")
    chosen = parser.parse_args(words)
    raise_file_limit()
    begin_s = time.perf_counter()
    with serving(
        ROOT / "src", patience_s=240.0, engine="real", workers=chosen.workers,
        worker_jobs=chosen.worker_jobs, devices=[chosen.device], warm_up_s=[chosen.seconds],
    ) as served:  # fmt: skip
        started_s = time.perf_counter() - begin_s
        found = asyncio.run(_measured(served, chosen))
        found["memory"] = _memory(served)
    command = " ".join(["python -m benchmarks.service_device", *(words or ())])
    head = {"about": about(command), "workers": chosen.workers,
            "worker_jobs": chosen.worker_jobs, "start_s": round(started_s, 1)}  # fmt: skip
    print(json.dumps(head | found, indent=1))


async def _measured(served: Served, chosen: argparse.Namespace) -> dict[str, Any]:
    song = _clip(chosen.seconds)
    options = OPTIONS | {"separate": "false" if chosen.no_separate else "true"}
    requests = [_request(song, options | {"voice": VOICES[number % len(VOICES)]})
                for number in range(chosen.requests)]  # fmt: skip
    if chosen.warm_up:
        await _round(served.port, requests[: chosen.warm_up], chosen.seconds)
    rounds, walls_s = [], []
    for _ in range(chosen.rounds):
        begin_s = time.perf_counter()
        rounds.append(await _round(served.port, requests, chosen.seconds))
        walls_s.append(time.perf_counter() - begin_s)
    taken = [each for one in rounds for each in one.taken_s]
    engine = [each for one in rounds for each in one.stages_s]
    failed: Counter[str] = sum((one.failed for one in rounds), Counter())
    return {
        "requests": chosen.requests,
        "rounds": chosen.rounds,
        "clip_s": chosen.seconds,
        "done": len(taken),
        "failed": dict(failed),
        "requests_per_s": round(len(taken) / sum(walls_s), 2),
        **(percentiles_ms(taken) if taken else {}),
        "engine": percentiles_ms(engine) if engine else {},
    }


async def _round(port: int, requests: Sequence[bytes], seconds: float) -> Round:
    found = Round()
    await asyncio.gather(*(_one(port, request, seconds, found) for request in requests))
    return found


async def _one(port: int, request: bytes, seconds: float, found: Round) -> None:
    """Send one song, wait for its cover, and check that."""
    begin_s = time.perf_counter()
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError as error:
        found.failed[f"connect: {error}"] += 1
        return

    async def ask(words: bytes) -> tuple[int, bytes]:
        writer.write(words)
        return await answer(reader)

    try:
        status, content = await ask(request)
        if status != 202:
            found.failed[f"submit: {status}"] += 1
            return
        path = f"/api/v1/jobs/{json.loads(content)['id']}"
        job: dict[str, Any] = {"state": ""}
        while job["state"] not in FINISHED:
            await asyncio.sleep(LOOK_S)
            status, content = await ask(get(path))
            if status != 200:
                found.failed[f"look: {status}"] += 1
                return
            job = json.loads(content)
        if job["state"] != "done":
            found.failed[f"{job['state']}: {job.get('error')}"] += 1
            return
        status, content = await ask(get(f"{path}/result"))
        taken_s = time.perf_counter() - begin_s
        if status != 200 or not _is_sound(content, seconds):
            found.failed[f"result: {status}"] += 1
            return
        found.taken_s.append(taken_s)
        timings = (job.get("result") or {}).get("timings") or {}
        if "total" in timings:
            found.stages_s.append(float(timings["total"]))
    except (OSError, asyncio.IncompleteReadError) as error:
        found.failed[type(error).__name__] += 1
    finally:
        writer.close()


def _clip(seconds: float) -> bytes:
    """Return a sung stretch of the demo song as a WAV file."""
    song = io.read(weights.file("demo-song", "audio_example.mp3"))
    first = round(BEGIN_S * song.sample_rate_hz)
    cut = song.samples[:, first : first + round(seconds * song.sample_rate_hz)]
    file = bytes_io.BytesIO()
    soundfile.write(file, cut.T, song.sample_rate_hz, format="WAV", subtype="PCM_16")
    return file.getvalue()


def _request(song: bytes, options: Mapping[str, str]) -> bytes:
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in options.items()
    ]
    parts.append(
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
    )
    body = "".join(parts).encode() + song + f"\r\n--{BOUNDARY}--\r\n".encode()
    head = (
        f"POST /api/v1/convert/song HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n"
        f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n\r\n"
    )
    return head.encode() + body


def _is_sound(content: bytes, seconds: float) -> bool:
    """Tell whether a file holds so many seconds of something that is heard."""
    try:
        samples, rate_hz = soundfile.read(bytes_io.BytesIO(content), dtype="float32")
    except (RuntimeError, ValueError):
        return False
    loud = float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))) > QUIETEST_RMS
    whole = abs(len(samples) / rate_hz - seconds) < 0.02
    return bool(np.isfinite(samples).all() and loud and whole)


def _memory(served: Served) -> dict[str, Any]:
    """Return what each role has for itself, and what the card has in use."""
    found: dict[str, Any] = {"own_bytes": dict(served.own_bytes())}
    try:
        asked = ["nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits"]
        used = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return found
    card = int(used.split()[0]) << 20
    return found | {"card_used_bytes": card, "goal_bytes": MOST_BYTES, "held": card < MOST_BYTES}


if __name__ == "__main__":
    main(sys.argv[1:])
