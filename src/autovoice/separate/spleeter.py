"""Separation with the two networks of Spleeter's 2-stem model."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from autovoice import weights
from autovoice.nn import residence, transfer
from autovoice.nn.overlap_add import overlap_add
from autovoice.nn.spleeter_unet import STRIDE, SpleeterUNet
from autovoice.nn.stage import NetworkStage, Smaller
from autovoice.nn.transfer import Numbers, Rows, through
from autovoice.separate.base import Progress
from autovoice.separate.level import active_rms
from autovoice.separate.spans import resampled_span
from autovoice.types import Audio, FloatArray, Stems

RATE_HZ = 44_100
FFT_SAMPLES = 4096
HOP_SAMPLES = 1024
BINS = 1024
# Above 11 kHz the networks say nothing; the mask goes on there with its mean over 5.5-11 kHz.
UPPER_BIN = 512
# The networks see 192 frames to each side (measured: an input further away changes nothing, at
# 192 frames the change is under -77 dB). The rest covers the window of the STFT, half the
# cross-fade, and up to 1 s that resampling back cuts off.
CONTEXT_FRAMES = 256
FADE_FRAMES = 16
LEAST_CHUNK_FRAMES = 128
# The networks know mastered music. At a fifth of this level the separation loses up to 3 dB,
# at a tenth up to 7 dB, so every mix is brought here on its way in.
REFERENCE_RMS = 0.2
GREATEST_GAIN = 100.0
EPS = 1e-10


class Chunk(NamedTuple):
    """Samples ``start`` to ``stop`` of ``total``, at 44.1 kHz."""

    start: int
    stop: int
    total: int


class Spleeter(NetworkStage):
    """Take a mix apart with Spleeter's 2-stem model (Hennequin et al. 2020, MIT).

    The vocals come from a mask that is the vocals' share of the squared magnitudes; the backing is
    the mix minus the vocals, so the stems sum to the mix whatever the networks say. Stereo is
    separated as stereo; mono is doubled on its way in; more channels go through in pairs.

    Above 11 kHz, where the networks have no output, the mask is continued with its mean over
    5.5-11 kHz of the same frame. With zeros there, all sibilants of the source singer would stay
    in the backing and be heard beside the new voice (error of the vocal above 11.5 kHz on a mix
    with known parts: -0.1 dB with zeros, -6.6 dB with the mean of all bins, -7.3 dB with this).

    Args:
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        mixed_precision: run the networks under autocast. Default off.
        cpu_fallback: go on on the CPU when the device is out of memory. Default on.
        chunk_frames: frames of 23 ms that a pass is responsible for, a multiple of 64; this
            bounds the memory (1,536 frames: about 0.5 GB). 256 frames to each side are added.
        tensors: weights by name; by default those of the registry.

    Raises:
        WeightsError: the weights cannot be had.
    """

    def __init__(
        self,
        *,
        device: str | torch.device = "cpu",
        mixed_precision: bool = False,
        cpu_fallback: bool = True,
        chunk_frames: int = 1536,
        tensors: Mapping[str, Tensor] | None = None,
    ) -> None:
        super().__init__(device=device, mixed_precision=mixed_precision, cpu_fallback=cpu_fallback)
        if chunk_frames < LEAST_CHUNK_FRAMES or chunk_frames % STRIDE:
            raise ValueError(
                f"chunk_frames: found {chunk_frames}, expected a multiple of {STRIDE} "
                f"from {LEAST_CHUNK_FRAMES}"
            )
        self.chunk_frames = chunk_frames
        tensors = tensors or weights.tensors("spleeter-2stems")
        self.networks = {stem: _network(tensors, stem) for stem in ("vocals", "backing")}
        for network in self.networks.values():
            self.add_network(network, half=True)

    def limit_pass(self, seconds: float) -> None:
        """Make chunks so short that they fit into a pass of ``seconds`` with their context."""
        frames = int(seconds * RATE_HZ / HOP_SAMPLES) - 2 * CONTEXT_FRAMES
        fitting = max(frames // STRIDE * STRIDE, LEAST_CHUNK_FRAMES)
        self.chunk_frames = min(self.chunk_frames, fitting)

    def separate(self, audio: Audio, *, progress: Progress | None = None) -> Stems:
        """Return vocals and backing; see ``Separator.separate``."""
        rate_hz, samples = audio.sample_rate_hz, audio.samples
        vocals = np.zeros_like(samples)
        rms = active_rms(samples, rate_hz)
        if rms > 0:
            gain = float(np.clip(REFERENCE_RMS / rms, 1 / GREATEST_GAIN, GREATEST_GAIN))
            for low in range(0, audio.channels, 2):
                pair = slice(low, low + 2)
                done = _part(progress, low / audio.channels, 2 / audio.channels)
                found = self._filled(samples[pair], rate_hz, gain, done)
                if audio.channels <= 2:
                    vocals = found  # itself, and no copy: it may lie on the device as well
                else:
                    vocals[pair] = found
        if progress is not None:
            progress(1.0)
        backing = samples - vocals
        return Stems(
            vocals=Audio(vocals, rate_hz, audio.metadata),
            backing=Audio(backing, rate_hz, audio.metadata),
        )

    def _filled(self, mix: FloatArray, rate_hz: int, gain: float, progress: Progress) -> FloatArray:
        """Separate one or two channels chunk by chunk, blending over the seams."""
        total = -(-mix.shape[1] * RATE_HZ // rate_hz)
        vocals, start = np.zeros_like(mix), 0
        while start < total:
            piece, left, stop = self._piece(mix, rate_hz, gain, start, total)
            if piece.shape == mix.shape and rate_hz == RATE_HZ:
                return piece
            _blend(vocals, rate_hz, piece, left, Chunk(start, stop, total))
            start = stop
            if start < total:
                progress(start / total)
        return vocals

    def _piece(
        self, mix: FloatArray, rate_hz: int, gain: float, start: int, total: int
    ) -> tuple[FloatArray, int, int]:
        """Return the vocals around one chunk at 44.1 kHz, where they begin, where the chunk ends.

        The chunk is shorter than asked for when the device has no room for it.
        """
        context = CONTEXT_FRAMES * HOP_SAMPLES
        left = max(start - context, 0)
        while True:
            stop = start + self.chunk_frames * HOP_SAMPLES
            # One hop less than a multiple of 64 hops gives a whole multiple of 64 frames.
            right = min(stop + context - HOP_SAMPLES, total)
            cut = resampled_span(mix, rate_hz, RATE_HZ, left, right)
            key, seconds = cut.shape, cut.shape[1] / RATE_HZ
            run = self._run_whole if start == 0 and stop >= total else self._run
            with contextlib.suppress(Smaller):
                found = self.batched(
                    run, (cut, gain), key=key, seconds=seconds, shrink=self._shrink
                )
                return found, left, stop

    def _run(self, items: Sequence[tuple[FloatArray, float]]) -> list[FloatArray]:
        """Take the vocals out of stretches of one shape in one pass; each comes with its gain."""
        return [row.copy() for row in self._pass(items)[0]]

    def _run_whole(self, items: Sequence[tuple[FloatArray, float]]) -> list[FloatArray]:
        """Do the same to whole songs: their vocals stay on the device, for the passes to come."""
        rows, tensors = self._pass(items)
        found = [row.copy() for row in rows]
        if transfer.apart(self.device):
            for array, tensor in zip(found, tensors, strict=True):
                residence.keep(array, tensor.clone())
        return found

    def _pass(self, items: Sequence[tuple[FloatArray, float]]) -> tuple[list[FloatArray], Tensor]:
        """Return the vocals of stretches of one shape, as views to copy and on the device."""
        cuts = Rows([cut for cut, _ in items], items[0][0].shape[1])
        gains = Numbers([gain for _, gain in items], torch.float32)

        def work(*tensors: Tensor) -> tuple[Tensor]:
            return (self._separated(*tensors),)

        done = through(self.graphs, "separate", work, self.device, cuts, gains)
        return [*done.views()[0]], done.tensors[0]

    def _separated(self, cuts: Tensor, gains: Tensor) -> Tensor:
        """Take the vocals out of ``[B, C, T]``, one or two channels, under ``[B]`` gains."""
        # A single channel is doubled for the networks; their two answers are folded into one.
        pairs = cuts.expand(-1, 2, -1) * gains[:, None, None]
        found = self._vocals(pairs.flatten(0, 1)).view(pairs.shape) / gains[:, None, None]
        return found.mean(dim=1, keepdim=True) if cuts.shape[1] == 1 else found

    def _vocals(self, mix: Tensor) -> Tensor:
        """Return the vocals of ``[2 B, T]`` at 44.1 kHz in one pass."""
        window = torch.hann_window(FFT_SAMPLES, device=mix.device)
        spectrum = torch.stft(
            mix,
            FFT_SAMPLES,
            HOP_SAMPLES,
            window=window,
            pad_mode="constant",
            return_complex=True,
        )
        mask = self._mask(spectrum[:, :BINS].abs())
        upper = mask[:, UPPER_BIN:].mean(dim=1, keepdim=True)
        mask = torch.cat([mask, upper.expand(-1, spectrum.shape[1] - BINS, -1)], dim=1)
        return joined(spectrum * mask, window, mix.shape[1])

    def _mask(self, magnitude: Tensor) -> Tensor:
        """Return the vocals' share of ``[2 B, F, T]``."""
        frames = magnitude.shape[-1]
        padded = functional.pad(magnitude.transpose(1, 2), (0, 0, 0, -frames % STRIDE))
        padded = padded.view(-1, 2, *padded.shape[1:])
        # Both estimates are mask x magnitude, so the magnitude cancels in the ratio.
        return self._share(padded).flatten(0, 1)[:, :frames].transpose(1, 2)

    def _share(self, magnitude: Tensor) -> Tensor:
        """Return the vocals' share of ``[B, 2, T, F]``, T a multiple of 64."""
        vocals, backing = (
            network(magnitude.to(network.final.weight.dtype)).float().square()
            for network in self.networks.values()
        )
        share: Tensor = (vocals + EPS) / (vocals + backing + 2 * EPS)
        return share

    def _shrink(self) -> bool:
        """Halve the chunk; False when it is as short as it can be."""
        half = self.chunk_frames // 2 // STRIDE * STRIDE
        if half < LEAST_CHUNK_FRAMES:
            return False
        self.chunk_frames = half
        return True


def joined(spectrum: Tensor, window: Tensor, length: int) -> Tensor:
    """Return the sound of ``[B, bins, frames]``: on a GPU by what a graph can hold."""
    if spectrum.is_cuda:
        return overlap_add(spectrum, window, HOP_SAMPLES, length)
    sound: Tensor = torch.istft(spectrum, FFT_SAMPLES, HOP_SAMPLES, window=window, length=length)
    return sound


def _network(tensors: Mapping[str, Tensor], stem: str) -> SpleeterUNet:
    prefix = f"{stem}."
    network = SpleeterUNet()
    network.load_state_dict(
        {name[len(prefix) :]: value for name, value in tensors.items() if name.startswith(prefix)}
    )
    # Channels last saves a third of the time on the CPU (transposed convolutions above all).
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network


def _part(progress: Progress | None, start: float, share: float) -> Progress:
    """Return a callback for one part of the work."""

    def report(done: float) -> None:
        if progress is not None:
            progress(min(start + share * done, 1.0))

    return report


def _blend(vocals: FloatArray, rate_hz: int, piece: FloatArray, left: int, chunk: Chunk) -> None:
    """Add a chunk to the vocals at their own rate, fading over its seams.

    Args:
        vocals: ``[C, T]`` at ``rate_hz``, written to.
        rate_hz: rate of ``vocals``.
        piece: ``[C, N]`` at 44.1 kHz, beginning at sample ``left`` of the whole.
        left: see ``piece``.
        chunk: what this chunk is responsible for.
    """
    half = FADE_FRAMES * HOP_SAMPLES // 2 * rate_hz // RATE_HZ
    begins, ends = chunk.start == 0, chunk.stop >= chunk.total
    seam_in, seam_out = (edge * rate_hz // RATE_HZ for edge in (chunk.start, chunk.stop))
    first = 0 if begins else seam_in - half
    last = vocals.shape[1] if ends else min(seam_out + half, vocals.shape[1])
    found = resampled_span(piece, RATE_HZ, rate_hz, first, last, origin=left)
    ramp = (np.arange(2 * half, dtype=np.float32) + 0.5) / max(2 * half, 1)
    if not begins:
        head = found[:, : 2 * half]
        head *= ramp[: head.shape[1]]
    if not ends:
        tail = found[:, seam_out - half - first :]
        tail *= 1 - ramp[: tail.shape[1]]
    vocals[:, first:last] += found
