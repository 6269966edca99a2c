"""Small trained additions to a frozen network: to train them, and to wear them at no cost.

A layer's weight ``W`` becomes ``W + up @ down`` with ``down`` of few rows, its bias ``b`` becomes
``b + bias``. While they are trained they run beside the layer; in use they are added to it.

Source: low-rank adaptation (Hu et al. 2021), here for convolutions too; training biases alone
(Zaken et al. 2022).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from autovoice.errors import VoiceError

# Tensors of an adapter by ``<module>.down``, ``<module>.up`` and ``<module>.bias``.
Arrays = Mapping[str, NDArray[Any]]
PARTS = ("down", "up", "bias")
Layer = nn.Linear | nn.Conv1d


class LowRank:
    """Trainable additions that run beside the layers of a frozen network.

    Nothing changes until they are trained: ``up`` and ``bias`` begin at zero.

    Args:
        network: stays as it is; its layers get hooks until ``detach``.
        ranks: rows of ``down`` by name of a ``Linear`` or ungrouped ``Conv1d``; 0 trains the
            bias alone.
        seed: of the random ``down``.

    Raises:
        ValueError: a name is no such layer.
    """

    def __init__(self, network: nn.Module, ranks: Mapping[str, int], seed: int = 0) -> None:
        self.tensors: dict[str, nn.Parameter] = {}
        self._handles = []
        chance = torch.Generator().manual_seed(seed)
        modules = dict(network.named_modules())
        for name, rank in ranks.items():
            layer = modules.get(name)
            if not isinstance(layer, Layer) or getattr(layer, "groups", 1) != 1:
                raise ValueError(f"{name}: found {type(layer).__name__}, expected Linear or Conv1d")
            self._add(name, layer, rank, chance)
            self._handles.append(layer.register_forward_hook(self._beside(name)))

    def _add(self, name: str, layer: Layer, rank: int, chance: torch.Generator) -> None:
        weight = layer.weight
        if rank:
            size = (rank, *weight.shape[1:])
            down = torch.randn(size, generator=chance) / math.sqrt(math.prod(size[1:]))
            self.tensors[f"{name}.down"] = nn.Parameter(down.to(weight))
            self.tensors[f"{name}.up"] = nn.Parameter(weight.new_zeros(len(weight), rank))
        if layer.bias is not None:
            self.tensors[f"{name}.bias"] = nn.Parameter(torch.zeros_like(layer.bias))

    def _beside(self, name: str) -> Any:
        def hook(layer: Layer, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
            down, up, bias = (self.tensors.get(f"{name}.{part}") for part in PARTS)
            x, linear = inputs[0], isinstance(layer, nn.Linear)
            if down is not None and up is not None:
                if isinstance(layer, nn.Linear):
                    output = output + F.linear(F.linear(x, down), up)
                else:
                    low = F.conv1d(x, down, None, layer.stride, layer.padding, layer.dilation)
                    output = output + F.conv1d(low, up[:, :, None])
            if bias is not None:
                output = output + (bias if linear else bias[:, None])
            return output

        return hook

    def detach(self) -> None:
        """Leave the network as it was before."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()


class Adapted:
    """A network that wears the additions of one voice at a time.

    They are added to the weights, so a conversion costs nothing more. The weights that they
    touch are kept on the CPU meanwhile and put back to the bit when another voice follows. The
    weights change in place: whoever holds them (a captured graph) sees the change.

    Args:
        network: whose weights change.
        prefix: which tensors of an adapter are meant for it, such as ``decoder.``.
    """

    def __init__(self, network: nn.Module, prefix: str) -> None:
        self.network, self.prefix = network, prefix
        self._worn: Arrays = {}
        self._own: dict[str, Tensor] = {}

    def wear(self, adapter: Arrays) -> bool:
        """Wear the additions of a voice; an empty adapter takes them off.

        Returns:
            Whether weights changed.

        Raises:
            VoiceError: they do not fit this network; it stays as it was.
        """
        if adapter is self._worn or not (adapter or self._worn):
            return False
        begin = len(self.prefix)
        mine = {k[begin:]: v for k, v in adapter.items() if k.startswith(self.prefix)}
        targets = dict(self.network.named_parameters())
        changes = dict(deltas(mine, targets))
        with torch.no_grad():
            for name, value in self._own.items():
                targets[name].copy_(value)
            self._own = {name: targets[name].detach().cpu().clone() for name in changes}
            for name, change in changes.items():
                targets[name].copy_(self._own[name] + change)
        self._worn = adapter
        return True


def deltas(tensors: Arrays, targets: Mapping[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    """Yield what is added to each parameter, float32 on the CPU.

    Args:
        tensors: additions by ``<module>.down``, ``.up`` and ``.bias``.
        targets: the parameters of the network by name.

    Raises:
        VoiceError: a name that the network lacks, or shapes that do not belong together.
    """
    for key, value in tensors.items():
        module, _, part = key.rpartition(".")
        if part == "up" and f"{module}.down" in tensors:
            up, down = _tensor(value), _tensor(tensors[f"{module}.down"])
            name = f"{module}.weight"
            target = targets.get(name)
            fits = target is not None and up.ndim == 2 and down.shape[1:] == target.shape[1:]
            if not fits or target is None or up.shape != (len(target), len(down)):
                raise _misfit(key, list(up.shape))
            yield name, (up @ down.flatten(1)).view(target.shape)
        elif part == "bias":
            target = targets.get(key)
            if target is None or target.shape != value.shape:
                raise _misfit(key, list(value.shape))
            yield key, _tensor(value)
        elif part != "down" or f"{module}.up" not in tensors:
            raise _misfit(key, list(value.shape))


def _tensor(values: NDArray[Any]) -> Tensor:
    return torch.from_numpy(values).float()


def _misfit(key: str, shape: list[int]) -> VoiceError:
    return VoiceError(
        f"trained voice: {key[:80]} {shape} does not fit this voice model; train the voice again "
        "(autovoice voice train)"
    )
