"""What training reads: the slices with their pitch and energy, and their words heard many ways.

Everything that does not change while a voice is trained is computed once. The words of a slice
are heard in two ways: disguised (``train.perturb``), and sung by somebody else: a built-in voice
sings the slice first. The second is a real conversion with a known true result, which no reference
recording of a cover song has.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import cycle

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from autovoice.analyse.loudness import at_level, decoder_energy, level_gain
from autovoice.analyse.pitch import resample_pitch
from autovoice.convert.fit import semitones_auto
from autovoice.train.corpus import filled
from autovoice.train.voice.parts import Parts
from autovoice.types import FloatArray, Pitch
from autovoice.voices import Voice

FRAME_SAMPLES = 600
CURVE_RATE_HZ = 80
# Slices are whole ticks of 0.1 s, so that they begin on every grid: samples, frames of the
# decoder, of the curves, and of the recogniser.
TICK = 2_400
TICK_FRAMES, TICK_CURVE, TICK_HEARD = 4, 8, 5


@dataclass(frozen=True, eq=False)
class Hearing:
    """The words of a slice as they were heard once, and the energy that went with them.

    Args:
        content: ``[1024, F]`` float16, 50 frames/s.
        energy: ``[2 T]``, 80 frames/s.
        foreign: somebody else sang it.
    """

    content: Tensor
    energy: Tensor
    foreign: bool


@dataclass(frozen=True, eq=False)
class Item:
    """One slice.

    Args:
        audio: ``[S]`` 24 kHz at the model's level, whole ticks.
        f0_hz: ``[2, S // 300]`` as tracked, and with short gaps voiced.
        band_hz: up to where there is sound.
        hearings: its words; the last is somebody else's.
    """

    audio: Tensor
    f0_hz: Tensor
    band_hz: float
    hearings: tuple[Hearing, ...]

    @property
    def ticks(self) -> int:
        """Its length in ticks of 0.1 s."""
        return len(self.audio) // TICK


def curves(
    samples: FloatArray, at_16k: FloatArray, track: Callable[[FloatArray], Pitch]
) -> FloatArray:
    """Track F0 at 80 frames/s, as tracked and with gaps filled: ``[2, T // 300]``."""
    step = 1 / CURVE_RATE_HZ
    pitch = resample_pitch(track(at_16k), step, step / 2, len(samples) // 300)
    return np.stack([pitch.f0_hz, filled(pitch.f0_hz)]).astype(np.float32)


def whole(samples: FloatArray, least_ticks: int) -> FloatArray:
    """Fill up with silence to whole ticks, and to ``least_ticks`` of them."""
    ticks = max(least_ticks, -(-len(samples) // TICK))
    padded: FloatArray = np.pad(samples, (0, ticks * TICK - len(samples))).astype(np.float32)
    return padded


def prepare(
    slices: Sequence[tuple[FloatArray, FloatArray, float]],
    parts: Parts,
    others: Sequence[Voice],
    *,
    disguises: int,
    seed: int = 0,
    on_slice: Callable[[int, int], None] = lambda _done, _all: None,
) -> list[Item]:
    """Prepare slices.

    Args:
        slices: samples ``[S]`` (whole ticks, 24 kHz), F0 ``[2, S // 300]`` and band in Hz of each.
        parts: the networks.
        others: voices that sing the slices first, in turn; none leaves that out.
        disguises: how many times the words are heard in disguise.
        seed: of the disguises.
        on_slice: told how many of how many are done.
    """
    chance = torch.Generator(parts.device).manual_seed(seed)
    turn = cycle(others) if others else None
    items = []
    for index, (samples, f0_hz, band_hz) in enumerate(slices):
        audio = torch.from_numpy(samples).to(parts.device)
        own = torch.from_numpy(decoder_energy(samples).values)
        hearings = [hear(parts, audio, own, chance) for _ in range(disguises)]
        if turn is not None:
            hearings.append(
                _foreign(parts, audio, f0_hz[0], own, singer=next(turn), seed=seed + index)
            )
        items.append(Item(audio.cpu(), torch.from_numpy(f0_hz), band_hz, tuple(hearings)))
        on_slice(index + 1, len(slices))
    return items


@torch.no_grad()
def hear(
    parts: Parts,
    audio: Tensor,
    energy: Tensor,
    chance: torch.Generator | None,
    foreign: bool = False,
) -> Hearing:
    """Hear the words of a sound once, ``[S]``; disguised when ``chance`` is given."""
    return Hearing(parts.hear(audio[None], chance)[0].half().cpu(), energy, foreign)


def _foreign(
    parts: Parts, audio: Tensor, f0_hz: FloatArray, energy: Tensor, *, singer: Voice, seed: int
) -> Hearing:
    """Let another voice sing the slice in its own octave, and hear that."""
    pitch = Pitch(f0_hz, np.ones_like(f0_hz), 1 / CURVE_RATE_HZ, 0.5 / CURVE_RATE_HZ)
    moved = f0_hz * 2.0 ** (semitones_auto(pitch, singer.speaker) / 12)
    chance = torch.Generator().manual_seed(seed)
    noise = torch.randn(1, len(audio), generator=chance).to(parts.device)

    def tensor(values: FloatArray | Tensor) -> Tensor:
        return torch.as_tensor(values, dtype=torch.float32).to(parts.device)[None]

    with torch.no_grad():
        asr = parts.content(parts.hear(audio[None]), len(audio) // FRAME_SAMPLES)
        sung = parts.decoder(asr, tensor(moved), tensor(energy), tensor(singer.style), noise)
    samples = sung[0].float().cpu().numpy()
    gain = level_gain(samples, 24_000)
    heard = at_level(decoder_energy(samples), gain).values
    return hear(parts, sung[0] * gain, torch.from_numpy(heard), None, foreign=True)


@dataclass(frozen=True, eq=False)
class Crops:
    """A batch: ``content [B, 1024, F]``, ``f0_hz`` and ``energy [B, 2 T]``, ``audio [B, S]``,
    ``band_hz [B]``, ``noise [B, S]``.
    """

    content: Tensor
    f0_hz: Tensor
    energy: Tensor
    audio: Tensor
    band_hz: Tensor
    noise: Tensor


def draw(items: Sequence[Item], batch: int, ticks: int, seed: int, device: str) -> Crops:
    """Cut a batch of crops of ``ticks``; the same seed gives the same batch.

    Half of the crops are heard in disguise, half sung by somebody else, where there is that.
    """
    chance = np.random.default_rng(seed)
    weights = np.array([item.ticks for item in items], np.float64)
    rows = []
    for index in chance.choice(len(items), batch, p=weights / weights.sum()).tolist():
        item = items[index]
        start = int(chance.integers(0, item.ticks - ticks + 1))
        foreign = [one for one in item.hearings if one.foreign]
        own = [one for one in item.hearings if not one.foreign]
        pool = foreign if foreign and (not own or chance.random() < 0.5) else own
        hearing = pool[int(chance.integers(len(pool)))]
        rows.append(_crop(item, hearing, start, ticks, int(chance.integers(2))))
    noise = torch.from_numpy(chance.standard_normal((batch, ticks * TICK), np.float32))
    content, f0_hz, energy, audio, band = zip(*rows, strict=True)
    return Crops(
        torch.stack(content).to(device).float(),
        torch.stack(f0_hz).to(device),
        torch.stack(energy).to(device),
        torch.stack(audio).to(device),
        torch.tensor(band, device=device),
        noise.to(device),
    )


def _crop(
    item: Item, hearing: Hearing, start: int, ticks: int, version: int
) -> tuple[Tensor, Tensor, Tensor, Tensor, float]:
    curve = slice(start * TICK_CURVE, (start + ticks) * TICK_CURVE)
    heard = hearing.content[:, start * TICK_HEARD : (start + ticks) * TICK_HEARD]
    missing = ticks * TICK_HEARD - heard.shape[1]
    return (
        F.pad(heard, (0, missing)) if missing else heard,
        item.f0_hz[version, curve],
        hearing.energy[curve],
        item.audio[start * TICK : (start + ticks) * TICK],
        item.band_hz,
    )
