"""Spleeter 2 stems: two pickled dicts of NumPy arrays."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from autovoice.errors import WeightsError

# Checkpoint 0 is the vocals' network, 1 the accompaniment's: measured on a mix whose parts are
# known (the other way round, the stems come out exchanged).
STEMS = {"vocals": "testcheckpoint0.ckpt", "backing": "testcheckpoint1.ckpt"}
LEVELS = 6


def convert(members: Mapping[str, Path]) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return both networks' tensors under ``vocals.`` and ``backing.``, and the metadata.

    Args:
        members: the two checkpoint files by base name.

    Raises:
        WeightsError: a file is missing, is not a plain dict of arrays, or has other keys.
    """
    tensors: dict[str, Tensor] = {}
    for stem, member in STEMS.items():
        if member not in members:
            raise WeightsError(f"spleeter-2stems: found {sorted(members)}, expected {member}")
        arrays = _load(members[member])
        for ours, theirs in _names().items():
            if theirs not in arrays:
                raise WeightsError(f"{member}: {theirs} is missing; fetch the file again")
            values = np.asarray(arrays[theirs], dtype=np.float32)
            tensors[f"{stem}.{ours}"] = torch.from_numpy(values.copy()).contiguous()
    metadata = {"sample_rate_hz": "44100", "fft_samples": "4096", "hop_samples": "1024"}
    return tensors, metadata


def _load(path: Path) -> dict[str, Any]:
    """Unpickle a dict of arrays; anything that is not NumPy's own array is refused."""
    from numpy._core.multiarray import _reconstruct

    # The function has moved between NumPy's modules; a file names the path of its own time.
    allowed: list[Any] = [
        np.ndarray,
        np.dtype,
        np.dtypes.Float32DType,
        (_reconstruct, "numpy.core.multiarray._reconstruct"),
        (_reconstruct, "numpy._core.multiarray._reconstruct"),
    ]
    try:
        with torch.serialization.safe_globals(allowed):
            loaded = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds, and its words advise the unsafe way
        raise WeightsError(
            f"{path.name}: found something else than a checkpoint of NumPy arrays "
            f"({type(error).__name__}); fetch the file again"
        ) from error
    if not isinstance(loaded, dict):
        raise WeightsError(f"{path.name}: found {type(loaded).__name__}, expected a dict")
    return loaded


def _names() -> dict[str, str]:
    """Return our name -> the checkpoint's name."""
    norm = ("weight", "bias", "running_mean", "running_var")
    names: dict[str, str] = {}
    for level in range(LEVELS):
        for part in ("weight", "bias"):
            names[f"down.{level}.conv.{part}"] = f"down{level + 1}_conv.1.{part}"
            names[f"up.{level}.conv.{part}"] = f"up{level + 1}.0.{part}"
            names[f"final.{part}"] = f"up7.0.{part}"
        for part in norm:
            names[f"down.{level}.norm.{part}"] = f"down{level + 1}_act.0.{part}"
            names[f"up.{level}.norm.{part}"] = f"up{level + 1}.3.{part}"
    return names
