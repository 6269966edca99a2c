"""Many conversions at once: the same results, each its own fate, memory that is bounded."""

from __future__ import annotations

import threading
import time
import tracemalloc
import weakref
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from standins import CurveVocoder, builders, encoders, song, voice

from autovoice.engine import Cancelled, Conversion, Engine
from autovoice.errors import InputError
from autovoice.nn.stage import NetworkStage
from autovoice.types import Audio, Speaker


class Machine(NetworkStage, CurveVocoder):
    """A vocoder of fixed speed whose passes take the same time for one item and for many."""

    def __init__(self, pass_s: float = 0.0) -> None:
        super().__init__()
        self.pass_s = pass_s
        self.passes: list[list[Any]] = []
        self.threads: set[str] = set()

    def synthesise(self, features: Any, speaker: Speaker, *, seed: int = 0) -> Audio:
        item = (features, speaker, seed)
        key = round(features.seconds, 3)
        return self.batched(self._run, item, key=key, seconds=features.seconds)

    def _run(self, items: Sequence[Any]) -> list[Audio]:
        self.passes.append([seed for _, _, seed in items])
        self.threads.add(threading.current_thread().name)
        time.sleep(self.pass_s)
        if any(seed == 666 for _, _, seed in items):
            raise RuntimeError("shape mismatch")
        made = []
        for features, speaker, seed in items:
            chance = np.random.default_rng(seed)
            sound = CurveVocoder().synthesise(features, speaker).samples
            breath = chance.standard_normal(sound.shape).astype(np.float32) * np.float32(0.01)
            made.append(Audio(sound + breath, 24_000))
        return made


def _engine(tmp_path: Path, machine: Any, **options: Any) -> Engine:
    return Engine(
        "cpu", data_dir=tmp_path, builders=builders(vocoder=lambda device: machine), **options
    )


def _convert(engine: Engine, seed: int, seconds: float = 1.0, **options: Any) -> Conversion:
    return engine.convert(song(seconds, 16_000, 1, seed), voice(), seed=seed, **options)


def test_eight_at_once_sound_as_one_after_another(tmp_path: Path) -> None:
    machine = Machine(0.02)
    engine = _engine(tmp_path, machine, max_concurrent=8)
    alone = [_convert(engine, seed).audio.samples for seed in range(8)]
    machine.passes.clear()
    with ThreadPoolExecutor(8) as pool:
        at_once = list(pool.map(lambda seed: _convert(engine, seed).audio.samples, range(8)))
    for one, other in zip(alone, at_once, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7)
    assert max(map(len, machine.passes)) > 1
    assert machine.threads == {"autovoice cpu"}


def test_voices_and_options_are_each_calls_own(tmp_path: Path) -> None:
    engine = _engine(tmp_path, Machine(0.01), max_concurrent=8)

    def one(number: int) -> Conversion:
        reports: list[float] = []
        made = engine.convert(
            song(1.0, 16_000, 1),
            voice(f"voice-{number}"),
            semitones=number,
            progress=lambda report: reports.append(report.overall),
        )
        assert reports == sorted(reports)
        assert reports[-1] == pytest.approx(1.0)
        return made

    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(one, range(8)))
    assert [each.semitones for each in made] == list(range(8))
    assert [each.voice for each in made] == [f"voice-{number}" for number in range(8)]
    assert all(each.timings["total"] > 0 for each in made)


def test_an_error_stays_with_its_own_call(tmp_path: Path) -> None:
    engine = _engine(tmp_path, Machine(0.05), max_concurrent=8)
    with ThreadPoolExecutor(6) as pool:
        asked = [pool.submit(_convert, engine, seed) for seed in (1, 2, 666, 3, 4, 5)]
    assert [type(each.exception()).__name__ for each in asked] == [
        "NoneType", "NoneType", "RuntimeError", "NoneType", "NoneType", "NoneType",
    ]  # fmt: skip


def test_cancelling_one_leaves_the_others(tmp_path: Path) -> None:
    stop = threading.Event()
    machine = Machine(0.1)
    engine = _engine(tmp_path, machine, max_concurrent=8)
    with ThreadPoolExecutor(4) as pool:
        long = pool.submit(
            engine.convert, song(60.0, 8_000, 1), voice(), preset="fast", cancel=stop.is_set,
            seed=77,
        )  # fmt: skip
        others = [pool.submit(_convert, engine, seed) for seed in range(3)]
        while not any(77 in each for each in machine.passes):
            time.sleep(0.001)
        stop.set()
        with pytest.raises(Cancelled):
            long.result(10)
        assert all(each.result(10).semitones == 12 for each in others)
    assert sum(77 in each for each in machine.passes) < 5


def test_a_call_can_be_cancelled_while_it_waits_for_its_place(tmp_path: Path) -> None:
    engine = _engine(tmp_path, Machine(0.5), max_concurrent=1)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(_convert, engine, 1)
        while not engine._gate._inside:
            time.sleep(0.001)
        with pytest.raises(Cancelled, match="before it began"):
            _convert(engine, 2, cancel=lambda: True)
        assert first.result(10)


def test_a_long_song_does_not_hold_up_a_short_one(tmp_path: Path) -> None:
    """Pieces take turns: the short one waits for the piece that runs, and goes."""
    machine = Machine(0.1)
    engine = _engine(tmp_path, machine, max_concurrent=4)
    with ThreadPoolExecutor(2) as pool:
        long = pool.submit(_convert, engine, 77, 240.0, preset="fast")
        while len(machine.passes) < 2:
            time.sleep(0.001)
        begin = len(machine.passes)
        assert _convert(engine, 5)
        waited = len(machine.passes) - begin
        assert not long.done()
        assert waited <= 4
        assert long.result(60)


class _Noted(list[Any]):
    """A list that keeps in which order things came and went."""

    def __init__(self) -> None:
        super().__init__()
        self.added: list[Any] = []
        self.removed: list[Any] = []

    def append(self, one: Any) -> None:
        self.added.append(one)
        super().append(one)

    def remove(self, one: Any) -> None:
        self.removed.append(one)
        super().remove(one)


def test_a_hundred_short_requests_all_finish_in_turn_and_in_bounded_memory(
    tmp_path: Path,
) -> None:
    """A stage of fixed speed: 100 requests need 1.6 s one by one, and share passes instead."""
    machine = Machine(0.016)
    engine = _engine(tmp_path, machine, max_concurrent=16)
    source = song(1.0, 16_000, 1)
    _convert(engine, 0)
    # Noted by the gate itself: threads of a busy machine may rest before they come to it.
    came, gone = _Noted(), _Noted()
    engine._gate._waiting, engine._gate._inside = came, gone
    most_inside = 0

    def one(seed: int) -> int:
        nonlocal most_inside
        made = engine.convert(source, voice(), seed=seed)
        most_inside = max(most_inside, len(engine._gate._inside))
        return made.audio.length_samples

    tracemalloc.start()
    with ThreadPoolExecutor(100) as pool:
        asked: list[Future[int]] = [pool.submit(one, seed) for seed in range(1, 101)]
        assert [each.result(60) for each in asked] == [16_000] * 100
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most_inside <= 16
    # One of these holds about 2 MB; a hundred at once would hold 200.
    assert peak_bytes < 100e6
    assert sum(map(len, machine.passes)) == 101
    assert len(machine.passes) < 80
    # In the order they came, but for those that were inside together.
    assert len(came.added) == len(gone.removed) == 100
    assert max(abs(place - came.added.index(one)) for place, one in enumerate(gone.removed)) <= 40


def test_stages_are_built_once_when_many_ask_at_once(tmp_path: Path) -> None:
    built: list[str] = []

    def slow(device: str) -> Any:
        built.append(device)
        time.sleep(0.05)
        return CurveVocoder()

    engine = Engine(
        "cpu", data_dir=tmp_path, builders=builders(vocoder=slow, encoders=encoders),
        max_concurrent=4,
    )  # fmt: skip
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda seed: _convert(engine, seed), range(4)))
    assert built == ["cpu"]


def test_speech_and_songs_run_side_by_side(tmp_path: Path) -> None:
    engine = _engine(tmp_path, Machine(0.02), max_concurrent=4)
    alone = engine.speak("it was cold. so it was.", voice()).samples
    with ThreadPoolExecutor(3) as pool:
        songs = [pool.submit(_convert, engine, seed) for seed in range(2)]
        spoken = pool.submit(engine.speak, "it was cold. so it was.", voice())
        np.testing.assert_array_equal(spoken.result(10).samples, alone)
        assert all(each.result(10) for each in songs)


@pytest.mark.parametrize("wrong", [0, -1, 2.5, "many"])
def test_wrong_numbers_of_places_are_refused(tmp_path: Path, wrong: Any) -> None:
    with pytest.raises(InputError, match="max_concurrent"):
        Engine("cpu", data_dir=tmp_path, max_concurrent=wrong)


def test_an_engine_that_is_let_go_of_is_freed_with_its_thread(tmp_path: Path) -> None:
    machine = Machine()
    engine = _engine(tmp_path, machine)
    _convert(engine, 1)
    thread, gone = engine._batcher._thread, weakref.ref(engine)
    assert thread is not None
    del engine
    assert gone() is None
    thread.join(5)
    assert not thread.is_alive()


def test_a_storm_of_calls_that_fail_stop_and_finish_leaves_nothing_behind(tmp_path: Path) -> None:
    machine = Machine(0.002)
    engine = _engine(tmp_path, machine, max_concurrent=5)
    chance = np.random.default_rng(0)
    plans = [
        (int(seed), float(kind)) for seed, kind in zip(range(60), chance.random(60), strict=True)
    ]
    source = song(1.0, 8_000, 1)

    def one(plan: tuple[int, float]) -> str:
        seed, kind = plan
        asked = [0]

        def cancel() -> bool:
            asked[0] += 1
            return kind < 0.3 and asked[0] > 40 * kind

        try:
            engine.convert(source, voice(), seed=666 if kind > 0.8 else seed, cancel=cancel)
        except Cancelled:
            return "cancelled"
        except RuntimeError:
            return "failed"
        return "finished"

    with ThreadPoolExecutor(20) as pool:
        found = list(pool.map(one, plans, timeout=60))
    for (_, kind), fate in zip(plans, found, strict=True):
        assert fate == ("cancelled" if kind < 0.3 else "failed" if kind > 0.8 else "finished")
    assert (len(engine._batcher._queue), set(engine._batcher._calls.values())) == (0, {0})
    assert (engine._gate._inside, engine._gate._waiting) == ([], [])
