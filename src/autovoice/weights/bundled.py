"""The files that come with AutoVoice itself: adapters, encoders, built-in voices.

``models/index.json`` lists them::

    {"format": 1, "files": {"adapter.safetensors": {"size_bytes": 1, "sha256": "...",
     "licence": "MIT", "attribution": "AutoVoice contributors", "card": "adapter/MODEL_CARD.md"}}}
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from autovoice.errors import WeightsError
from autovoice.weights.files import sha256_of
from autovoice.weights.paths import bundled_root

INDEX_NAME = "index.json"
_FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")


@dataclass(frozen=True)
class BundledFile:
    """One line of the index.

    Args:
        card: path of the model card, from the same folder.
    """

    name: str
    size_bytes: int
    sha256: str
    licence: str
    attribution: str
    card: str


@dataclass(frozen=True)
class BundledStatus:
    """Whether a bundled file is what the index says; ``detail`` says what is wrong."""

    name: str
    state: Literal["ready", "absent", "damaged"]
    detail: str


def bundled_path(file_name: str, root: Path | None = None) -> Path:
    """Return the path of a bundled file; its size is checked where the index lists it.

    Raises:
        WeightsError: not a plain file name, not there, or of another size.
    """
    folder = root or bundled_root()
    if not _FILE_NAME.fullmatch(file_name):
        raise WeightsError(f"{file_name!r} is not a plain file name")
    path = folder / file_name
    if not path.is_file():
        raise WeightsError(
            f"{file_name} is missing from {folder}; it comes with AutoVoice: get a complete "
            "checkout (`git checkout -- models`) or install the package again"
        )
    listed = read_index(folder).get(file_name)
    if listed is not None and path.stat().st_size != listed.size_bytes:
        raise WeightsError(
            f"{path}: found {path.stat().st_size} bytes, expected {listed.size_bytes}; restore it "
            "(`git checkout -- models`) or install the package again"
        )
    return path


def read_index(root: Path | None = None) -> dict[str, BundledFile]:
    """Read the index of bundled files; without one there are none.

    Raises:
        WeightsError: the index is not readable.
    """
    path = (root or bundled_root()) / INDEX_NAME
    try:
        files = json.loads(path.read_text(encoding="utf-8"))["files"]
        return {
            name: BundledFile(
                name,
                int(item["size_bytes"]),
                str(item["sha256"]),
                str(item["licence"]),
                str(item["attribution"]),
                str(item.get("card", "")),
            )
            for name, item in files.items()
        }
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise WeightsError(f"{path}: not a readable index ({error!r})") from error


def verify_bundled(root: Path | None = None) -> list[BundledStatus]:
    """Read every byte of the files in the index and compare SHA-256."""
    folder = root or bundled_root()
    return [_verify(folder / name, listed) for name, listed in read_index(folder).items()]


def _verify(path: Path, listed: BundledFile) -> BundledStatus:
    if not path.is_file():
        return BundledStatus(listed.name, "absent", "missing")
    if sha256_of(path) != listed.sha256:
        return BundledStatus(listed.name, "damaged", f"{path}: the sha256 differs")
    return BundledStatus(listed.name, "ready", "")
