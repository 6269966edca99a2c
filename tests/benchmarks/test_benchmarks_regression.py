"""The check of speed: ratios to a loop, compared with a baseline of the same kind of machine."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from benchmarks.regression import calibration, cases, measure


class Processor:
    """A processor whose time is what is spent on it, at a speed that changes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.time_s, self.slowness = 100.0, 1.0
        monkeypatch.setattr(measure.time, "process_time", lambda: self.time_s)

    def work(self, seconds: float) -> Callable[[], None]:
        def spend() -> None:
            self.time_s += seconds * self.slowness

        return spend


@pytest.fixture
def processor(monkeypatch: pytest.MonkeyPatch) -> Processor:
    return Processor(monkeypatch)


def test_a_case_is_told_in_loops_however_slow_the_machine_is(processor: Processor) -> None:
    trial = measure.Trial(processor.work(0.03), processor.work(0.004), count=2, rounds=5)
    assert trial.ratio() == pytest.approx(7.5)
    processor.slowness = 3.0
    assert trial.ratio() == pytest.approx(7.5)


def test_one_slow_round_does_not_count(processor: Processor) -> None:
    rounds = iter([0.03, 0.03, 0.9, 0.03, 0.03])

    def work() -> None:
        processor.work(next(rounds))()

    trial = measure.Trial(work, processor.work(0.004), count=1, rounds=5)
    assert trial.ratio() == pytest.approx(7.5)


def test_a_case_is_timed_so_often_that_it_takes_about_as_long_as_others(
    processor: Processor,
) -> None:
    loop = {"spent": processor.work(0.01)}
    long = measure.trial(cases.Case(lambda: processor.work(0.4), "spent"), loop)
    short = measure.trial(cases.Case(lambda: processor.work(0.001), "spent"), loop)
    assert (long.count, long.rounds) == (10, measure.ROUNDS[0])
    assert (short.count, short.rounds) == (1, measure.ROUNDS[1])


def test_what_is_slower_every_time_is_slower() -> None:
    again = iter([15.0, 14.0, 14.5])
    assert measure.slower(14.2, 10.0, lambda: next(again)) == pytest.approx(0.4)
    with pytest.raises(StopIteration):
        next(again)


def test_what_is_slower_once_is_not() -> None:
    again = iter([14.0, 12.4])
    assert measure.slower(14.0, 10.0, lambda: next(again)) is None
    assert measure.slower(12.5, 10.0, lambda: pytest.fail("timed again")) is None


def test_a_baseline_belongs_to_a_kind_of_processor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "baseline.json"
    measure.keep({"one": 1.23456, "two": 2.0}, path)
    measure.keep({"two": 3.0}, path)
    assert measure.baseline(path) == {"one": 1.235, "two": 3.0}
    monkeypatch.setattr(measure, "cpu_model", lambda: "another")
    assert measure.baseline(path) is None
    measure.keep({"one": 9.0}, path)
    assert len(json.loads(path.read_text(encoding="utf-8"))) == 2


def test_the_baseline_has_every_case_and_no_other() -> None:
    known = json.loads(measure.BASELINE.read_text(encoding="utf-8"))
    assert all(set(ratios) == set(cases.CASES) for ratios in known.values())


@pytest.mark.parametrize("name", calibration.LOOPS)
def test_loops_do_the_same_every_time(name: str) -> None:
    loop = calibration.LOOPS[name]
    assert str(loop()) == str(loop())
    assert any(case.like == name for case in cases.CASES.values())


@pytest.mark.e2e
@pytest.mark.parametrize("name", cases.CASES)
def test_every_case_can_be_done_again_and_again(name: str) -> None:
    work = cases.CASES[name].prepare()
    assert [type(work()) for _ in range(2)] == 2 * [type(work())]


@pytest.mark.e2e
def test_a_case_is_timed_in_a_process_of_its_own() -> None:
    assert 0.2 < measure.elsewhere("400 jobs through the queue") < 5
