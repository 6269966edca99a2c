"""Turns: live first, each queue in order, none lost."""

from __future__ import annotations

import threading
import time

from autovoice.engine.turns import Turns


def wait_for(turns: Turns, live: int, batch: int) -> None:
    end = time.monotonic() + 5
    while (len(turns._live), len(turns._batch)) != (live, batch):
        assert time.monotonic() < end
        time.sleep(0.001)


def test_live_goes_first_and_batch_keeps_its_order() -> None:
    turns, order = Turns(), []

    def work(name: str, live: bool) -> None:
        with turns.live() if live else turns.batch():
            order.append(name)

    threads = []
    with turns.batch():
        for count, name in enumerate(["a", "b"], start=1):
            threads.append(threading.Thread(target=work, args=(name, False)))
            threads[-1].start()
            wait_for(turns, 0, count)
        for count, name in enumerate(["x", "y"], start=1):
            threads.append(threading.Thread(target=work, args=(name, True)))
            threads[-1].start()
            wait_for(turns, count, 2)
        turns.give_way()
        order.append("first")
    for thread in threads:
        thread.join(timeout=5)
    assert order == ["x", "y", "first", "a", "b"]


def test_giving_way_to_nobody_keeps_the_turn() -> None:
    turns = Turns()
    with turns.batch():
        turns.give_way()
        assert turns._taken
    assert not turns._taken


def test_an_error_gives_the_turn_back() -> None:
    turns = Turns()
    try:
        with turns.live():
            raise ValueError
    except ValueError:
        pass
    with turns.batch():
        assert turns._taken
