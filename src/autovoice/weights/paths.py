"""Where weights lie on this machine: the cache folder and the files that come with AutoVoice."""

from __future__ import annotations

import os
from pathlib import Path

import autovoice

CACHE_VARIABLE = "AUTOVOICE_CACHE_DIR"


def cache_root(explicit: Path | str | None = None) -> Path:
    """Return the cache folder: the argument, else ``AUTOVOICE_CACHE_DIR``, else the user's cache.

    This is the only place that reads the variable.
    """
    chosen = explicit or os.environ.get(CACHE_VARIABLE)
    if chosen:
        return Path(chosen).expanduser().absolute()
    import platformdirs

    return Path(platformdirs.user_cache_dir("autovoice", appauthor=False))


def bundled_root() -> Path:
    """Return ``models/`` of a source checkout, or ``_models/`` of an installed package."""
    package = Path(autovoice.__file__).resolve().parent
    checkout = package.parents[1]
    if (checkout / "pyproject.toml").is_file() and package.parent.name == "src":
        return checkout / "models"
    return package / "_models"
