from __future__ import annotations

from io import StringIO

from rich.console import Console

from autovoice.cli.progress import _left, shown
from autovoice.engine import Progress


def test_bars_are_drawn_for_those_who_look() -> None:
    screen = StringIO()
    console = Console(file=screen, force_terminal=True, width=100)
    with shown("song [1].mp3", console) as listener:
        assert listener is not None
        listener(Progress("separate", 0.5, 0.1, 65.0))
        listener(Progress("convert", 1.0, 1.0, 0.0))
    drawn = screen.getvalue()
    assert "song [1].mp3" in drawn
    assert "separate" in drawn
    assert (_left(None), _left(65.4)) == ("", "1:05 left")


def test_nobody_looking_means_no_bars() -> None:
    with shown("song") as listener:
        assert listener is None
