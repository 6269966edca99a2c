"""The decoder in several dresses: eager, autocast, compiled, and as the engine runs it."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from autovoice.bench.gate import gate
from autovoice.bench.material import Features
from autovoice.bench.timing import timed, waiter
from autovoice.nn.decoder import KokoroDecoder
from autovoice.vocode.accelerated import AcceleratedDecoder, can_accelerate
from autovoice.vocode.vocoder import Vocoder

log = logging.getLogger(__name__)
Decode = Callable[..., Tensor]
COMPILED = "torch.compile max-autotune"


def vocoder(
    features: Features, device: str, *, runs: int, batches: tuple[int, ...], compiled: bool
) -> list[dict[str, Any]]:
    """Time the decoder on 1 s per item.

    Args:
        features: what it reads.
        device: where it runs.
        runs: how often each way is timed.
        batches: how many items go through together.
        compiled: also time ``torch.compile(mode="max-autotune")`` on the first batch of one item,
            which takes minutes.

    Returns:
        One row per way and batch: ``way``, ``batch``, the timing, and the gate against eager.
    """
    network = Vocoder(device=device).network
    ways = _ways(network, device, compiled)
    rows = []
    with torch.inference_mode():
        for count in batches:
            inputs = features.batch(count, 1.0, device)
            expected = _exact(network, inputs)
            for way, decode in ways.items():
                if count > 1 and way.startswith(COMPILED):
                    continue  # minutes more for every shape
                log.info("vocoder: %s, batch %d", way, count)
                made = [decode(*inputs) for _ in range(3)][-1]
                spent = timed(lambda d=decode, i=inputs: d(*i), runs=runs, wait=waiter(device))  # type: ignore[misc]
                compared = gate(made[:2], expected[:2]).to_json()
                rows.append({"way": way, "batch": count, **spent.to_json(), "gate": compared})
    return rows


def _ways(network: KokoroDecoder, device: str, compiled: bool) -> dict[str, Decode]:
    ways: dict[str, Decode] = {"eager": network}
    if device.startswith("cuda"):
        ways["autocast float16"] = _autocast(network)
    if compiled:
        ways[COMPILED] = _compiled(network)
        if device.startswith("cuda"):
            ways[f"{COMPILED} float16"] = _autocast(_compiled(network))
    usable, reason = can_accelerate(torch.device(device))
    if usable:
        ways["engine"] = AcceleratedDecoder(network)
    else:
        log.info("vocoder: %s", reason)
    return ways


def _compiled(network: KokoroDecoder) -> Decode:
    """Compile all but the excitation, whose running sum torch 2.11's compiler cannot launch."""

    def filtered(
        asr: Tensor, f0_hz: Tensor, energy: Tensor, style: Tensor, source: Tensor
    ) -> Tensor:
        made: Tensor = network.generator(network.features(asr, f0_hz, energy, style), style, source)
        return made

    compiled: Decode = torch.compile(filtered, mode="max-autotune", dynamic=False)

    def run(*inputs: Tensor) -> Tensor:
        source = network.generator.m_source(inputs[1], inputs[4])
        made: Tensor = compiled(*inputs[:4], source).clone()
        return made

    return run


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
