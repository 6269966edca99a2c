"""One model's folder in the cache: what is there, whether it is whole, how it is put there.

::

    <cache>/<model>/files-<source key>/<file>                   raw files, each whole or absent
    <cache>/<model>/tensors-<source + converter key>/model.safetensors
                                                     manifest.json   written last: its commit
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from autovoice.errors import WeightsError
from autovoice.weights.catalogue import Joined, Member, Model
from autovoice.weights.files import (
    TEMPORARY_PREFIX,
    atomic_path,
    read_header,
    sha256_of,
    write_json,
)

if TYPE_CHECKING:
    import torch

CONVERTERS = "autovoice.weights.converters"
MANIFEST_FORMAT = 1
ConvertFunction = Callable[
    [Mapping[str, Path]], "tuple[dict[str, torch.Tensor], Mapping[str, str]]"
]


class CacheEntry:
    """Everything the cache holds of one model.

    Args:
        root: the cache folder.
        model: its entry in the registry.
        converters_dir: folder of the converter modules.
    """

    def __init__(self, root: Path, model: Model, converters_dir: Path | None = None) -> None:
        self.model = model
        self.folder = root / model.name
        self._converters_dir = converters_dir or Path(__file__).with_name("converters")

    # -- raw files ---------------------------------------------------------------------------

    @property
    def files_dir(self) -> Path:
        """Folder of the raw files; another one as soon as any source file changes."""
        return self.folder / f"files-{self.model.content_key}"

    def file_path(self, name: str) -> Path:
        """Return where the raw file ``name`` lies or would lie."""
        return self.files_dir / name

    def file_fault(self, file: Member | Joined, *, full: bool = False) -> str | None:
        """Tell what is wrong with a raw file: its size, and with ``full`` its SHA-256."""
        return _fault(self.file_path(file.name), file.size_bytes, file.sha256 if full else None)

    def find(self, name: str) -> Member | Joined:
        """Return the registry's record of a file.

        Raises:
            WeightsError: the model has no such file.
        """
        for file in self.model.files:
            if file.name == name:
                return file
        offered = ", ".join(file.name for file in self.model.files)
        raise WeightsError(f"{self.model.name} has no file {name!r}; it has: {offered}")

    def mark_asked(self, name: str) -> None:
        """Remember that somebody uses the raw file ``name``, so that conversion leaves it."""
        marker = self.files_dir / f".asked-{name}"
        marker.parent.mkdir(parents=True, exist_ok=True)
        marker.touch()

    def drop_unused(self) -> None:
        """Remove raw files that only the converter wanted."""
        for file in self.model.files:
            if not file.keep and not (self.files_dir / f".asked-{file.name}").exists():
                self.file_path(file.name).unlink(missing_ok=True)

    # -- tensors -----------------------------------------------------------------------------

    @property
    def tensors_dir(self) -> Path:
        """Folder of the converted file; another one as soon as the converter's source changes."""
        source = self._converters_dir / f"{self.model.converter}.py"
        try:
            text = source.read_bytes().replace(b"\r\n", b"\n")
        except OSError as error:
            raise WeightsError(
                f"this installation has no converter for {self.model.name} ({source.name} is "
                "missing); install a complete autovoice package"
            ) from error
        key = hashlib.sha256(self.model.content_key.encode() + text).hexdigest()[:12]
        return self.folder / f"tensors-{key}"

    @property
    def tensors_path(self) -> Path:
        """Where the safetensors file lies or would lie."""
        return self.tensors_dir / "model.safetensors"

    @property
    def _manifest_path(self) -> Path:
        return self.tensors_dir / "manifest.json"

    def tensors_fault(self, *, full: bool = False) -> str | None:
        """Tell what is wrong with the safetensors file: manifest, size, header, ``full``: hash."""
        try:
            manifest = json.loads(self._manifest_path.read_text(encoding="utf-8"))
            if manifest["format"] != MANIFEST_FORMAT:
                return f"the manifest has format {manifest['format']}"
            size_bytes, sha256 = int(manifest["size_bytes"]), str(manifest["sha256"])
        except FileNotFoundError:
            return "half-written" if self.tensors_path.exists() else "absent"
        except (OSError, ValueError, KeyError, TypeError) as error:
            return f"the manifest is not readable ({error!r})"
        fault = _fault(self.tensors_path, size_bytes, sha256 if full else None)
        if fault is not None:
            return fault
        try:
            read_header(self.tensors_path)
        except (WeightsError, OSError) as error:
            return str(error)
        return None

    def convert(self, converters: str = CONVERTERS) -> None:
        """Run the converter on the raw files and store what it returns.

        Raises:
            WeightsError: there is no converter, or it does not accept the files.
        """
        from safetensors.torch import save_file

        try:
            module = importlib.import_module(f"{converters}.{self.model.converter}")
        except ImportError as error:
            raise WeightsError(
                f"the converter of {self.model.name} cannot be loaded ({error}); install a "
                "complete autovoice package"
            ) from error
        function = cast("ConvertFunction", module.convert)
        tensors, metadata = function({f.name: self.file_path(f.name) for f in self.model.files})
        self._manifest_path.unlink(missing_ok=True)
        with atomic_path(self.tensors_path) as temporary:
            save_file(tensors, temporary, {**metadata, **self._header()})
            record = {"size_bytes": temporary.stat().st_size, "sha256": sha256_of(temporary)}
        write_json(self._manifest_path, {**record, "format": MANIFEST_FORMAT, **self._header()})

    def _header(self) -> dict[str, str]:
        model = self.model
        sources = {file.name: file.sha256 for file in model.files}
        return {
            "model": model.name,
            "licence": model.licence,
            "attribution": model.attribution,
            "sources_sha256": json.dumps(sources, sort_keys=True),
        }

    def header(self) -> dict[str, Any]:
        """Read the header of the safetensors file."""
        return read_header(self.tensors_path)

    # -- housekeeping ------------------------------------------------------------------------

    def discard_tensors(self) -> None:
        """Remove the converted file, manifest first, so that what is left counts as absent."""
        self._manifest_path.unlink(missing_ok=True)
        shutil.rmtree(self.tensors_dir, ignore_errors=True)

    def sweep(self) -> None:
        """Remove what a killed process left half-written; call it under the store's lock."""
        for path in self.folder.glob(f"*/{TEMPORARY_PREFIX}*"):
            path.unlink(missing_ok=True)

    def stale_dirs(self) -> list[Path]:
        """Return folders of other source files or of an older converter."""
        current = {self.files_dir}
        with contextlib.suppress(WeightsError):  # no converter here: its output is stale too
            if self.model.converter is not None:
                current.add(self.tensors_dir)
        return [p for p in sorted(self.folder.glob("*-*")) if p.is_dir() and p not in current]


def _fault(path: Path, size_bytes: int, sha256: str | None) -> str | None:
    try:
        found_bytes = path.stat().st_size
    except FileNotFoundError:
        return "absent"
    if found_bytes != size_bytes:
        return f"{path.name}: found {found_bytes} bytes, expected {size_bytes}"
    if sha256 is not None and sha256_of(path) != sha256:
        return f"{path.name}: the sha256 differs, bytes were changed"
    return None
