"""Where ops are declared, and the compiled kernels loaded beside them.

The schema and the reference live in Python, for every device; the compiled library adds
implementations for CUDA through LibTorch's stable ABI, so that one file serves many releases of
PyTorch. It needs a PyTorch that is built for CUDA, and is not touched elsewhere.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch

from autovoice.kernels import fatbin

log = logging.getLogger(__name__)
NAMESPACE = "autovoice"
_LIBRARY = torch.library.Library(NAMESPACE, "DEF")  # type: ignore[no-untyped-call]
_NAMES: list[str] = []
# Ops whose callers are to take the reference on every device, to compare: names and commas.
SWITCH = "AUTOVOICE_REFERENCE_OPS"
_OFF = {name.strip() for name in os.environ.get(SWITCH, "").split(",")}


@dataclass(frozen=True)
class Implementation:
    """What runs an op on a CUDA device, and why.

    Args:
        op: its name.
        kind: ``cuda`` or ``reference``.
        reason: one clause for people.
    """

    op: str
    kind: str
    reason: str


def declare(schema: str, reference: Callable[..., Any], fake: Callable[..., Any]) -> None:
    """Declare an op.

    Args:
        schema: as ``torch.library`` reads it, without the namespace.
        reference: runs it on any device.
        fake: returns empty tensors of the right shapes, for tracing.
    """
    name = schema.partition("(")[0]
    library: Any = _LIBRARY
    library.define(schema)
    library.impl(name, reference, "CompositeExplicitAutograd")
    torch.library.register_fake(f"{NAMESPACE}::{name}", fake, lib=_LIBRARY)
    _NAMES.append(name)


def enabled(name: str) -> bool:
    """Tell whether an op may take its kernel; false while it is to be compared with the rest."""
    return name not in _OFF


@cache
def has_tensor_cores(device: torch.device) -> bool:
    """Tell whether a CUDA device has the products that ops in half precision are made of."""
    return torch.cuda.get_device_capability(device) >= (8, 0)


@contextlib.contextmanager
def switched_off(*names: str) -> Iterator[None]:
    """Let ops take their references, in all threads: for benchmarks that show both in one run."""
    added = set(names) - _OFF
    _OFF.update(added)
    try:
        yield
    finally:
        _OFF.difference_update(added)


def compiled_file() -> Path | None:
    """Return the compiled library beside the package, if it was built."""
    found = sorted(Path(__file__).resolve().parents[1].glob("_cuda*.so"))
    return found[0] if found else None


@cache
def load() -> tuple[bool, str]:
    """Load the compiled library where it can be used; tell whether it was, and why not."""
    if torch.version.cuda is None:
        return False, "this PyTorch is built without CUDA"
    file = compiled_file()
    if file is None:
        return False, "no compiled extension was installed"
    unfit = _unfit(file)
    if unfit:
        log.warning("%s; going on without it", unfit)
        return False, unfit
    try:
        torch.ops.load_library(str(file))  # type: ignore[no-untyped-call]
    except OSError as error:
        reason = f"the compiled extension does not load: {error}"
        log.warning("%s; going on without it", reason)
        return False, reason
    return True, f"{file.name} is loaded"


def _unfit(file: Path) -> str | None:
    """Return why a file has nothing for any GPU that is here: each call would fail."""
    here = {torch.cuda.get_device_capability(i) for i in range(torch.cuda.device_count())}
    try:
        code = fatbin.read(file)
    except (OSError, ValueError):
        return None  # loading it says what is wrong
    if not here or any(code.fit(capability) != "none" for capability in here):
        return None
    found = ", ".join(f"{major}.{minor}" for major, minor in sorted(here))
    return f"{file.name} has {code}, and nothing for compute capability {found}"


def implementations() -> tuple[Implementation, ...]:
    """Say for every op what would run it on a CUDA device."""
    loaded, reason = load()
    found = []
    for name in _NAMES:
        has = torch._C._dispatch_has_kernel_for_dispatch_key(f"{NAMESPACE}::{name}", "CUDA")
        why = reason if has or not loaded else "the compiled extension has no kernel for it"
        if not enabled(name):
            has, why = False, f"{SWITCH} asks for it"
        found.append(Implementation(name, "cuda" if has else "reference", why))
    return tuple(found)
