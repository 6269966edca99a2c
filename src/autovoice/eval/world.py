"""WORLD's extension module, and what its pitch trackers share here."""

from __future__ import annotations

import functools
import importlib.machinery
import importlib.util
import threading
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from autovoice.errors import AutoVoiceError
from autovoice.types import FloatArray

HOP_S = 0.01
FLOOR_HZ = 65.0
CEILING_HZ = 1100.0
SAMPLE_RATE_HZ = 16_000
HOP_SAMPLES = 160
_LEAST_SAMPLES = 1600


def harvest_f0(audio: FloatArray) -> NDArray[np.float64]:
    """Track 16 kHz sound with Harvest, ``[T]`` -> ``[T // 160 + 1]``."""
    return _track(audio, "harvest")


def dio_f0(audio: FloatArray) -> NDArray[np.float64]:
    """Track 16 kHz sound with DIO refined by StoneMask, ``[T]`` -> ``[T // 160 + 1]``."""
    return _track(audio, "dio")


def _track(audio: FloatArray, method: str) -> NDArray[np.float64]:
    # Both fail on sounds shorter than their longest filter; in silence there is nothing to find.
    if len(audio) < _LEAST_SAMPLES or not np.any(np.abs(audio) > 1e-6):
        return np.zeros(len(audio) // HOP_SAMPLES + 1)
    samples = audio.astype(np.float64)
    options = {"f0_floor": FLOOR_HZ, "f0_ceil": CEILING_HZ, "frame_period": 1000.0 * HOP_S}
    f0_hz, times_s = getattr(world(), method)(samples, SAMPLE_RATE_HZ, **options)
    if method == "dio":
        f0_hz = world().stonemask(samples, f0_hz, times_s, SAMPLE_RATE_HZ)
    found: NDArray[np.float64] = f0_hz
    return found


_loading = threading.Lock()


def world() -> ModuleType:
    """Load pyworld's extension module alone, once for all threads: it cannot be loaded twice.

    The package around it imports ``pkg_resources``, which setuptools no longer ships.
    """
    with _loading:
        return _world()


@functools.cache
def _world() -> ModuleType:
    package = importlib.util.find_spec("pyworld")
    folders = package.submodule_search_locations if package else None
    spec = importlib.machinery.PathFinder.find_spec("pyworld.pyworld", folders) if folders else None
    if spec is None or spec.loader is None:
        raise AutoVoiceError("found no pyworld, which scores pitch; run `pip install pyworld`")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
