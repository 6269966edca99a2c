"""A small world of fake wheels: an index folder, a registry, a downloader that copies."""

from __future__ import annotations

import hashlib
import json
import threading
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from autovoice.weights.catalogue import Catalogue, Wheel, load_catalogue
from autovoice.weights.store import WeightStore

CONVERTER = """
import torch
def convert(members):
    data = members["net.bin"].read_bytes()
    return {"bytes": torch.tensor(list(data[:64]), dtype=torch.uint8)}, {"length": str(len(data))}
"""
NET = bytes(range(256)) * 40
PART_1, PART_2 = b"first half, " * 100, b"second half" * 90


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def make_wheel(path: Path, members: dict[str, bytes]) -> dict[str, Any]:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return {"sha256": sha(path.read_bytes()), "bytes": path.stat().st_size}


def member(name: str, wheel: str, path: str, data: bytes, keep: bool = False) -> dict[str, Any]:
    size, digest = len(data), sha(data)
    return {
        "name": name,
        "wheel": wheel,
        "path": path,
        "bytes": size,
        "sha256": digest,
        "keep": keep,
    }


def model(name: str, converter: str | None, members: list[Any], **more: Any) -> dict[str, Any]:
    base = {"use": "test", "what": "a fake", "licence": "MIT", "attribution": "Copyright Nobody"}
    lists: dict[str, Any] = {"needed_by": ["convert"], "joined": [], "sources": []}
    return {"name": name, "converter": converter, "members": members, **base, **lists, **more}


class CopyDownloader:
    """Bring wheels from a folder, and remember which."""

    def __init__(self, index: Path) -> None:
        self.index = index
        self.fetched: list[str] = []
        self.before: Callable[[Wheel], None] = lambda wheel: None

    def __call__(
        self, wheel: Wheel, folder: Path, report: Callable[[int], None], stop: threading.Event
    ) -> Path:
        self.before(wheel)
        self.fetched.append(wheel.file_name)
        target = folder / wheel.file_name
        target.write_bytes((self.index / wheel.file_name).read_bytes())
        report(target.stat().st_size)
        return target


@dataclass
class World:
    """Where the fake weights live."""

    root: Path
    registry: dict[str, Any]
    download: CopyDownloader
    wheel_names: dict[str, str] = field(default_factory=dict)

    @property
    def cache(self) -> Path:
        return self.root / "cache"

    @property
    def index(self) -> Path:
        return self.root / "index"

    def catalogue(self) -> Catalogue:
        path = self.root / f"registry-{sha(json.dumps(self.registry).encode())[:8]}.json"
        path.write_text(json.dumps(self.registry))
        return load_catalogue(path)

    def store(self, **options: Any) -> WeightStore:
        options.setdefault("download", self.download)
        return WeightStore(
            self.cache,
            catalogue=self.catalogue(),
            converters="fake_converters",
            converters_dir=self.root / "fake_converters",
            **options,
        )


def flip_bit(path: Path, at: int) -> None:
    """Flip the lowest bit of one byte of a file."""
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)
