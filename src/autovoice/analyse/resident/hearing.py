"""Hear a vocal on a device: rates, pitch, level, energy and activity in one pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from autovoice import weights
from autovoice.analyse.activity import FRAMES_PER_S
from autovoice.analyse.pitch.finish import HOP_SAMPLES
from autovoice.analyse.pitch.voicing import VoicingRules
from autovoice.analyse.resident.activity import activity, level
from autovoice.analyse.resident.loudness import decoder_energy, level_gain
from autovoice.analyse.resident.pitch import finish, levelled
from autovoice.errors import InputError
from autovoice.io.resample import resampled_length
from autovoice.nn import mel24k, swift_f0
from autovoice.nn.lanes import Lanes
from autovoice.nn.polyphase import can_resample, resampled
from autovoice.nn.stage import NetworkStage
from autovoice.nn.swift_f0 import SwiftF0Network
from autovoice.nn.transfer import Numbers, Rows, through
from autovoice.types import Audio, Curve, FloatArray, Pitch

LISTEN_HZ, MODEL_HZ = swift_f0.SAMPLE_RATE_HZ, mel24k.SAMPLE_RATE_HZ
TICKS_PER_S = 10
# What is longer goes through the plain stages, piece by piece.
LONGEST_S = 30.0


@dataclass(frozen=True, eq=False)
class Heard:
    """What was found in a vocal of ``N`` ticks of 100 ms.

    Args:
        at_16k, at_24k: ``[1600 N]`` and ``[2400 N]``, mono, filled up with silence.
        pitch, energy, activity: as the plain stages return them.
        gain: what brings it to the level at which the voice model hears, see ``level_gain``.
    """

    at_16k: FloatArray
    at_24k: FloatArray
    pitch: Pitch
    energy: Curve
    activity: Curve
    gain: float


class Hearing(NetworkStage):
    """Do for short vocals what pitch tracker, energy and activity do one after another.

    Args:
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        rules: the voicing decision.
        tensors: SwiftF0's weights by name; by default those of the registry.

    Raises:
        WeightsError: the weights cannot be had.
    """

    exact = True
    longest_s = LONGEST_S

    def __init__(
        self,
        *,
        device: str | torch.device = "cpu",
        rules: VoicingRules | None = None,
        tensors: Mapping[str, Tensor] | None = None,
    ) -> None:
        super().__init__(device=device)
        self.rules = rules or VoicingRules()
        self.network, self.mel = SwiftF0Network(), mel24k.Mel24k()
        self.network.load_state_dict(dict(tensors or weights.tensors("swift-f0")))
        self.add_network(self.network)
        self.add_network(self.mel)
        self._lanes = Lanes(1)

    def limit_pass(self, seconds: float) -> None:
        """Leave what is longer to the plain stages."""
        self.longest_s = min(self.longest_s, seconds)

    def fits(self, vocals: Audio) -> bool:
        """Tell whether a vocal can be heard so: up to 30 s, at a usual rate."""
        rate_hz = vocals.sample_rate_hz
        usual = can_resample(rate_hz, LISTEN_HZ) and can_resample(rate_hz, MODEL_HZ)
        return usual and vocals.channels > 0 and 0 < vocals.seconds <= self.longest_s

    def hear(self, vocals: Audio, ticks: int) -> Heard:
        """Hear a vocal.

        Args:
            vocals: a vocal that ``fits``.
            ticks: its length in steps of 100 ms, rounded up.

        Raises:
            InputError: NaN or infinity in the samples.
        """
        samples, rate_hz = vocals.samples, vocals.sample_rate_hz
        if not np.isfinite(samples).all():
            raise InputError("pitch: found NaN or Inf in the samples, expected finite audio")
        key = (ticks, len(samples), rate_hz)
        at_16k, at_24k, f0_hz, confidence, energy, active, gain = self.batched(
            self._run, (samples, ticks, rate_hz), key=key, seconds=ticks / TICKS_PER_S
        )
        frame_s = 1.0 / FRAMES_PER_S
        return Heard(
            at_16k,
            at_24k,
            Pitch(f0_hz, confidence, HOP_SAMPLES / LISTEN_HZ),
            Curve(energy, mel24k.HOP_SAMPLES / MODEL_HZ),
            Curve(active, frame_s, 0.5 * frame_s),
            float(gain[0]),
        )

    def windows(self, at_24k: Tensor, gain: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Hear sound that is on the device; called from inside of a turn.

        Args:
            at_24k: ``[B, T]``, T a multiple of 600.
            gain: ``[B, 1]``, by which the energy is that of a louder sound.

        Returns:
            ``[B, T * 2 / 3]`` at 16 kHz, F0 every 8 ms, energy and activity of 80 frames/s.
        """
        heard = self.graphs.several("window", self._window, at_24k, gain)
        at_16k, f0_hz, energy, active = heard
        return at_16k, f0_hz, energy, active

    def _window(self, at_24k: Tensor, gain: Tensor) -> tuple[Tensor, ...]:
        at_16k = resampled(at_24k, MODEL_HZ, LISTEN_HZ, at_24k.shape[1] * 2 // 3)
        beside = self._lanes.fork(at_24k.device)
        with beside.lane(0):
            energy = decoder_energy(self.mel, at_24k, gain)
            level_db = level(at_16k)
        f0_hz, _ = self._followed(at_16k)
        beside.join(0)
        return at_16k, f0_hz, energy, activity(level_db, f0_hz)

    def _followed(self, at_16k: Tensor) -> tuple[Tensor, Tensor]:
        """Return F0 and confidence."""
        hop = swift_f0.HOP_SAMPLES
        whole = (at_16k.shape[1] // hop + 1) * hop
        hz, sure = self.network(F.pad(levelled(at_16k), (0, whole - at_16k.shape[1])))
        return finish(at_16k, hz, sure, hop, self.rules)

    def _run(self, items: Sequence[tuple[FloatArray, int, int]]) -> list[tuple[FloatArray, ...]]:
        """Hear vocals of one length in ticks, channels and rate in one pass."""
        _, ticks, rate_hz = items[0]
        rows = [samples for samples, _, _ in items]
        vocals = Rows(rows, -(-ticks * rate_hz // TICKS_PER_S))
        lengths = [
            resampled_length(row.shape[1], rate_hz, to_hz)
            for to_hz in (LISTEN_HZ, MODEL_HZ)
            for row in rows
        ]
        work = partial(self._heard, ticks=ticks, rate_hz=rate_hz)
        name, ends = f"hear {ticks} {rate_hz}", Numbers(lengths, torch.int64)
        found = through(self.graphs, name, work, self.device, vocals, ends).arrays()
        return [tuple(values[row] for values in found) for row in range(len(rows))]

    def _heard(
        self, vocals: Tensor, ends: Tensor, *, ticks: int, rate_hz: int
    ) -> tuple[Tensor, ...]:
        """Hear a batch, ``[B, C, T]`` whose mono ends at ``[2 B]`` samples of the two rates."""
        mono = vocals.mean(1)
        at_16k, at_24k = (
            _cut(resampled(mono, rate_hz, to_hz, ticks * to_hz // TICKS_PER_S), end)
            for to_hz, end in zip((LISTEN_HZ, MODEL_HZ), ends.view(2, -1), strict=True)
        )
        # What needs no pitch goes beside it.
        beside = self._lanes.fork(mono.device)
        with beside.lane(0):
            gain = level_gain(at_24k, MODEL_HZ)
            energy = decoder_energy(self.mel, at_24k, gain)
            level_db = level(at_16k)
        f0_hz, confidence = self._followed(at_16k)
        beside.join(0)
        return at_16k, at_24k, f0_hz, confidence, energy, activity(level_db, f0_hz), gain


def _cut(sound: Tensor, ends: Tensor) -> Tensor:
    """Silence what lies beyond the end of each sound, ``[B, T]``."""
    return sound * (torch.arange(sound.shape[1], device=sound.device) < ends[:, None])
