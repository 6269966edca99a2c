"""The profile of a step: parts, their order of size, and nothing where it is off."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from autovoice.train.step_profile import Profile


def _step(profile: Profile) -> None:
    with profile.step():
        with profile.part("draw"):
            sum(range(1_000))
        for _ in range(2):
            with profile.replay("real"), profile.part("inner"):
                sum(range(1_000))


def test_nothing_is_kept_without_steps() -> None:
    profile = Profile()
    profile.due(ready=True)
    _step(profile)
    assert not profile.finished
    assert not profile.host_s


def test_so_many_steps_are_timed_once_all_is_made(tmp_path: Path) -> None:
    profile = Profile(3)
    profile.due(ready=False)
    _step(profile)
    assert not profile.walls_s
    profile.due(ready=True)
    for _ in range(5):
        _step(profile)
    assert profile.finished
    profile.write(tmp_path, {"phase": "joint"})
    told = json.loads((tmp_path / "profile.json").read_text(encoding="utf-8"))
    assert (told["phase"], told["steps"]) == ("joint", 3)
    assert {name: row["times"] for name, row in told["parts"].items()} == {
        "draw": 1, "step real": 2, "inner": 2,
    }  # fmt: skip
    parts = {name: row["host_ms"] for name, row in told["parts"].items()}
    assert 0 < parts["inner"] <= parts["step real"]
    assert parts["draw"] + parts["step real"] <= told["wall_ms"] + 0.01
    assert all(row["device_ms"] is None for row in told["parts"].values())
    assert told["inside"] == {}
    assert not (tmp_path / "profile.json.part").exists()
    profile.due(ready=True)
    assert not profile.active  # once in a run
    assert not profile.finished


class Clock:
    """Stands for the device's clock: each event that is recorded is one millisecond later."""

    now = 0.0
    capturing = False

    class Event:
        """One event; those within a graph are external."""

        def __init__(self, **kind: bool) -> None:
            self.external, self.at = kind.get("external", False), 0.0

        def record(self) -> None:
            assert self.external == Clock.capturing
            Clock.now += 1.0
            self.at = Clock.now

        def elapsed_time(self, other: Clock.Event) -> float:
            return other.at - self.at


def test_captured_steps_are_looked_into_after_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "Event", Clock.Event)
    monkeypatch.setattr(torch.cuda, "is_current_stream_capturing", lambda: Clock.capturing)
    waits: list[int] = []
    profile = Profile(2, "cuda:0")
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: waits.append(profile.done))
    monkeypatch.setattr(Clock, "capturing", True)
    profile.kind = "real"
    with profile.part("generator"), profile.part("backward"):
        pass
    monkeypatch.setattr(Clock, "capturing", False)
    profile.due(ready=True)
    for _ in range(4):
        assert not profile.finished
        with profile.step(), profile.replay("real"):
            pass
    assert profile.finished
    assert waits == [2, 3]  # the first two ran as ever
    profile.write(tmp_path, {})
    told = json.loads((tmp_path / "profile.json").read_text(encoding="utf-8"))
    assert told["steps"] == 2
    assert told["parts"]["step real"]["device_ms"] == 1.0
    assert told["inside"] == {"backward": 1.0, "generator": 3.0}
