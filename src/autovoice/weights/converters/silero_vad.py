"""Silero voice activity detector, 16 kHz: a safetensors file already."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from autovoice.errors import WeightsError


def convert(members: Mapping[str, Path]) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """Read ``silero_vad_16k.safetensors``, keys unchanged.

    Raises:
        WeightsError: it is no safetensors file.
    """
    path = members["silero_vad_16k.safetensors"]
    try:
        return load_file(path), {"sample_rate_hz": "16000"}
    except SafetensorError as error:
        raise WeightsError(f"{path.name}: not a safetensors file ({error})") from error
