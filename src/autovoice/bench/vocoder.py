"""The decoder in several dresses: eager, autocast, compiled, and as the engine runs it."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from autovoice.bench.compiled import baselines
from autovoice.bench.gate import gate
from autovoice.bench.material import Features
from autovoice.bench.timing import timed, waiter
from autovoice.nn.decoder import KokoroDecoder
from autovoice.vocode.accelerated import AcceleratedDecoder, can_accelerate
from autovoice.vocode.vocoder import Vocoder

log = logging.getLogger(__name__)
Decode = Callable[..., Tensor]


def vocoder(
    features: Features, device: str, *, runs: int, batches: tuple[int, ...], compile_s: float = 0
) -> list[dict[str, Any]]:
    """Time the decoder on 1 s per item.

    Args:
        features: what it reads.
        device: where it runs.
        runs: how often each way is timed.
        batches: how many items go through together.
        compile_s: also time ``torch.compile`` on batches of one item, each mode for at most so many
            seconds, compiling and all. Default 0: not at all.

    Returns:
        One row per way and batch: ``way``, ``batch``, the timing, and the gate against eager; or
        instead of these ``skipped``, the reason.
    """
    network = Vocoder(device=device).network
    ways = _ways(network, device)
    rows = []
    with torch.inference_mode():
        for count in batches:
            inputs = features.batch(count, 1.0, device)
            expected = _exact(network, inputs)
            for way, decode in ways.items():
                log.info("vocoder: %s, batch %d", way, count)
                made = [decode(*inputs) for _ in range(3)][-1]
                spent = timed(lambda d=decode, i=inputs: d(*i), runs=runs, wait=waiter(device))  # type: ignore[misc]
                compared = gate(made[:2], expected[:2]).to_json()
                rows.append({"way": way, "batch": count, **spent.to_json(), "gate": compared})
            if count == 1 and compile_s:  # for every other shape it would take minutes more
                for way, row, sound in baselines(inputs, device, runs=runs, limit_s=compile_s):
                    held = {} if sound is None else {"gate": gate(sound, expected).to_json()}
                    rows.append({"way": way, "batch": count, **row, **held})
    return rows


def _ways(network: KokoroDecoder, device: str) -> dict[str, Decode]:
    ways: dict[str, Decode] = {"eager": network}
    if device.startswith("cuda"):
        ways["autocast float16"] = _autocast(network)
    usable, reason = can_accelerate(torch.device(device))
    if usable:
        ways["engine"] = AcceleratedDecoder(network)
    else:
        log.info("vocoder: %s", reason)
    return ways


def _autocast(decode: Decode) -> Decode:
    def run(*inputs: Tensor) -> Tensor:
        with torch.autocast("cuda", torch.float16):
            return decode(*inputs)

    return run


def _exact(network: KokoroDecoder, inputs: tuple[Tensor, ...]) -> Tensor:
    """Decode in float32 throughout, without the short mantissas that convolutions may use."""
    with contextlib.ExitStack() as stack:
        if inputs[0].is_cuda:
            stack.enter_context(torch.backends.cudnn.flags(allow_tf32=False))
        made: Tensor = network(*(tensor[:2] for tensor in inputs))
        return made
