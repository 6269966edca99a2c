"""The service as processes: killed at random, stopped in good order, starved of its disk."""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from api_desk import tone
from process_desk import Running, alive, environment, form, running

GRACE_S = 60.0
WORKERS = ("worker-0", "worker-1")


def noise(length: int, seed: int) -> bytes:
    return b"RIFF\0\0\0\0WAVEfmt " + random.Random(seed).randbytes(length)


@pytest.mark.parametrize(
    ("workers", "worker_jobs", "count", "kills"), [(2, 1, 100, 20), (1, 4, 40, 8)]
)
def test_kill_9_at_random_points_loses_no_job(
    tmp_path: Path, workers: int, worker_jobs: int, count: int, kills: int
) -> None:
    """Every accepted job ends done exactly once, with the bytes of an undisturbed run."""
    contents = [noise(200_000 + 1000 * seed, seed) for seed in range(4)]
    with running(tmp_path / "calm", workers=workers) as calm:
        wanted = []
        for index, content in enumerate(contents):
            job = calm.submit(calm.upload(content), f"k{index}")
            calm.until(lambda job=job: calm.jobs()[job]["state"] == "done", "a calm job is done")
            wanted.append(calm.insist("GET", f"/api/v1/jobs/{job}/result")[1])
    chance = random.Random(20)
    victims = ["api", *[f"worker-{index}" for index in range(workers)]]
    settings = {"workers": workers, "worker_jobs": worker_jobs, "fake_chunk_s": 0.03}
    with running(tmp_path / "storm", **settings) as storm:
        files = [storm.upload(content) for content in contents]
        jobs: dict[str, int] = {}
        for number in range(count):
            jobs[storm.submit(files[number % 4], f"job-{number}")] = number % 4
            if number % (count // kills) == 0:
                storm.until(
                    lambda: [one for one in victims if storm.runs(one)], "one can be killed"
                )
                storm.kill(chance.choice([one for one in victims if storm.runs(one)]))
                time.sleep(chance.uniform(0.0, 0.2))
        storm.until(
            lambda: all(job["state"] == "done" for job in storm.jobs().values()),
            "all jobs are done",
        )
        found = storm.jobs()
        assert set(found) == set(jobs)
        for job_id, kind in jobs.items():
            status, content = storm.insist("GET", f"/api/v1/jobs/{job_id}/result")
            assert (status, content == wanted[kind]) == (200, True)
        text = storm.insist("GET", "/metrics")[1].decode()
        assert f'finished_total{{kind="convert.song",outcome="done"}} {count}.0' in text
        ended = [event for event in storm.events if event.get("event") == "process ended"]
        assert len(ended) >= kills


def test_a_job_goes_on_from_its_last_chunk(tmp_path: Path) -> None:
    folder = tmp_path / "d" / "jobs"
    with running(tmp_path / "d", fake_chunk_s=0.2) as service:
        job = service.submit(service.upload(noise(1_200_000, 1)), "k")
        service.until(lambda: service.jobs()[job]["chunks_done"] >= 5, "five chunks are done")
        kept = {one.name: one.stat().st_mtime_ns for one in folder.rglob("pieces/[!.]*")}
        service.kill("worker-0")
        service.until(lambda: service.jobs()[job]["state"] == "done", "the job is done")
        assert service.jobs()[job]["attempt"] == 2
        after = {one.name: one.stat().st_mtime_ns for one in folder.rglob("pieces/[!.]*")}
        assert len(after) == 19
        assert len(kept) >= 5
        assert {name: after[name] for name in kept} == kept  # none was made again


def test_a_storm_of_cancellations_leaves_books_that_balance(tmp_path: Path) -> None:
    """Eight callers cancel and remove the same sixty jobs in other orders, while workers work."""
    count = 60
    with running(tmp_path / "d", workers=2, fake_chunk_s=0.02) as service:
        file = service.upload(noise(150_000, 1))
        jobs = [service.submit(file, f"storm-{number}") for number in range(count)]
        pids = dict(service.pids)
        seen: list[int] = []

        def cancel(seed: int) -> None:
            for job in random.Random(seed).sample(jobs, count):
                seen.append(service.request("DELETE", f"/api/v1/jobs/{job}")[0])

        threads = [threading.Thread(target=cancel, args=(seed,)) for seed in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(seen) == 8 * count
        assert set(seen) <= {200, 202, 404}
        assert seen.count(200) <= count  # each was removed once at most
        service.until(
            lambda: not [j for j in service.jobs().values() if j["state"] in {"queued", "running"}],
            "no job is left over",
        )
        assert {job["state"] for job in service.jobs().values()} <= {"cancelled", "done"}
        lines = service.insist("GET", "/metrics")[1].decode().splitlines()
        finished = [line for line in lines if line.startswith("autovoice_jobs_finished_total{")]
        assert sum(float(line.split()[-1]) for line in finished) == count
        assert not [line for line in finished if "failed" in line]
        again = service.submit(file, "afterwards")
        service.until(lambda: service.jobs()[again]["state"] == "done", "the next job is done")
        assert service.pids == pids  # nobody died of it


@pytest.mark.parametrize("worker_jobs", [1, 4])
def test_poison_does_not_stop_the_queue(tmp_path: Path, worker_jobs: int) -> None:
    with running(tmp_path / "d", worker_jobs=worker_jobs, fake_chunk_s=0.1) as service:
        file = service.upload()
        before = [service.submit(file, f"before-{number}") for number in range(3)]
        poison = service.submit(file, "poison", voice="poison-kill")
        after = [service.submit(file, f"after-{number}") for number in range(3)]
        healthy = [*before, *after]
        service.until(
            lambda: {service.jobs()[job]["state"] for job in healthy} == {"done"},
            "the healthy jobs are done",
        )
        service.until(lambda: service.jobs()[poison]["state"] == "failed", "poison fails")
        found = service.jobs()[poison]
        assert found["attempt"] == 3
        assert found["error"]["code"] == "worker_lost"


def test_sigterm_ends_in_good_order(tmp_path: Path) -> None:
    """Ready says no at once, the chunk at hand is kept, nothing is left running."""
    settings = {"fake_chunk_s": 0.3, "grace_s": GRACE_S, "workers": 2, "worker_jobs": 2,
                "max_streams": 8}  # fmt: skip
    with running(tmp_path / "d", **settings) as service:
        file = service.upload(noise(2_000_000, 1))
        jobs = [service.submit(file, f"k{number}") for number in range(3)]
        service.until(
            lambda: min(service.jobs()[job]["chunks_done"] for job in jobs) >= 2,
            "two chunks of each are done",
        )
        pids = list(service.pids.values())
        # While the workers stand still, nothing can end before it was looked at.
        for label in WORKERS:
            os.kill(service.pids[label], signal.SIGSTOP)
        service.process.send_signal(signal.SIGTERM)
        service.until(lambda: service.get("/health/ready")[0] == 503, "ready says no")
        assert service.get("/health/live")[0] == 200
        for label in WORKERS:
            os.kill(service.pids[label], signal.SIGCONT)
        assert service.stop(signal.SIGTERM) < GRACE_S
        assert service.process.returncode == 0
        assert not any(alive(pid) for pid in pids)
    with running(tmp_path / "d", fake_chunk_s=0.0) as service:
        for job in jobs:
            service.until(lambda job=job: service.jobs()[job]["state"] == "done", "the job went on")
            assert service.jobs()[job]["attempt"] == 1


def test_children_end_with_their_parent(tmp_path: Path) -> None:
    service = Running(tmp_path / "d", workers=1, max_streams=8)
    pids = list(service.pids.values())
    assert len(pids) == 3
    service.process.kill()
    service.stop()
    end = time.monotonic() + 60
    while any(alive(pid) for pid in pids):
        assert time.monotonic() < end, "a process outlived its parent"
        time.sleep(0.1)
    with running(tmp_path / "d") as again:
        assert again.get("/health/ready")[0] == 200


def test_two_services_do_not_share_a_folder(tmp_path: Path) -> None:
    with running(tmp_path / "d") as service:
        config = tmp_path / "d.toml"
        done = subprocess.run(
            [sys.executable, "-m", "autovoice", "serve", "--port", "0", "--config", str(config)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 2
        assert "another service runs" in done.stderr
        assert service.get("/health/live")[0] == 200


def test_the_api_never_imports_torch(tmp_path: Path) -> None:
    """After every kind of route was used, no file of PyTorch is mapped into the process."""
    with running(tmp_path / "d") as service:
        job = service.submit(service.upload(), "k")
        service.until(lambda: service.jobs()[job]["state"] == "done", "the job is done")
        for path in ("/api/v1/voices", "/api/v1/voices/kumo", "/metrics", "/openapi.json"):
            assert service.insist("GET", path)[0] == 200
        maps = Path(f"/proc/{service.pids['api']}/maps").read_text()
        supervisor = Path(f"/proc/{service.process.pid}/maps").read_text()
        assert "uvloop" in maps
        assert not re.search(r"torch|libc10", maps + supervisor)


def test_slow_heads_and_slow_bodies_are_ended(tmp_path: Path) -> None:
    with running(tmp_path / "d", header_s=2.0, receive_idle_s=0.5, receive_s=2.0) as service:
        address = urlsplit(service.url)
        whole = b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
        kept = (whole, whole[:20])  # a connection whose first request was in time
        for sent in ((b"",), (whole[:20],), (whole[:-2] + b"X: ",), kept):
            with socket.create_connection((address.hostname, address.port)) as slow:
                slow.settimeout(20.0)
                slow.sendall(sent[0])
                for following in sent[1:]:
                    answer = b""
                    while b'"live"' not in answer:
                        answer += slow.recv(4096)
                    slow.sendall(following)
                assert slow.recv(100) == b""
        head = (
            b"POST /api/v1/files HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000000\r\n"
            b"Content-Type: multipart/form-data; boundary=b\r\n\r\n"
        )
        for pause_s, times in ((2.0, 1), (0.3, 12)):  # silent, and a drop now and then
            with socket.create_connection((address.hostname, address.port)) as slow:
                slow.settimeout(30.0)
                slow.sendall(head + b"--b\r\n")
                answer = b""
                for _ in range(times):
                    time.sleep(pause_s)
                    try:
                        slow.sendall(b"x")
                    except OSError:
                        break
                with contextlib.suppress(ConnectionError):  # by what was sent after the end
                    while block := slow.recv(4096):
                        answer += block
                assert b"408" in answer.split(b"\r\n")[0]
                assert json.loads(answer.partition(b"\r\n\r\n")[2])["code"] == "too_slow"
        assert list((tmp_path / "d" / "parts").iterdir()) == []
        assert service.get("/health/live")[0] == 200


def asked(service: Running) -> set[str]:
    """Return the ids of the requests for songs that are in the log."""
    events = [one for one in service.events if one.get("path") == "/api/v1/convert/song"]
    return {one["request"] for one in events}


def test_secrets_are_in_no_log_and_no_process_list(tmp_path: Path) -> None:
    """Neither the password of a collector of traces nor keys, right or wrong, nor what is sent."""
    made = subprocess.run(
        [sys.executable, "-m", "autovoice", "serve", "--data-dir", str(tmp_path / "d"),
         "key", "create", "anna"],
        capture_output=True, text=True, check=True, env=environment(tmp_path / "d"),
    )  # fmt: skip
    key = made.stdout.strip()
    secret, password = key.split("_", 2)[2], "hunter2-of-the-collector"
    traces = f"http://anna:{password}@127.0.0.1:9/v1/traces"
    settings = {"auth": "required", "log_level": "debug", "traces_endpoint": traces,
                "max_streams": 8}  # fmt: skip
    with running(tmp_path / "d", **settings) as service:
        for given in (key, f"{key}x", "av_0_another-secret"):
            head = {"Authorization": f"Bearer {given}", "X-Api-Key": "another-secret"}
            body, kind = form({"voice": "poison-error"}, tone())
            service.request("POST", "/api/v1/convert/song?key=another-secret", body,
                            {**head, "Content-Type": kind})  # fmt: skip
        service.until(lambda: len(asked(service)) == 3, "each of them is in the log, with its id")
        for pid in [service.process.pid, *service.pids.values()]:
            for name in ("cmdline", "environ"):
                assert password.encode() not in Path(f"/proc/{pid}/{name}").read_bytes()
    logged = "".join(path.read_text() for path in (tmp_path / "d" / "logs").iterdir())
    assert "/api/v1/convert/song" in logged
    for hidden in (secret, password, "another-secret"):
        assert hidden not in logged
        assert hidden not in json.dumps(service.events)


def test_one_writer_rotates_the_log(tmp_path: Path) -> None:
    with running(tmp_path / "d", log_bytes=4096, log_files=3) as service:
        for _ in range(60):
            service.get("/health/live")
    # It has ended, and so has the writing.
    files = sorted((tmp_path / "d" / "logs").iterdir())
    assert [file.name for file in files] == ["autovoice.log", "autovoice.log.1", "autovoice.log.2"]
    for file in files:
        assert file.stat().st_size <= 4096
        for line in file.read_text().splitlines():
            event = json.loads(line)
            assert {"event", "level"} <= set(event)
    requests = [e for e in service.events if e["event"] == "request"]
    assert len(requests) >= 60
    assert all(event["request"] and event["status"] for event in requests)
