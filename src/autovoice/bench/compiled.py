"""``torch.compile`` of the decoder, in a process of its own with a limit on its time.

Compiling takes minutes, cannot be interrupted from inside, and may break; a process can be ended.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

log = logging.getLogger(__name__)
MODES = ("reduce-overhead", "max-autotune")
LIMIT_S = 150.0


def baselines(
    inputs: Sequence[Tensor], device: str, *, runs: int, limit_s: float
) -> list[tuple[str, dict[str, Any], Tensor | None]]:
    """Time the decoder compiled in each mode, in float32 and, on a GPU, under float16 autocast.

    Args:
        inputs: what the decoder reads, see ``nn.decoder``, and its noise.
        device: where.
        runs: how often each is timed.
        limit_s: for each, compiling and all.

    Returns:
        For each its name; its timing, or under ``skipped`` why there is none; and its sound.
    """
    ways = [(mode, half) for half in (False, True) for mode in MODES]
    if not device.startswith("cuda"):
        why = "both modes are about CUDA graphs and tuning on a GPU"
        return [(name_of(mode), {"skipped": why}, None) for mode in MODES]
    return [(name_of(*way), *_limited(inputs, device, way, runs, limit_s)) for way in ways]


def name_of(mode: str, half: bool = False) -> str:
    """Return what a way is called in tables."""
    return f"torch.compile {mode}{' float16' if half else ''}"


def _limited(
    inputs: Sequence[Tensor], device: str, way: tuple[str, bool], runs: int, limit_s: float
) -> tuple[dict[str, Any], Tensor | None]:
    """Compile and time in a child; end it and all that it started when its time is over."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        torch.save([tensor.cpu() for tensor in inputs], folder / "inputs.pt")
        asked = {"device": device, "mode": way[0], "half": way[1], "runs": runs}
        (folder / "asked.json").write_text(json.dumps(asked), encoding="utf-8")
        log.info("vocoder: %s, at most %g s", name_of(*way), limit_s)
        problem = ended_by(command(folder), limit_s)
        if problem:
            return {"skipped": problem}, None
        timing: dict[str, Any] = json.loads((folder / "timing.json").read_text(encoding="utf-8"))
        return timing, torch.load(folder / "sound.pt")


def command(folder: Path) -> list[str]:
    """Return what measures the way that is described in a folder."""
    return [sys.executable, "-m", "autovoice.bench.compiled", str(folder)]


def ended_by(words: Sequence[str], limit_s: float) -> str:
    """Run a command; return why it did not end well, or nothing.

    A child that is over its time is killed with all processes that it started: compilers.
    """
    with tempfile.TemporaryFile() as said:
        child = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True
        )
        try:
            status = child.wait(limit_s)
        except subprocess.TimeoutExpired:
            return f"not done after {limit_s:g} s"
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()
        if status == 0:
            return ""
        said.seek(0)
        lines = said.read().decode(errors="replace").strip().splitlines() or ["nothing was said"]
        return f"failed with status {status}: {lines[-1][:200]}"


def measure(folder: Path, compile_: Callable[..., Any] = torch.compile) -> None:
    """Do what ``asked.json`` in a folder says; leave the timing and the sound there."""
    from autovoice.bench.timing import timed, waiter
    from autovoice.vocode.vocoder import Vocoder

    asked = json.loads((folder / "asked.json").read_text(encoding="utf-8"))
    device = asked["device"]
    inputs = [tensor.to(device) for tensor in torch.load(folder / "inputs.pt")]
    network = Vocoder(device=device).network

    def filtered(
        asr: Tensor, f0_hz: Tensor, energy: Tensor, style: Tensor, source: Tensor
    ) -> Tensor:
        made: Tensor = network.generator(network.features(asr, f0_hz, energy, style), style, source)
        return made

    # All but the excitation, whose running sum torch 2.11's compiler cannot launch.
    compiled = compile_(filtered, mode=asked["mode"], dynamic=False)

    def run() -> Tensor:
        with torch.autocast("cuda", torch.float16, enabled=asked["half"]):
            source = network.generator.m_source(inputs[1], inputs[4])
            made: Tensor = compiled(*inputs[:4], source).clone()
        return made

    with torch.inference_mode():
        sound = [run() for _ in range(3)][-1]
        spent = timed(run, runs=asked["runs"], wait=waiter(device))
    torch.save(sound.float().cpu(), folder / "sound.pt")
    (folder / "timing.json").write_text(json.dumps(spent.to_json()), encoding="utf-8")


if __name__ == "__main__":
    measure(Path(sys.argv[1]))
