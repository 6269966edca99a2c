"""The worker: what it makes of errors, of being asked to stop, and of a database that goes away."""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from server_desk import Clock, new_job

from autovoice.engine.devices import gpu_readings
from autovoice.errors import Cancelled, ResourceError, UnsupportedAudio, WeightsError
from autovoice.server import janitor
from autovoice.server.database import Database, DatabaseUnavailable
from autovoice.server.files import FileStore, StorageFull
from autovoice.server.filetable import FileTable, new_file
from autovoice.server.jobs import JobTable, tallies
from autovoice.server.jobs.records import SPOKEN_NOW, Outcome
from autovoice.server.rates import Rates
from autovoice.server.work import desk
from autovoice.server.work.flag import Flag
from autovoice.server.work.runner import Desk, StickyDeviceError, Task
from autovoice.server.work.worker import Worker


class Chunks:
    """A runner of so many chunks; ``on_chunk`` is called before each."""

    device = "test"

    def __init__(self, on_chunk: Callable[[int], None] = lambda _n: None, count: int = 5) -> None:
        self.on_chunk, self.count = on_chunk, count
        self.begun: list[int] = []

    def load(self) -> None:
        return None

    def run(self, task: Task, desk: Desk) -> Outcome:
        for number in range(self.count):
            if desk.stopping():
                raise Cancelled("stop")
            self.begun.append(number)
            self.on_chunk(number)
            desk.progress("convert", number / self.count, number / self.count)
            desk.checkpoint(number + 1, self.count)
        return Outcome({"by": "chunks"})


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    made = FileStore(tmp_path / "data")
    made.prepare()
    return made


@pytest.fixture
def drain() -> Flag:
    return Flag()


@pytest.fixture
def make(
    table: JobTable, database: Database, store: FileStore, drain: Flag
) -> Callable[..., Worker]:
    def worker(runner: Chunks, lease_s: float = 30.0) -> Worker:
        return Worker("w1", table, FileTable(database), store, runner, lease_s=lease_s, drain=drain)

    return worker


def errors_of(table: JobTable) -> dict[str, int]:
    """Return how often each kind of job met each error."""
    with table.database.read() as connection:
        return {
            label: count
            for name, label, _bound, count, _total in tallies.read(connection)
            if name == tallies.ERRORS
        }


def test_deaths_of_workers_are_counted_however_they_are_noticed(
    table: JobTable, clock: Clock
) -> None:
    table.submit(new_job())
    table.claim("w1", 30.0)
    table.abandon("w1")  # seen by the supervisor
    table.claim("w2", 30.0)
    clock.now += 31.0  # nobody saw it
    table.claim("w3", 30.0)
    assert errors_of(table) == {"convert.song|worker_lost": 2}
    clock.now += 31.0
    assert table.claim("w4", 30.0) is None
    assert errors_of(table) == {"convert.song|worker_lost": 3}
    assert [job.state for job in table.list(None)] == ["failed"]


def do(table: JobTable, worker: Worker) -> str:
    job, _ = table.submit(new_job())
    lease = table.claim("w1", 30.0)
    assert lease is not None
    worker.work(lease)
    return job.id


def test_cancelling_stops_within_one_chunk(table: JobTable, make: Callable[..., Worker]) -> None:
    runner = Chunks()
    runner.on_chunk = lambda n: n == 2 and table.request_cancel(table.list(None)[0].id) and None
    job = do(table, make(runner))
    assert runner.begun == [0, 1, 2]
    assert table.get(job).state == "cancelled"


@pytest.mark.parametrize(
    ("kind", "chunks", "changes"),
    [
        ("convert.song", 1, 3),  # accepted, taken, done
        ("convert.song", 6, 4),  # and the first step forward
        (SPOKEN_NOW, 6, 9),  # a caller hears each chunk
    ],
)
def test_a_row_is_written_as_seldom_as_may_be(
    table: JobTable, make: Callable[..., Worker], monkeypatch: pytest.MonkeyPatch,
    kind: str, chunks: int, changes: int,
) -> None:  # fmt: skip
    """Each change waits for the disk; what is due by the clock alone never is here."""
    monkeypatch.setattr(desk, "PROGRESS_S", 1e6)
    table.submit(new_job(kind=kind))
    lease = table.claim("w1", 30.0)
    assert lease is not None
    make(Chunks(count=chunks)).work(lease)
    found = table.get(lease.job.id)
    assert (found.state, found.version) == ("done", changes)
    assert (found.chunks_done, found.chunks_total) == (chunks, chunks)
    assert (found.progress, found.overall) == ({"convert": (chunks - 1) / chunks}, 1.0)


def test_each_attempt_tells_its_first_step_forward_and_an_end_all_of_them(
    table: JobTable, make: Callable[..., Worker], monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    """So a worker that dies takes no earlier steps with it, whatever was due to be written."""
    monkeypatch.setattr(desk, "PROGRESS_S", 1e6)
    job, _ = table.submit(new_job())
    seen: list[tuple[int, int]] = []

    def look(number: int) -> None:
        found = table.get(job.id)
        seen.append((found.chunks_done, found.stalled))
        if number == 3 * found.attempt:
            raise ResourceError("no memory")

    for _ in range(2):
        lease = table.claim("w1", 30.0)
        assert lease is not None
        make(Chunks(look, count=9)).work(lease)
        seen.append((table.get(job.id).chunks_done, table.get(job.id).stalled))
        clock.now += 100.0
    first = [(0, 1), (1, 0), (1, 0), (1, 0), (3, 0)]
    assert seen == [*first, *[(3, 1)] * 4, *[(4, 0)] * 3, (6, 0)]


def test_what_could_not_be_told_is_told_later(
    table: JobTable, drain: Flag, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk, "PROGRESS_S", 1e6)
    table.submit(new_job())
    lease = table.claim("w1", 30.0)
    assert lease is not None
    with desk.LeaseDesk(table, lease, 30.0, drain) as made:
        with monkeypatch.context() as context:
            context.setattr(table, "report", _locked)
            made.checkpoint(1, 3)
        assert table.get(lease.job.id).chunks_done == 0
        made.tell()
        assert table.get(lease.job.id).chunks_done == 1


def _locked(*_: object) -> None:
    raise DatabaseUnavailable("locked")


def test_draining_gives_the_job_back_unharmed(
    table: JobTable, make: Callable[..., Worker], drain: Flag
) -> None:
    runner = Chunks(lambda n: drain.set() if n == 1 else None)
    found = table.get(do(table, make(runner)))
    assert (found.state, found.attempt, found.chunks_done) == ("queued", 0, 2)


@pytest.mark.parametrize(
    ("error", "state", "code"),
    [
        (UnsupportedAudio("found a video"), "failed", "unsupported_audio"),
        (ResourceError("no memory"), "queued", "out_of_resources"),
        (MemoryError(), "queued", "out_of_resources"),
        (WeightsError("no weights"), "queued", "weights_missing"),
        (KeyError("secret"), "queued", "internal"),
        (OSError(errno.ENOSPC, "No space left on device"), "queued", "out_of_resources"),
        (OSError(errno.ENOENT, "secret"), "queued", "internal"),
    ],
)
def test_errors(
    table: JobTable, make: Callable[..., Worker], error: Exception, state: str, code: str
) -> None:
    def fail(_number: int) -> None:
        raise error

    found = table.get(do(table, make(Chunks(fail))))
    assert errors_of(table) == {f"convert.song|{code}": 1}
    assert found.state == state
    assert found.error is not None
    assert found.error["code"] == code
    assert "secret" not in found.error["message"]


def test_a_lost_device_ends_the_worker_and_the_job_runs_again(
    table: JobTable, make: Callable[..., Worker]
) -> None:
    def fail(_number: int) -> None:
        raise StickyDeviceError("CUDA error")

    job, _ = table.submit(new_job())
    assert make(Chunks(fail)).run() == 70
    assert table.get(job.id).state == "queued"
    assert table.get(job.id).error == {"code": "device_lost", "message": "CUDA error"}


def test_a_missing_upload_is_told(table: JobTable, make: Callable[..., Worker]) -> None:
    table.submit(new_job(files=["file_gone"]))
    lease = table.claim("w1", 30.0)
    assert lease is not None
    make(Chunks()).work(lease)
    assert table.get(lease.job.id).state == "failed"


def test_what_another_worker_took_is_left_alone(
    table: JobTable, make: Callable[..., Worker], clock: Clock
) -> None:
    def stolen(number: int) -> None:
        if number == 1:
            clock.now += 31.0
            assert table.claim("w2", 30.0) is not None

    runner = Chunks(stolen)
    found = table.get(do(table, make(runner)))
    assert runner.begun == [0, 1]
    assert (found.state, found.worker) == ("running", "w2")


def test_a_database_that_is_away_for_a_while_costs_time_only(
    table: JobTable, make: Callable[..., Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    finish, report, signal = table.finish, table.report, table.signal

    def flaky(original: Callable[..., object]) -> Callable[..., object]:
        def call(*args: object) -> object:
            calls.append(original)
            if len(calls) % 3:
                raise DatabaseUnavailable("locked")
            return original(*args)

        return call

    monkeypatch.setattr(table, "finish", flaky(finish))
    monkeypatch.setattr(table, "report", flaky(report))
    monkeypatch.setattr(table, "signal", flaky(signal))
    assert table.get(do(table, make(Chunks()))).state == "done"


def test_heartbeats_keep_a_long_chunk(
    table: JobTable, clock: Clock, make: Callable[..., Worker]
) -> None:
    """A chunk as long as four leases is not taken away: heartbeats come unasked, and each tells.

    The clock of the leases moves on only after a heartbeat, so that a slow machine is never late.
    """
    over = threading.Event()
    worker = make(Chunks(lambda _n: over.wait() and None, count=1), 0.4)
    job, _ = table.submit(new_job())
    lease = table.claim("w1", 0.4)
    assert lease is not None
    thread = threading.Thread(target=worker.work, args=(lease,))
    thread.start()
    try:
        for _ in range(5):
            clock.now += 0.3
            end = time.monotonic() + 60
            while (table.get(job.id).lease_until or 0.0) < clock.now + 0.4:
                assert table.claim("w2", 30.0) is None
                assert time.monotonic() < end
                time.sleep(0.01)
    finally:
        over.set()
        thread.join()
    assert table.get(job.id).state == "done"


def test_uploads_are_whole_or_not_there(store: FileStore, monkeypatch: pytest.MonkeyPatch) -> None:
    with store.receive() as part:
        part.write(b"sound")
        kept = part.keep()
    assert store.path(kept.path).read_bytes() == b"sound"
    monkeypatch.setattr("os.fsync", _full)
    with store.receive() as part, pytest.raises(StorageFull, match="No space left"):
        part.keep()
    assert list((store.folder / "parts").iterdir()) == []
    assert len(list((store.folder / "files").glob("*/*"))) == 1


def _full(_handle: int) -> None:
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "files/../../x", "", "."])
def test_no_name_leads_out_of_the_folder(store: FileStore, name: str) -> None:
    with pytest.raises(ValueError, match="no name of this store"):
        store.path(name)


def test_what_has_outlived_its_time_goes(
    table: JobTable, database: Database, store: FileStore, clock: Clock
) -> None:
    files = FileTable(database)
    kept = []
    for _ in range(2):
        with store.receive() as part:
            part.write(b"sound")
            kept.append(new_file("anna", part.keep(), "a.wav", None, clock.now))
            files.add(kept[-1])
    done, _ = table.submit(new_job(folder="jobs/aa/done"))
    table.request_cancel(done.id)
    table.submit(new_job(files=[kept[0].id]))
    (store.path("jobs/aa/done") / "1").mkdir(parents=True)
    ages = {"retention_s": 100.0, "receive_s": 10.0}
    assert janitor.sweep(table, files, store, **ages) == 0
    clock.now += 101.0
    assert janitor.sweep(table, files, store, **ages) == 2
    assert not store.path("jobs/aa/done").exists()
    assert store.path(kept[0].path).is_file()
    assert not store.path(kept[1].path).exists()
    assert [job.state for job in table.list(None)] == ["queued"]


def test_rates() -> None:
    now = [0.0]
    rates = Rates(60, clock=lambda: now[0])
    assert [rates.take("a") for _ in range(60)] == [0.0] * 60
    assert rates.take("a") == pytest.approx(1.0)
    assert rates.take("b") == 0.0
    now[0] = 2.0
    assert [rates.take("a") > 0 for _ in range(3)] == [False, False, True]
    assert Rates(0).take("a") == 0.0


class NoDriver(Exception):
    pass


def nvml(problem: Exception | None = None) -> SimpleNamespace:
    """Return two GPUs that stand for the management library's."""

    def begin() -> None:
        if problem is not None:
            raise problem

    return SimpleNamespace(
        NVML_TEMPERATURE_GPU=0,
        NVMLError=NoDriver,
        nvmlInit=begin,
        nvmlDeviceGetCount=lambda: 2,
        nvmlDeviceGetHandleByIndex=lambda index: index,
        nvmlDeviceGetMemoryInfo=lambda _handle: SimpleNamespace(used=10, total=100),
        nvmlDeviceGetUtilizationRates=lambda _handle: SimpleNamespace(gpu=50),
        nvmlDeviceGetTemperature=lambda _handle, _kind: 61,
        nvmlDeviceGetPowerUsage=lambda _handle: 250_000,
    )


def test_gpus_are_read_in_base_units() -> None:
    found = gpu_readings(nvml())
    assert [one.index for one in found] == [0, 1]
    assert (found[0].utilisation, found[0].power_watts) == (0.5, 250.0)
    assert gpu_readings(nvml(NoDriver())) == ()
