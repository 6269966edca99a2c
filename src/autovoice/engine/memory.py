"""How much memory passes take, and what fits under a cap: pieces, chunks, batches."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from autovoice.config import Preset
from autovoice.engine import devices


@dataclass(frozen=True)
class Need:
    """What a stage takes, float32.

    Args:
        weights_bytes: its networks, as long as they are loaded.
        pass_bytes: any pass.
        bytes_per_s: a pass, for each second of sound in it.
    """

    weights_bytes: int
    pass_bytes: int
    bytes_per_s: int


# Weights: parameters times 4 bytes, of the vocoder 2 more for the copy that its kernels run on.
# Passes: highest resident memory of a process on one core over what it was before, least squares
# through two lengths (3 and 9 s, of the others 10 to 47 s), torch 2.13 on the CPU. On a GPU half
# precision needs about half; `python -m benchmarks.vram --stages` measures it there.
NEEDS: Mapping[str, Need] = {
    "Spleeter": Need(78_600_000, 38_000_000, 10_300_000),
    "SwiftF0Tracker": Need(60_000, 6_000_000, 3_600_000),
    "ContentEncoder": Need(82_400_000, 20_000_000, 6_000_000),
    "Converter": Need(36_900_000, 27_000_000, 1_400_000),
    "Vocoder": Need(320_000_000, 0, 64_300_000),
    "SpeakerEncoder": Need(5_700_000, 10_000_000, 1_000_000),
    "StyleEncoder": Need(24_400_000, 10_000_000, 4_000_000),
    # Of what follows the highest sum of all tensors, at 3, 9 and 18 s of stereo at 44.1 kHz; the
    # singers run the networks of three others, one after another (that of live windows makes only
    # their ends sound, and is reckoned as if it made all). The filter is reckoned with three
    # sounds, the vocal in its own voice among them: half more than what two measured.
    "Hearing": Need(60_000, 4_000_000, 9_100_000),
    "PieceSinger": Need(0, 27_000_000, 64_300_000),
    "LiveSinger": Need(0, 27_000_000, 64_300_000),
    "ResidentCarry": Need(0, 1_000_000, 19_800_000),
    "ResidentMixer": Need(0, 2_000_000, 7_800_000),
}
# Where the decoder runs on its own kernels: 69 MB and 16 MB for a second, of 4 and 24 s on an H200
# (`benchmarks.vram --stages`), with a seventh more for what it was not measured with.
ON_KERNELS: Mapping[str, Need] = {
    **NEEDS,
    "Vocoder": Need(320_000_000, 90_000_000, 18_500_000),
    "PieceSinger": Need(0, 90_000_000, 18_500_000),
}
# Kept free of a cap, as an allocator cannot use every gap.
RESERVE = 0.12
LEAST_PIECE_S = 3.0
LEAST_CONTEXT_S = 0.5
# The free memory is not asked for more often than this.
ASK_S = 0.5


def needs_on(device: str) -> Mapping[str, Need]:
    """Return what stages take on a device."""
    if not device.startswith("cuda"):
        return NEEDS
    import torch

    from autovoice.vocode.accelerated import can_accelerate

    return ON_KERNELS if can_accelerate(torch.device(device))[0] else NEEDS


def cost_bytes(stage: str, seconds: float, needs: Mapping[str, Need] = NEEDS) -> int:
    """Return what a pass takes.

    Args:
        stage: class of the stage; an unknown one costs nothing.
        seconds: sound in the pass.
        needs: of the stages where they run. Default: on the CPU.
    """
    need = needs.get(stage)
    return 0 if need is None else need.pass_bytes + round(need.bytes_per_s * seconds)


def seconds_in(stage: str, pass_bytes: int, needs: Mapping[str, Need] = NEEDS) -> float:
    """Return how much sound fits into a pass of a stage; 0 when nothing does."""
    need = needs[stage]
    return max(0.0, (pass_bytes - need.pass_bytes) / need.bytes_per_s)


def left_under(cap_bytes: int) -> int:
    """Return what a cap leaves for a pass when all networks of a conversion are loaded."""
    weights_bytes = sum(need.weights_bytes for need in NEEDS.values())
    return max(0, round(cap_bytes * (1 - RESERVE)) - weights_bytes)


def fitted(preset: Preset, pass_bytes: int, needs: Mapping[str, Need] = NEEDS) -> Preset:
    """Return a preset whose pieces fit into ``pass_bytes`` with their context.

    The context gives way when the piece would become shorter than 3 s. What does not fit even
    then is left to the halving that follows when memory runs out.
    """
    whole_s = seconds_in("Vocoder", pass_bytes, needs)
    context_s = preset.context_s
    if whole_s - 2 * context_s < LEAST_PIECE_S:
        context_s = min(context_s, max(LEAST_CONTEXT_S, (whole_s - LEAST_PIECE_S) / 2))
    piece_s = max(LEAST_PIECE_S, whole_s - 2 * context_s)
    if piece_s >= preset.chunk_s:
        return preset
    # To whole ticks of 100 ms, down.
    update = {"chunk_s": int(piece_s * 10) / 10, "context_s": int(context_s * 10) / 10}
    return preset.model_copy(update=update)


class Room:
    """What the next batch may take.

    Args:
        device: asked where the networks run now.
        cap_bytes: of the GPU memory. Default: what is free.
    """

    def __init__(self, device: Callable[[], str], cap_bytes: int | None = None) -> None:
        self._device, self._cap_bytes = device, cap_bytes
        self._asked_s, self._found = -ASK_S, 0
        self._needs: dict[str, Mapping[str, Need]] = {}

    @property
    def needs(self) -> Mapping[str, Need]:
        """What stages take where they run now."""
        device = self._device()
        if device not in self._needs:
            self._needs[device] = needs_on(device)
        return self._needs[device]

    def cost_bytes(self, stage: str, seconds: float) -> int:
        """Return what a pass takes; see ``cost_bytes``."""
        return cost_bytes(stage, seconds, self.needs)

    def pass_bytes(self) -> int | None:
        """Return what a single pass may take; None without a cap, and on the CPU."""
        if self._cap_bytes is None or not self._device().startswith("cuda"):
            return None
        return left_under(self._cap_bytes)

    def __call__(self) -> int:
        """Return the bytes for a batch, from what was measured at most half a second ago."""
        capped = self.pass_bytes()
        if capped is not None:
            return capped
        now_s = time.monotonic()
        if now_s - self._asked_s >= ASK_S:
            self._found = devices.room_bytes(self._device())
            self._asked_s = now_s
        return self._found
