"""What weights there are, where they come from and under which licence: reads ``registry.json``."""

from __future__ import annotations

import functools
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from autovoice.errors import WeightsError

REGISTRY_FILE = Path(__file__).with_name("registry.json")
_FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Wheel:
    """A pinned wheel: a zip file that is read as data and never installed."""

    file_name: str
    sha256: str
    size_bytes: int

    @property
    def requirement(self) -> str:
        """What pip is asked for: ``name==version``, read off the file name."""
        distribution, version = self.file_name.split("-")[:2]
        return f"{distribution}=={version}"


@dataclass(frozen=True)
class Member:
    """One file inside a wheel.

    Args:
        name: base name in the cache.
        wheel: file name of the wheel.
        path: path inside the wheel.
        keep: stays in the cache after conversion.
    """

    name: str
    wheel: str
    path: str
    size_bytes: int
    sha256: str
    keep: bool


@dataclass(frozen=True)
class Joined:
    """A file whose bytes are spread over several members, in the order of ``parts``."""

    name: str
    parts: tuple[str, ...]
    size_bytes: int
    sha256: str
    keep: bool


@dataclass(frozen=True)
class Source:
    """Another place where the publisher offers the weights; for people, never fetched from."""

    kind: str
    where: str


@dataclass(frozen=True)
class Model:
    """One entry of the registry.

    Args:
        converter: module in ``autovoice.weights.converters``, or ``None`` for raw files only.
        needed_by: the commands that cannot do without it.
    """

    name: str
    use: str
    what: str
    licence: str
    attribution: str
    converter: str | None
    needed_by: tuple[str, ...]
    members: tuple[Member, ...]
    joined: tuple[Joined, ...]
    sources: tuple[Source, ...]

    @property
    def files(self) -> tuple[Member | Joined, ...]:
        """The whole files that the entry offers; parts of joined files are left out."""
        parts = {part for joined in self.joined for part in joined.parts}
        return (*(m for m in self.members if m.name not in parts), *self.joined)

    @property
    def records(self) -> tuple[Member | Joined, ...]:
        """Every member and every joined file."""
        return (*self.members, *self.joined)

    @property
    def size_bytes(self) -> int:
        """Bytes of all files before conversion."""
        return sum(file.size_bytes for file in self.files)

    @property
    def content_key(self) -> str:
        """Twelve hex digits that change when any source file does."""
        lines = sorted(f"{file.name} {file.sha256}" for file in self.files)
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:12]

    def parts_of(self, name: str) -> tuple[Member, ...]:
        """Return the members that make up the file ``name``, in order."""
        by_name = {member.name: member for member in self.members}
        for joined in self.joined:
            if joined.name == name:
                return tuple(by_name[part] for part in joined.parts)
        return (by_name[name],)


@dataclass(frozen=True)
class Catalogue:
    """All models and wheels that are known."""

    models: Mapping[str, Model]
    wheels: Mapping[str, Wheel]

    def model(self, name: str) -> Model:
        """Return one entry.

        Raises:
            WeightsError: no entry has that name.
        """
        try:
            return self.models[name]
        except KeyError:
            known = ", ".join(sorted(self.models))
            raise WeightsError(f"unknown weights {name!r}; known are: {known}") from None

    def needed_by(self, command: str) -> tuple[str, ...]:
        """Return the names that ``command`` cannot do without."""
        return tuple(name for name, model in self.models.items() if command in model.needed_by)


@functools.lru_cache(maxsize=8)
def load_catalogue(path: Path = REGISTRY_FILE) -> Catalogue:
    """Read and check a registry file.

    Raises:
        WeightsError: the file is unreadable or an entry is not well-formed.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        wheels = {name: Wheel(name, w["sha256"], w["bytes"]) for name, w in data["wheels"].items()}
        models = {entry["name"]: _model(entry) for entry in data["models"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WeightsError(f"{path}: not a readable weights registry ({error!r})") from error
    catalogue = Catalogue(models, wheels)
    _check(catalogue, path)
    return catalogue


def _model(entry: Mapping[str, Any]) -> Model:
    members = tuple(
        Member(m["name"], m["wheel"], m["path"], m["bytes"], m["sha256"], m["keep"])
        for m in entry["members"]
    )
    joined = tuple(
        Joined(j["name"], tuple(j["parts"]), j["bytes"], j["sha256"], j["keep"])
        for j in entry["joined"]
    )
    return Model(
        name=entry["name"],
        use=entry["use"],
        what=entry["what"],
        licence=entry["licence"],
        attribution=entry["attribution"],
        converter=entry["converter"],
        needed_by=tuple(entry["needed_by"]),
        members=members,
        joined=joined,
        sources=tuple(Source(s["kind"], s["where"]) for s in entry["sources"]),
    )


def _check(catalogue: Catalogue, path: Path) -> None:
    """Refuse names that could leave the cache folder, and dangling references."""
    for model in catalogue.models.values():
        names = [model.name, *(record.name for record in model.records)]
        bad = [name for name in names if not _FILE_NAME.fullmatch(name)]
        bad += [m.path for m in model.members if not safe_member_path(m.path)]
        bad += [m.wheel for m in model.members if m.wheel not in catalogue.wheels]
        bad += [record.sha256 for record in model.records if not _is_sha256(record.sha256)]
        known = {member.name for member in model.members}
        bad += [part for j in model.joined for part in j.parts if part not in known]
        if bad:
            raise WeightsError(f"{path}: entry {model.name!r} is not well-formed: {bad[0]!r}")
    for wheel in catalogue.wheels.values():
        if not _FILE_NAME.fullmatch(wheel.file_name) or wheel.file_name.count("-") < 4:
            raise WeightsError(f"{path}: {wheel.file_name!r} is not a wheel file name")


def _is_sha256(text: str) -> bool:
    return _SHA256.fullmatch(text) is not None


def safe_member_path(path: str) -> bool:
    """Tell whether a path inside an archive is relative and stays inside it."""
    parts = PurePosixPath(path).parts
    plain = "\\" not in path and ":" not in path and "\0" not in path
    return bool(parts) and plain and not path.startswith("/") and ".." not in parts
