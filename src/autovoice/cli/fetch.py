"""Fetch the weights that a command needs, on its first call on a machine."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import click


def fetch_missing(names: Iterable[str], *, first: Callable[[], None] | None = None) -> None:
    """Fetch those that are not in the cache, with a word about it.

    Args:
        names: of models; see ``weights.needed_by``.
        first: what should not cost a download when it fails.

    Raises:
        WeightsError: they cannot be had.
    """
    from autovoice import weights

    missing = [name for name in dict.fromkeys(names) if weights.status(name).state != "ready"]
    if not missing:
        return
    if first is not None:
        first()
    from autovoice.cli.models import progress_bars

    click.echo(f"fetching weights, this once: {', '.join(missing)}", err=True)
    with progress_bars() as progress:
        weights.pull(missing, progress=progress)
