"""How many pieces share a pass: from the engine over the database to the metrics."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from api_desk import ApiDesk
from server_desk import new_job

from autovoice.engine import Engine
from autovoice.engine.batching import Call, Job
from autovoice.server.api.stream_engine import StreamShape
from autovoice.server.database import Database, DatabaseUnavailable
from autovoice.server.files import FileStore
from autovoice.server.jobs import JobTable, tallies
from autovoice.server.jobs.batches import Batches
from autovoice.server.jobs.records import Outcome
from autovoice.server.live import main as live
from autovoice.server.live.client import PipeStreamEngine
from autovoice.server.live.fake import FakeMaker
from autovoice.server.live.figures import Figures
from autovoice.server.settings import Settings
from autovoice.server.work.real import EngineRunner
from autovoice.server.work.runner import Task

sys.path.append(str(Path(__file__).parents[1] / "engine"))
import standins


def told(database: Database) -> dict[tuple[str, float], tuple[int, float]]:
    """Return how often each process met each bound, and the sum."""
    with database.read() as connection:
        return {
            (label, bound): (count, total)
            for name, label, bound, count, total in tallies.read(connection)
            if name == tallies.BATCH_SIZE
        }


def doubled(items: Sequence[int]) -> list[int]:
    return [2 * item for item in items]


def test_an_engine_counts_its_passes_by_their_size(tmp_path: Path) -> None:
    engine = Engine("cpu", data_dir=tmp_path, builders=standins.builders(standins.Carrier()))
    assert engine.batch_sizes == {}
    begun, go = threading.Event(), threading.Event()

    def held(_item: Any) -> None:
        begun.set()
        assert go.wait(60)

    first = Job(0, doubled, held, None, Call())
    alike = [Job(item, doubled, lambda one: 2 * one, "k", Call()) for item in range(4)]
    engine._batcher.submit(first)
    assert begun.wait(60)
    for job in alike:
        engine._batcher.submit(job)
    go.set()
    assert [engine._batcher.result(job) for job in alike] == [0, 2, 4, 6]
    assert engine.batch_sizes == {1: 1, 4: 1}


def test_each_pass_is_told_once() -> None:
    sizes = {1: 3}
    batches = Batches(lambda: dict(sizes), "worker")
    assert [(one.value, one.times) for one in batches.fresh()] == [(1.0, 3)]
    assert batches.fresh() == ()
    sizes.update({1: 5, 6: 2})
    assert [(one.value, one.times) for one in batches.fresh()] == [(1.0, 2), (6.0, 2)]


def test_a_worker_tells_those_of_a_job_and_not_those_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of an attempt that failed are told with the next that does not."""
    sizes = {1: 100}
    monkeypatch.setattr(Engine, "batch_sizes", property(lambda _self: dict(sizes)))
    store = FileStore(tmp_path)
    engine = Engine("cpu", data_dir=tmp_path, builders=standins.builders(standins.Carrier()))
    runner = EngineRunner(Settings(data_dir=tmp_path), "cpu", store, lambda *_: None, engine)
    runner.load()
    task = Task("job_1", "convert.song", "local", {}, [], tmp_path, 1)

    def made(_task: Any, _desk: Any) -> Outcome:
        sizes[1] += 2
        return Outcome({})

    def fails(_task: Any, _desk: Any) -> Outcome:
        sizes[8] = 3
        raise MemoryError

    desk: Any = None
    monkeypatch.setattr(runner, "_convert", made)
    assert [(one.value, one.times) for one in runner.run(task, desk).observations] == [(1.0, 2)]
    monkeypatch.setattr(runner, "_convert", fails)
    with pytest.raises(MemoryError):
        runner.run(task, desk)
    monkeypatch.setattr(runner, "_convert", made)
    again = runner.run(task, desk).observations
    assert [(one.value, one.times) for one in again] == [(1.0, 2), (8.0, 3)]


def test_they_are_a_histogram_of_the_metrics(tmp_path: Path) -> None:
    desk = ApiDesk(tmp_path)
    sizes = {1: 4, 3: 2, 64: 1, 100: 1}
    with desk.client:
        table: JobTable = desk.service.table
        table.submit(new_job())
        lease = table.claim("w1", 30.0)
        assert lease is not None
        observations = Batches(lambda: sizes, "worker").fresh()
        table.finish(lease, Outcome({}, observations=observations))
        text = desk.client.get("/metrics").text
    assert "# TYPE autovoice_engine_batch_size histogram" in text
    buckets = {"1.0": 4, "2.0": 4, "4.0": 6, "32.0": 6, "64.0": 7, "+Inf": 8}
    for bound, count in buckets.items():
        line = f'autovoice_engine_batch_size_bucket{{le="{bound}",process="worker"}} {count}.0'
        assert line in text, bound
    assert 'autovoice_engine_batch_size_sum{process="worker"} 174.0' in text


def test_what_cannot_be_written_waits(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = {2: 1}
    figures = Figures(database, Batches(lambda: dict(sizes), "live"))
    with monkeypatch.context() as context:
        write: Callable[..., Any] = database.write

        def away() -> Any:
            raise DatabaseUnavailable("locked")

        context.setattr(database, "write", away)
        figures.write()
    assert database.write == write
    assert told(database) == {}
    sizes[2] = 3
    figures.write()
    figures.write()
    assert told(database) == {("live", 2.0): (3, 6.0)}


def test_the_live_process_tells_its_own(database: Database) -> None:
    """Now and then, and at its end."""
    shape, sound = StreamShape(8_000, 800), np.zeros(800, np.float32)

    async def both(path: Path) -> None:
        maker = FakeMaker(0.0, 5)
        figures = Figures(database, Batches(maker.batch_sizes, "live"), every_s=0.01)
        serving = asyncio.create_task(live._serve(maker, path, 2.0, figures))
        while not path.exists():
            await asyncio.sleep(0.005)
        session = await PipeStreamEngine(path).open("kumo", "me", shape)
        await session.convert(sound)
        while not told(database):
            await asyncio.sleep(0.01)
        for _ in range(2):
            await session.convert(sound)
        await session.close()
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(serving, 60)

    with tempfile.TemporaryDirectory(prefix="av-") as folder:
        asyncio.run(both(Path(folder) / "live"))
    assert told(database) == {("live", 1.0): (3, 3.0)}
