"""The warm-up runs every size of batch twice, so that graphs are captured before callers come."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest
from standins import builders, song, voice
from test_engine_concurrent import Machine

from autovoice.engine import Engine, warming
from autovoice.engine.batching import batcher
from autovoice.errors import InputError


def warm(tmp_path: Path, machine: Machine, **options: int) -> Engine:
    return Engine(
        "cpu", data_dir=tmp_path, builders=builders(vocoder=lambda device: machine), **options
    )


def test_every_size_comes_twice_the_largest_first(tmp_path: Path) -> None:
    machine = Machine()
    engine = warm(tmp_path, machine, max_concurrent=9)
    took = engine.warm_up((1.0,), most=100, voice=voice())
    assert [len(seeds) for seeds in machine.passes] == [8, 8, 4, 4, 2, 2, 1, 1]
    assert list(took) == ["8 x 1 s", "4 x 1 s", "2 x 1 s", "1 x 1 s"]
    assert all(each >= 0 for each in took.values())


def test_each_length_has_its_own_shapes(tmp_path: Path) -> None:
    machine = Machine()
    took = warm(tmp_path, machine, max_concurrent=4).warm_up((1.0, 0.5), most=2, voice=voice())
    assert list(took) == ["2 x 1 s", "1 x 1 s", "2 x 0.5 s", "1 x 0.5 s"]
    assert len(machine.passes) == 8


def test_on_the_cpu_once_is_enough(tmp_path: Path) -> None:
    machine = Machine()
    assert list(warm(tmp_path, machine).warm_up(voice=voice())) == ["1 x 1 s"]


def test_long_songs_have_half_of_the_places(tmp_path: Path) -> None:
    machine = Machine()
    took = warm(tmp_path, machine, max_concurrent=4).warm_up((31.0,), most=4, voice=voice())
    assert next(iter(took)) == "2 x 31 s"


def test_what_is_loaded_is_left_out_of_collections_of_garbage(tmp_path: Path) -> None:
    engine = warm(tmp_path, Machine(), max_concurrent=1)
    gc.unfreeze()
    try:
        engine.warm_up(voice=voice())
        assert gc.get_freeze_count() > 1000
        assert not any(each is engine for each in gc.get_objects())
    finally:
        gc.unfreeze()


def test_calls_wait_no_longer_than_usual_afterwards(tmp_path: Path) -> None:
    engine = warm(tmp_path, Machine(), max_concurrent=2)
    engine.warm_up(most=2, voice=voice())
    assert engine._batcher.max_wait_ms == batcher.MAX_WAIT_MS
    engine.convert(song(1.0, 16_000, 1, 0), voice())


@pytest.mark.timeout(60)
def test_an_error_is_told_and_nobody_waits_for_it(tmp_path: Path) -> None:
    class Broken(Machine):
        def _run(self, items):
            raise RuntimeError("no such kernel")

    engine = warm(tmp_path, Broken(), max_concurrent=4)
    with pytest.raises(RuntimeError, match="no such kernel"):
        engine.warm_up(most=4, voice=voice())
    assert engine._batcher.max_wait_ms == batcher.MAX_WAIT_MS


@pytest.mark.parametrize("seconds", [0.0, -1.0, 4_000.0])
def test_lengths_that_make_no_sense_are_refused(tmp_path: Path, seconds: float) -> None:
    engine = warm(tmp_path, Machine())
    with pytest.raises(InputError, match="expected more than 0 and at most 3600 s"):
        engine.warm_up((seconds,), voice=voice())
    with pytest.raises(InputError, match="expected at least one"):
        engine.warm_up(most=0, voice=voice())


def test_the_tone_is_stereo_of_the_length() -> None:
    assert warming.tone(0.5).samples.shape == (2, 22_050)
