from __future__ import annotations

import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from autovoice.engine.batching import Gate
from autovoice.errors import Cancelled


class Visitors:
    """Calls that stay inside until they are let go."""

    def __init__(self, gate: Gate, pool: ThreadPoolExecutor) -> None:
        self._gate, self._pool = gate, pool
        self.inside: list[str] = []
        self._out: dict[str, threading.Event] = {}

    def come(self, name: str, *, is_long: bool = False) -> Future[None]:
        self._out[name] = threading.Event()
        before = len(self._gate._waiting) + len(self._gate._inside)
        future = self._pool.submit(self._stay, name, is_long)
        _until(lambda: len(self._gate._waiting) + len(self._gate._inside) > before)
        return future

    def go(self, name: str) -> None:
        self._out[name].set()
        _until(lambda: name not in self.inside)

    def are(self, *names: str) -> bool:
        """Wait until these are inside, in this order, and the gate counts as many."""
        _until(lambda: self.inside == list(names))
        return len(self._gate._inside) == len(names)

    def _stay(self, name: str, is_long: bool) -> None:
        with self._gate.enter(is_long=is_long):
            self.inside.append(name)
            assert self._out[name].wait(30)
            self.inside.remove(name)


def _until(condition: object) -> None:
    end_s = time.monotonic() + 30
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end_s
        time.sleep(0.001)


def test_only_so_many_are_inside_and_the_others_follow_in_order() -> None:
    with ThreadPoolExecutor(4) as pool:
        here = Visitors(Gate(2), pool)
        for name in "abcd":
            here.come(name)
        assert here.are("a", "b")
        here.go("b")
        assert here.are("a", "c")
        here.go("a")
        assert here.are("c", "d")
        here.go("c")
        here.go("d")


def test_long_ones_leave_room_for_short_ones() -> None:
    with ThreadPoolExecutor(5) as pool:
        here = Visitors(Gate(2), pool)
        here.come("song", is_long=True)
        here.come("album", is_long=True)
        here.come("word")
        assert here.are("song", "word")
        here.go("song")
        assert here.are("word", "album")
        here.go("word")
        here.go("album")


def test_one_place_is_for_long_ones_too() -> None:
    with Gate(1).enter(is_long=True):
        pass


def test_waiting_can_be_given_up() -> None:
    gate = Gate(1)
    with gate.enter():
        with pytest.raises(Cancelled, match="before it began"), gate.enter(cancel=lambda: True):
            pass
        assert gate._waiting == []
    with gate.enter(cancel=lambda: False):
        pass


def test_a_place_is_given_back_after_an_error() -> None:
    gate = Gate(1)
    with pytest.raises(KeyError), gate.enter():
        raise KeyError
    assert gate._inside == []


def test_no_places_are_refused() -> None:
    with pytest.raises(ValueError, match="expected at least 1"):
        Gate(0)
