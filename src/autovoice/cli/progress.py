"""Progress bars on stderr: one line per stage, quiet when nobody looks."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from autovoice.engine import Progress


@contextlib.contextmanager
def shown(
    label: str, console: Console | None = None
) -> Iterator[Callable[[Progress], None] | None]:
    """Yield a listener that draws bars, or None when stderr is no terminal.

    Args:
        label: what is worked on.
        console: where to draw. Default: stderr, if it is a terminal.
    """
    if console is None and not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[left]}"),
    )
    with Bars(*columns, console=console or Console(stderr=True), transient=True) as bars:
        tasks: dict[str, object] = {}
        bars.console.print(escape(label), highlight=False)

        def listener(report: Progress) -> None:
            if report.stage not in tasks:
                tasks[report.stage] = bars.add_task(f"{report.stage:<9}", total=1.0, left="")
            done = report.fraction >= 1.0
            bars.update(
                tasks[report.stage],  # type: ignore[arg-type]
                completed=report.fraction,
                left="" if done else _left(report.seconds_left),
            )

        yield listener


def _left(seconds: float | None) -> str:
    """Write a time left: ``1:05 left``."""
    if seconds is None:
        return ""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d} left"
