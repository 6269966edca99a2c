"""A recurrent layer in both directions over a padded batch, without packing.

Packing asks for the lengths on the host and makes shapes of its own, so that no CUDA graph can hold
it. Here padding is told to the layer itself, by an input that shuts its input gate: cell and output
stay zero until the row begins, from whichever end it is read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

# Inputs more than are asked for; the first says what is padding, the rest keep rows aligned.
MORE = 4
# At the gate's input; its sigmoid is 0 in float32, whatever else is added.
SHUT = -1e4


@dataclass(frozen=True, eq=False)
class Ends:
    """Where each row of a batch ends.

    Args:
        lengths: ``[B]`` int64 on the device of the batch.
        on_host: the same on the host; then rows are packed, which on the CPU saves their padding.
            Default: padding is masked, and nothing is asked of the device.
    """

    lengths: Tensor
    on_host: Tensor | None = None


class MaskedLstm(nn.LSTM):
    """One layer in both directions; weights load as those of an ``nn.LSTM`` of the same sizes.

    Args:
        inputs: channels of the sequence.
        hidden: channels of each direction.

    Source: Hochreiter and Schmidhuber, "Long short-term memory", 1997 (gates).
    """

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__(inputs + MORE, hidden, batch_first=True, bidirectional=True)
        for name in ("weight_ih_l0", "weight_ih_l0_reverse"):
            weight = getattr(self, name)
            with torch.no_grad():
                weight.copy_(self._told(weight[:, :inputs]))

    def over(self, sequence: Tensor, ends: Ends) -> Tensor:
        """Run over rows that end at their own lengths, ``[B, N, inputs] -> [B, N, 2 hidden]``.

        What lies beyond the end of a row may be anything finite; there the result is 0.
        """
        if ends.on_host is not None:
            return packed_lstm(self, functional.pad(sequence, (0, MORE)), ends.on_host)
        places = torch.arange(sequence.shape[1], device=sequence.device)
        inside = (places < ends.lengths[:, None])[..., None].to(sequence.dtype)
        told = functional.pad(1 - inside, (0, MORE - 1))
        made: Tensor = self(torch.cat([sequence, told], dim=-1))[0]
        return made * inside

    def _told(self, weight: Tensor) -> Tensor:
        """Return weights of the inputs with those that tell of padding, ``[4 H, inputs + 4]``."""
        more = weight.new_zeros(len(weight), MORE)
        more[: self.hidden_size, 0] = SHUT
        return torch.cat([weight, more], dim=1)

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *others: Any) -> None:
        for name in ("weight_ih_l0", "weight_ih_l0_reverse"):
            found = state_dict.get(prefix + name)
            if found is not None and found.shape[1] == self.input_size - MORE:
                state_dict[prefix + name] = self._told(found)
        super()._load_from_state_dict(state_dict, prefix, *others)


def packed_lstm(lstm: nn.LSTM, sequence: Tensor, lengths_cpu: Tensor) -> Tensor:
    """Run a recurrent network on ``[B, N, C]``; each row ends at its own length."""
    if int(lengths_cpu.min()) == sequence.shape[1]:
        # Nothing is padding: PyTorch has a faster way without packing.
        whole: Tensor = lstm(sequence)[0]
        return whole
    packed = pack_padded_sequence(sequence, lengths_cpu, batch_first=True, enforce_sorted=False)
    output, _ = lstm(packed)
    padded, _ = pad_packed_sequence(output, batch_first=True, total_length=sequence.shape[1])
    return padded
