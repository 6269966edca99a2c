"""Make sure of the places that results go to, and say why where that cannot be."""

from __future__ import annotations

import os
from pathlib import Path

from autovoice.errors import InputError, ResourceError


def make_folder(folder: Path) -> None:
    """Make a folder, unless it is there.

    Raises:
        InputError: a file has that name.
        ResourceError: it cannot be made, or not written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise InputError(f"{folder}: found a file, expected a folder") from error
    except OSError as error:
        raise ResourceError(f"{folder}: cannot be made ({error.strerror})") from error
    if not os.access(folder, os.W_OK):
        raise ResourceError(f"{folder}: cannot be written; check its permissions")


def check_file(output: Path, sample_rate_hz: int, channels: int) -> None:
    """Make sure that a recording can be written, and make its folder.

    Raises:
        InputError: a format that cannot hold it, or a folder has that name.
        ResourceError: its folder cannot be made, or not written to.
    """
    from autovoice import io

    io.Writer(output, sample_rate_hz, channels)
    if output.is_dir():
        raise InputError(f"{output}: found a folder, expected the name of a file to write")
    make_folder(output.parent)
