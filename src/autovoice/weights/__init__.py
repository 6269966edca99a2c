"""Pinned model weights by name: fetched, checked, converted to safetensors, cached.

>>> from autovoice import weights
>>> weights.registry()["swift-f0"].licence
'MIT'
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from autovoice.weights.bundled import (
    BundledFile,
    BundledStatus,
    bundled_path,
    read_index,
    verify_bundled,
)
from autovoice.weights.catalogue import Model, load_catalogue
from autovoice.weights.progress import ProgressCallback, ProgressEvent, silent
from autovoice.weights.store import Status, WeightStore

if TYPE_CHECKING:
    import torch

__all__ = [
    "BundledFile",
    "BundledStatus",
    "Model",
    "ProgressCallback",
    "ProgressEvent",
    "Status",
    "WeightStore",
    "bundled",
    "bundled_index",
    "file",
    "metadata",
    "needed_by",
    "pull",
    "registry",
    "status",
    "tensors",
    "verify",
    "verify_bundled",
    "voice_model",
    "voice_model_sha256",
]


def tensors(name: str, *, offline: bool = False) -> dict[str, torch.Tensor]:
    """Return a model's tensors on the CPU; fetch and convert them when absent.

    Raises:
        WeightsError: unknown name, or not to be had.
        ResourceError: the disk is full.
    """
    return WeightStore().tensors(name, offline=offline)


def metadata(name: str, *, offline: bool = False) -> dict[str, str]:
    """Return what the converter wrote beside the tensors, with source, licence and attribution.

    Raises:
        WeightsError: unknown name, or not to be had.
    """
    return WeightStore().metadata(name, offline=offline)


def file(name: str, member: str, *, offline: bool = False) -> Path:
    """Return the path of a raw file of a model (``tokenizer.json``, ``model.onnx``, ...).

    Raises:
        WeightsError: unknown name or member, or not to be had.
    """
    return WeightStore().file(name, member, offline=offline)


def bundled(file_name: str) -> Path:
    """Return the path of a file that comes with AutoVoice, from the repository's ``models/``.

    Raises:
        WeightsError: it is missing or cut short.
    """
    return bundled_path(file_name)


def bundled_index() -> dict[str, BundledFile]:
    """Return size, SHA-256, licence and attribution of every bundled file."""
    return read_index()


def registry() -> Mapping[str, Model]:
    """Return every model that is known, by name."""
    return load_catalogue().models


def needed_by(command: str) -> tuple[str, ...]:
    """Return the names that a command (``convert``, ``speak``, ``eval``) cannot do without."""
    return load_catalogue().needed_by(command)


def pull(
    names: Sequence[str],
    *,
    progress: ProgressCallback = silent,
    offline: bool = False,
    jobs: int = 4,
) -> None:
    """Have everything of the named models in the cache, and mend what is damaged.

    Raises:
        WeightsError: unknown name, or not to be had.
        ResourceError: the disk is full.
    """
    WeightStore().pull(names, progress=progress, offline=offline, jobs=jobs)


def verify(names: Sequence[str] | None = None) -> list[Status]:
    """Compare the SHA-256 of all that the cache holds of the named models; default: all models."""
    return WeightStore().verify(names)


def status(name: str) -> Status:
    """Tell what the cache holds of a model, without reading it."""
    return WeightStore().status(name)


def voice_model(part: str) -> dict[str, torch.Tensor]:
    """Return the tensors of a part of the project's own voice model: adapter, style, decoder."""
    from autovoice.weights.trained import voice_model as read

    return read(part)


def voice_model_sha256() -> str:
    """Return what changes whenever a file of the project's own voice model does."""
    from autovoice.weights.trained import voice_model_sha256 as digest

    return digest()
