"""Go on exactly: weights as they are, their averages, and the moments of the optimisers.

A checkpoint (``model-*``) holds averages, rounded to int8, which is what use needs. A run that goes
on from it begins a little elsewhere, with optimisers that know nothing yet. What this writes is
large, and only of use on the machine where the training goes on.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from autovoice.train.checkpoint import facts_in
from autovoice.weights.files import atomic_path, sha256_of

_FILE = Path("state") / "state.safetensors"
Tensors = dict[str, Tensor]


def of_optimiser(optimiser: torch.optim.Optimizer, name: str) -> Tensors:
    """Name every moment and count of an optimiser: ``name.INDEX.KEY``."""
    states: dict[int, Mapping[str, Tensor]] = optimiser.state_dict()["state"]
    return {f"{name}.{i}.{key}": value for i, kept in states.items() for key, value in kept.items()}


def to_optimiser(
    optimiser: torch.optim.Optimizer, name: str, tensors: Mapping[str, Tensor]
) -> None:
    """Put back what :func:`of_optimiser` named; its rates and shares stay."""
    states: dict[int, Tensors] = {}
    for key, value in under(tensors, name).items():
        index, _, what = key.partition(".")
        states.setdefault(int(index), {})[what] = value
    groups = optimiser.state_dict()["param_groups"]
    optimiser.load_state_dict({"state": states, "param_groups": groups})


def under(tensors: Mapping[str, Tensor], name: str) -> Tensors:
    """Take the tensors under ``name.`` and strip it."""
    return {k[len(name) + 1 :]: v for k, v in tensors.items() if k.startswith(name + ".")}


def save(out: Path, tensors: Mapping[str, Tensor], facts: Mapping[str, object]) -> None:
    """Write a state beside the checkpoint in ``out`` that it belongs to, atomically."""
    path = out / _FILE
    told = json.dumps({**facts, "model": _digest(out)})
    # No two of them may share memory.
    apart = {name: value.detach().cpu().clone().contiguous() for name, value in tensors.items()}
    with atomic_path(path) as temporary:
        save_file(apart, temporary, metadata={"facts": told})


def load(folder: Path) -> tuple[Tensors, dict[str, object]]:
    """Read a state and its facts; both empty where there is none, or the checkpoint is another."""
    path = folder / _FILE
    if not path.is_file():
        return {}, {}
    with safe_open(path, framework="pt") as file:
        facts = facts_in(file)
        if facts.get("model") != _digest(folder):
            return {}, {}
        return {key: file.get_tensor(key) for key in file.keys()}, facts  # noqa: SIM118


def _digest(folder: Path) -> str:
    """Tell the checkpoint in a folder from any other."""
    return " ".join(map(sha256_of, sorted(folder.glob("model-*.safetensors"))))
