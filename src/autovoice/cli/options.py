"""Options that several commands have, said once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

Command = Callable[..., Any]

voice = click.option(
    "--voice",
    required=True,
    help="Built-in name, stored voice, .voice file, or a recording of 3 s or more.",
)
output = click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="OUT",
    help="File to write (wav, flac, mp3, ogg, opus); a file there is replaced.",
)
lexicon = click.option(
    "--lexicon",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="How words are said: word, tab, phonemes on each line, or JSON.",
)


def running(command: Command) -> Command:
    """Add where and how a command runs: ``device``, ``vram``, ``seed``, ``as_json``."""
    options = (
        click.option("--device", default="auto", show_default=True, metavar="auto|cpu|cuda[:N]"),
        click.option("--vram", metavar="SIZE", help="Cap on GPU memory, such as 4G."),
        click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True),
        click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout."),
    )
    for option in reversed(options):
        command = option(command)
    return command
