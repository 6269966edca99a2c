"""A worker with several jobs at once: each is its own, whatever becomes of those beside it."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ClassVar

import pytest
from server_desk import Clock, new_job

from autovoice.errors import Cancelled, InputError
from autovoice.server.database import Database
from autovoice.server.files import FileStore
from autovoice.server.filetable import FileTable
from autovoice.server.jobs import JobTable, News
from autovoice.server.jobs.batches import Batches
from autovoice.server.jobs.presence import present
from autovoice.server.jobs.records import Outcome
from autovoice.server.settings import load_settings
from autovoice.server.work.flag import Flag
from autovoice.server.work.real import EngineRunner
from autovoice.server.work.runner import GPU_JOBS, Desk, StickyDeviceError, Task, jobs_at_once
from autovoice.server.work.worker import Worker

PATIENCE_S = 60.0


class Hall:
    """A runner whose jobs wait until they are let go, by what their request says."""

    device = "test"

    def __init__(self) -> None:
        self.inside: dict[str, str] = {}
        self.most: Counter[str] = Counter()
        self.free = threading.Event()
        self.harm: dict[str, Exception] = {}
        self._lock = threading.Lock()

    def load(self) -> None:
        return None

    def run(self, task: Task, desk: Desk) -> Outcome:
        name = str(task.request["name"])
        with self._lock:
            self.inside[name] = task.id
            for one in self.inside:
                self.most[one] = max(self.most[one], len(self.inside))
        try:
            while not self.free.is_set():
                if desk.stopping():
                    raise Cancelled("stop")
                if name in self.harm:
                    raise self.harm[name]
                desk.progress("sing", 0.5, 0.5)
                time.sleep(0.005)
            desk.progress("sing", 1.0, 0.9)
            return Outcome({"of": name})
        finally:
            with self._lock:
                del self.inside[name]


class Shift:
    """A worker at work in a thread."""

    def __init__(self, folder: Path, table: JobTable, hall: Hall, jobs: int) -> None:
        self.table, self.hall, self.drain = table, hall, Flag()
        store = FileStore(folder / "data")
        store.prepare()
        files = FileTable(table.database)
        self.worker = Worker("w1", table, files, store, hall, lease_s=30.0, drain=self.drain,
                             jobs=jobs)  # fmt: skip
        self._pool = ThreadPoolExecutor(1)
        self._code = self._pool.submit(self.worker.run)

    def submit(self, name: str) -> str:
        return self.table.submit(new_job(request={"name": name}))[0].id

    def until(self, true: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE_S
        while not true():
            assert time.monotonic() < end
            time.sleep(0.01)

    def end(self) -> int:
        return self._code.result(PATIENCE_S)

    def close(self) -> None:
        self.drain.set()
        self.hall.free.set()
        self._pool.shutdown()


@pytest.fixture
def begin(tmp_path: Path, table: JobTable) -> Iterator[Callable[..., Shift]]:
    shifts: list[Shift] = []

    def made(jobs: int) -> Shift:
        shifts.append(Shift(tmp_path, table, Hall(), jobs))
        return shifts[-1]

    yield made
    for shift in shifts:
        shift.close()


def states(table: JobTable) -> Counter[str]:
    return Counter(job.state for job in table.list(None))


def test_as_many_run_as_there_are_places_and_no_more(
    begin: Callable[..., Shift], table: JobTable, clock: Clock
) -> None:
    shift = begin(3)
    for number in range(5):
        shift.submit(f"job {number}")
    shift.until(lambda: len(shift.hall.inside) == 3)
    time.sleep(0.2)
    assert states(table) == {"running": 3, "queued": 2}
    assert [one.state for one in present(table.database, clock.now)] == ["ready"]
    shift.hall.free.set()
    shift.until(lambda: states(table) == {"done": 5})
    assert max(shift.hall.most.values()) == 3
    for job in table.list(None):
        assert job.result == {"of": job.request["name"]}
        assert job.progress == {"sing": 1.0}
    shift.drain.set()
    assert shift.end() == 0


def test_draining_gives_all_of_them_back_unharmed(
    begin: Callable[..., Shift], table: JobTable
) -> None:
    shift = begin(4)
    for number in range(4):
        shift.submit(f"job {number}")
    shift.until(lambda: len(shift.hall.inside) == 4)
    shift.drain.set()
    assert shift.end() == 0
    assert [(job.state, job.attempt, job.stalled) for job in table.list(None)] == [
        ("queued", 0, 0)
    ] * 4


def test_a_lost_device_gives_the_others_back(begin: Callable[..., Shift], table: JobTable) -> None:
    shift = begin(3)
    lost = shift.submit("lost")
    others = [shift.submit(name) for name in ("a", "b")]
    shift.until(lambda: len(shift.hall.inside) == 3)
    shift.hall.harm["lost"] = StickyDeviceError("CUDA error")
    assert shift.end() == 70
    found = table.get(lost)
    assert (found.state, found.stalled, found.error) == (
        "queued", 1, {"code": "device_lost", "message": "CUDA error"},
    )  # fmt: skip
    for other in others:
        assert (table.get(other).state, table.get(other).attempt) == ("queued", 0)


def test_what_nobody_expected_ends_the_process_after_the_others_are_back(
    begin: Callable[..., Shift], table: JobTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    shift = begin(2)
    shift.submit("a")
    shift.submit("b")
    shift.until(lambda: len(shift.hall.inside) == 2)

    def breaks(*_: object, **__: object) -> None:
        raise LookupError("a mistake of the service's own")

    monkeypatch.setattr(table, "fail", breaks)
    shift.hall.harm["a"] = InputError("no")
    with pytest.raises(LookupError):
        shift.end()
    assert states(table) == {"running": 1, "queued": 1}
    assert table.abandon("w1") == 1


def test_cancelling_one_leaves_the_others(begin: Callable[..., Shift], table: JobTable) -> None:
    shift = begin(3)
    jobs = [shift.submit(name) for name in "abc"]
    shift.until(lambda: len(shift.hall.inside) == 3)
    table.request_cancel(jobs[1])
    shift.until(lambda: table.get(jobs[1]).state == "cancelled")
    assert sorted(shift.hall.inside) == ["a", "c"]
    shift.hall.free.set()
    shift.until(lambda: states(table) == {"done": 2, "cancelled": 1})


def test_what_its_worker_ended_over_runs_alone(
    begin: Callable[..., Shift], table: JobTable, clock: Clock
) -> None:
    """Else it would take its neighbours along each time, until all of them had failed."""
    for name in ("first", "second", "third"):
        table.submit(new_job(request={"name": name}))
        clock.now += 1.0
    assert table.claim("dead", 30.0)
    assert table.claim("dead", 30.0)
    assert table.abandon("dead") == 2
    shift = begin(4)
    shift.until(lambda: len(shift.hall.inside) == 1)
    time.sleep(0.3)
    assert list(shift.hall.inside) == ["first"]
    shift.hall.free.set()
    shift.until(lambda: states(table) == {"done": 3})
    assert shift.hall.most["first"] == shift.hall.most["second"] == 1


def test_its_turn_is_kept_while_others_run(table: JobTable, clock: Clock) -> None:
    """Nothing is taken past it; one that is given up or cancelled is no hindrance."""
    old, _ = table.submit(new_job())
    assert table.claim("dead", 30.0)
    table.abandon("dead")
    clock.now += 1.0
    new, _ = table.submit(new_job())
    assert table.claim("w1", 30.0, alone=False) is None
    assert table.get(old.id).state == "queued"
    lease = table.claim("w1", 30.0)
    assert lease is not None
    assert (lease.job.id, lease.job.stalled) == (old.id, 2)
    table.report(lease, News(chunks=(1, 2)))  # a step forward
    table.abandon("w1")
    lease = table.claim("w1", 30.0, alone=False)
    assert lease is not None
    assert lease.job.id == old.id
    table.request_cancel(old.id)
    table.abandon("w1")
    other = table.claim("w1", 30.0, alone=False)
    assert other is not None
    assert other.job.id == new.id
    assert table.get(old.id).state == "cancelled"


def test_all_jobs_of_a_dead_worker_come_back(table: JobTable, clock: Clock) -> None:
    for _ in range(6):
        table.submit(new_job())
        assert table.claim("w1", 30.0, alone=False)
    assert table.abandon("w1") == 6
    assert states(table) == {"queued": 6}
    for _ in range(6):
        assert table.claim("w2", 30.0)
    clock.now += 31.0  # and where nobody saw it
    assert sum(table.claim("w3", 30.0) is not None for _ in range(7)) == 6


def test_passes_are_told_once_by_however_many_threads() -> None:
    """Each look at the engine takes its time, so that threads without order would cross."""
    count = [0]
    lock = threading.Lock()

    def sizes() -> dict[int, int]:
        with lock:
            count[0] += 1
            found = count[0]
        time.sleep(0.001 * (found % 3))
        return {1: found, 4: 2 * found}

    batches = Batches(sizes, "worker")
    with ThreadPoolExecutor(8) as pool:
        told = [one for done in [pool.submit(batches.fresh) for _ in range(200)]
                for one in done.result()]  # fmt: skip
    assert sum(one.times for one in told if one.value == 1.0) == 200
    assert sum(one.times for one in told if one.value == 4.0) == 400


def test_how_many_go_by_the_device() -> None:
    assert jobs_at_once("auto", "cuda:3") == GPU_JOBS
    assert jobs_at_once("auto", "cpu") == jobs_at_once("auto", "fake") == 1
    assert jobs_at_once(5, "cuda:0") == 5


@pytest.mark.parametrize("value", ["auto", 1, 32, "8"])
def test_the_setting(tmp_path: Path, value: int | str) -> None:
    found = load_settings(None, {"worker_jobs": value}, default_dir=tmp_path).worker_jobs
    assert str(found) == str(value)


@pytest.mark.parametrize("value", [0, 33, -1, "many", True, 2.5])
def test_a_setting_without_sense_is_told(tmp_path: Path, value: object) -> None:
    with pytest.raises(InputError, match=r"worker_jobs: found .* auto, or a whole number from 1"):
        load_settings(None, {"worker_jobs": value}, default_dir=tmp_path)


def test_a_database_is_only_asked_by_one_thread_for_work(
    begin: Callable[..., Shift], database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many places are free: looks for work cost all that share the database."""
    seen: set[str] = set()
    shift = begin(8)
    claim = shift.table.claim

    def noted(*args: object, **options: object) -> object:
        seen.add(threading.current_thread().name)
        return claim(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(shift.table, "claim", noted)
    shift.submit("a")
    shift.until(lambda: len(shift.hall.inside) == 1)
    time.sleep(0.3)
    assert len(seen) == 1
    assert database.writable()


@pytest.mark.parametrize(
    ("device", "wanted", "most"), [("cuda:0", "auto", GPU_JOBS), ("cuda:0", 3, 3), ("cpu", 4, 1)]
)
def test_what_may_come_at_once_is_warm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, device: str, wanted: int | str, most: int
) -> None:
    warmed: list[int] = []

    class Paper:
        batch_sizes: ClassVar[dict[int, int]] = {}

        def __init__(self, *_: object) -> None:
            self.device = device

        def warm_up(self, _seconds: object, *, most: int) -> None:
            warmed.append(most)

        def speak(self, *_: object) -> None:
            return None

    monkeypatch.setattr("autovoice.engine.Engine", Paper)
    monkeypatch.setattr("autovoice.weights.needed_by", lambda _what: ())
    monkeypatch.setattr("autovoice.weights.pull", lambda _names: None)
    settings = load_settings(None, {"worker_jobs": wanted}, default_dir=tmp_path)
    runner = EngineRunner(settings, "auto", FileStore(tmp_path), lambda *_: pytest.fail("no check"))
    runner.load()
    assert (warmed, runner.device) == ([most], device)
