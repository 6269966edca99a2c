"""The packed training corpus on the device, and random crops of it."""

from __future__ import annotations

import io
import logging
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autovoice.analyse.loudness import level_gain
from autovoice.nn.sinc import read_varispeed

log = logging.getLogger(__name__)
SAMPLE_RATE_HZ = 24_000
F0_HOP_SAMPLES = 300
REFERENCE_SAMPLES = 72_000
_GAP_FRAMES = 8
_EDGE_FRAMES = 2
# A reference shorter than this says too little, in samples.
_LEAST_REFERENCE = 36_000
# Weight of a clip by its speaker's name: clean recordings over noisy rooms.
_WEIGHTS = {"libri_": 1.0, "libritts": 4.0, "tsp": 0.6, "so_": 0.4, "festvox": 0.6}
_NOISY, _NOISY_CLIPS = "so_", 3
# Recorded in quiet rooms at 24 kHz and more.
_CLEAN = ("libritts", "tsp")


def decode(data: bytes) -> NDArray[np.float32]:
    """Decode one clip to 24 kHz mono at the training level."""
    import soundfile
    import soxr

    samples, rate = soundfile.read(io.BytesIO(data), dtype="float32")
    if rate != SAMPLE_RATE_HZ:
        samples = soxr.resample(samples, rate, SAMPLE_RATE_HZ)
    gain = level_gain(samples, SAMPLE_RATE_HZ)
    levelled: NDArray[np.float32] = (samples * gain).astype(np.float32)
    return levelled


@dataclass(frozen=True)
class Crops:
    """A batch of real speech.

    Args:
        audio: ``[B, S]`` 24 kHz.
        f0_hz: ``[B, S // 300]``.
        reference: ``[B, R]`` 24 kHz, the same voice elsewhere, played at the same speed.
        speaker: ``[B]`` index.
        band_hz: ``[B]`` up to where the recording has sound.
        f0_median_hz: ``[B]`` of the voice at this speed.
        speed: ``[B]`` at which the clip is played.
    """

    audio: Tensor
    f0_hz: Tensor
    reference: Tensor
    speaker: Tensor
    band_hz: Tensor
    f0_median_hz: Tensor
    speed: Tensor


def filled(f0_hz: NDArray[np.float32]) -> NDArray[np.float32]:
    """Voice gaps of up to 0.1 s too, in a straight line on the log scale, and 25 ms at each edge.

    Shape: ``[F]`` at 80 frames/s, 0 where unvoiced -> ``[F]``.
    """
    voiced = np.flatnonzero(f0_hz > 0)
    if not len(voiced):
        return f0_hz
    frames = np.arange(len(f0_hz))
    line = np.exp(np.interp(frames, voiced, np.log(f0_hz[voiced])))
    after = frames - voiced[np.maximum(np.searchsorted(voiced, frames, side="right") - 1, 0)]
    before = voiced[np.minimum(np.searchsorted(voiced, frames), len(voiced) - 1)] - frames
    near = (np.minimum(np.abs(after), np.abs(before)) <= _EDGE_FRAMES) | (
        (after >= 0) & (before >= 0) & (after + before <= _GAP_FRAMES + 1)
    )
    curve: NDArray[np.float32] = np.where(near, line, 0.0).astype(np.float32)
    return curve


def sent(values: NDArray[np.float64], device: str) -> Tensor:
    """Bring numbers to a device without waiting for what it is doing."""
    here = torch.from_numpy(values)
    if device.startswith("cuda"):
        return here.pin_memory().to(device, non_blocking=True)
    return here.to(device)


class Corpus:
    """Every clip in one long half-precision signal on the device."""

    def __init__(
        self, folder: Path, device: str, limit: int | None = None, *, noisy_weight: float = 1.0
    ) -> None:
        table = np.load(folder / "corpus.npz")
        names = table["names"][:limit]
        with zipfile.ZipFile(folder / "corpus.zip") as archive:
            packed = [archive.read(str(name)) for name in names]
        with ThreadPoolExecutor() as pool:
            clips = list(pool.map(decode, packed))
        offsets = table["offsets"]
        f0 = table["f0"].astype(np.float32)
        curves = []
        for index, clip in enumerate(clips):  # F0 on the clip's own grid, a frame per 300 samples
            curve = f0[offsets[index] : offsets[index + 1]]
            frames = len(clip) // F0_HOP_SAMPLES
            clips[index] = clip[: frames * F0_HOP_SAMPLES]
            curves.append(np.pad(curve, (0, max(0, frames - len(curve))))[:frames])
        self.device = device
        self.lengths = np.array([len(clip) for clip in clips])
        self.starts = np.concatenate([[0], np.cumsum(self.lengths)[:-1]])
        self.audio = torch.from_numpy(np.concatenate(clips)).to(device, torch.float16)
        # As the tracker voices, and more generously: no rule for voicing is always right.
        both = [np.concatenate(curves), np.concatenate([filled(curve) for curve in curves])]
        self.f0_hz = torch.from_numpy(np.stack(both)).to(device)
        labels = table["speakers"][: len(clips)]
        self.speakers, self.speaker = np.unique(labels, return_inverse=True)
        self.band_hz = table["band_hz"][: len(clips)]
        self.median_hz = np.array(
            [np.median(np.concatenate(
                [c[c > 0] for c, s in zip(curves, self.speaker, strict=True) if s == index]
                or [np.array([150.0])]
            )) for index in range(len(self.speakers))]
        )  # fmt: skip
        self.median_hz = np.nan_to_num(self.median_hz, nan=150.0)
        self.by_speaker = [np.flatnonzero(self.speaker == i) for i in range(len(self.speakers))]
        self.weight, self.clean_weight = self._weights(labels, noisy_weight)
        log.info("%d clips, %d speakers, %.2f h", len(clips), len(self.speakers),
                 self.lengths.sum() / SAMPLE_RATE_HZ / 3600)  # fmt: skip

    def _weights(
        self, labels: NDArray[np.str_], noisy_weight: float
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return how often each clip is drawn, of all and of clean speakers; both sum to 1."""
        by_source = [
            next((w for key, w in _WEIGHTS.items() if str(label).startswith(key)), 0.5)
            for label in labels
        ]
        # However many clips of a speaker in a noisy room there are, they weigh as these few do.
        counts = np.array([len(self.by_speaker[i]) for i in self.speaker])
        noisy = np.array([str(label).startswith(_NOISY) for label in labels])
        rooms = noisy_weight * np.minimum(1.0, _NOISY_CLIPS / counts)
        weight = np.where(noisy, rooms, 1.0) * np.array(by_source)
        weight = weight * np.sqrt(self.lengths / SAMPLE_RATE_HZ)
        weight /= weight.sum()
        # As long as it is, a clip of a clean speaker is heard; where there is none, all are.
        clean = self.lengths * np.array([str(label).startswith(_CLEAN) for label in labels])
        return weight, clean / clean.sum() if clean.any() else weight

    def draw(
        self,
        batch: int,
        samples: int,
        rng: np.random.Generator,
        *,
        speeds: tuple[float, float] = (0.8, 1.45),
        varied: float = 0.5,
        choices: tuple[float, ...] = (),
        reference_samples: int = REFERENCE_SAMPLES,
        clean: bool = False,
    ) -> Crops:
        """Cut a batch; a share ``varied`` is played at another speed, as if by another voice.

        Args:
            batch: items.
            samples: length of an item, a multiple of 600.
            rng: source of chance.
            speeds: least and largest speed.
            varied: share of items that are not played at speed 1.
            choices: speeds to choose from, instead of the two above.
            reference_samples: length of the reference.
            clean: of clean speakers only.
        """
        weight = self.clean_weight if clean else self.weight
        clip = rng.choice(len(self.lengths), batch, p=weight)
        speed = np.exp(rng.uniform(np.log(speeds[0]), np.log(speeds[1]), batch))
        speed = np.where(rng.random(batch) < varied, speed, 1.0)
        if choices:
            speed = rng.choice(choices, batch)
        places = self.places(clip, speed, samples, reference_samples, rng)
        return self.cut(sent(places, self.device), samples, reference_samples)

    def places(
        self, clip: NDArray[np.int64], speed: NDArray[np.float64], samples: int,
        reference_samples: int, rng: np.random.Generator,
    ) -> NDArray[np.float64]:  # fmt: skip
        """Choose where to cut each of ``B`` clips and a reference of its voice.

        Shape: ``[9, B]``, whole numbers up to 2 ** 53 and speeds: all that :meth:`cut` needs to
        know, in one piece, since each copy to a device costs as much as any other.
        """
        batch = len(clip)
        start = self._start(clip, samples, speed, rng)
        other = np.array([rng.choice(self.by_speaker[self.speaker[i]]) for i in clip])
        low, high = self._apart(clip, other, start, samples * speed)
        room = np.maximum(high - low - reference_samples * speed - 600, 0)
        other_start = low + (rng.random(batch) * room).astype(np.int64)
        return np.stack([
            speed, start, self.starts[clip] + self.lengths[clip] - start,
            other_start, high - other_start, rng.integers(0, 2, batch), self.speaker[clip],
            np.minimum(self.band_hz[clip] * speed, 12_000.0),
            self.median_hz[self.speaker[clip]] * speed,
        ]).astype(np.float64)  # fmt: skip

    def cut(self, places: Tensor, samples: int, reference_samples: int) -> Crops:
        """Cut what :meth:`places` chose; the device is asked nothing, so nobody waits for it.

        Shape: ``places: [9, B]`` float64 on the device of the corpus.
        """
        rate, start, left, other, other_left, version, speaker, band_hz, median_hz = places
        # Samples of each clip from its start on, at its speed.
        left = (left / rate).floor().long()
        audio = read_varispeed(self.audio, start, rate, samples)
        # A short clip must not run into the next one, which may be another voice: silence follows
        # it, and a reference begins again.
        audio = audio * self._inside(left, samples, 1)
        frames = samples // F0_HOP_SAMPLES
        f0_hz = self._pitch(start, rate, frames, version.long())
        return Crops(
            audio,
            f0_hz * self._inside(left, frames, F0_HOP_SAMPLES),
            self._repeated(other, other_left, rate, reference_samples),
            speaker.long(),
            band_hz.float(),
            median_hz.float(),
            rate.float(),
        )

    def _start(
        self, clip: NDArray[np.int64], samples: int, speed: NDArray[np.float64],
        rng: np.random.Generator,
    ) -> NDArray[np.int64]:  # fmt: skip
        room = np.maximum(self.lengths[clip] - samples * speed - 600, 0)
        begin = (rng.random(len(clip)) * room).astype(np.int64) // F0_HOP_SAMPLES
        return self.starts[clip] + begin * F0_HOP_SAMPLES

    def _apart(
        self, clip: NDArray[np.int64], other: NDArray[np.int64], start: NDArray[np.int64],
        length: NDArray[np.float64],
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:  # fmt: skip
        """Return where a reference may be cut from: never from what is to be rebuilt.

        In the clip that the item comes from, the longer of what lies before and after it; a clip
        too short for that serves whole.
        """
        low, high = self.starts[other], self.starts[other] + self.lengths[other]
        end = np.minimum(start + length.astype(np.int64), high)
        before, after = start - low, high - end
        same = (clip == other) & (np.maximum(before, after) > _LEAST_REFERENCE)
        first = same & (before >= after)
        last = same & ~first
        return np.where(last, end, low), np.where(first, start, high)

    def _repeated(self, start: Tensor, left: Tensor, speed: Tensor, length: int) -> Tensor:
        """Read ``length`` samples from each ``start``, again from there after ``left`` of them."""
        sound = read_varispeed(self.audio, start, speed, length)
        place = torch.arange(length, device=self.device)[None]
        left = (left / speed).floor().long().clamp_min(1)
        return sound.gather(1, place.remainder(left[:, None]))

    def _inside(self, left: Tensor, count: int, hop: int) -> Tensor:
        """Return 1 where a grid of ``hop`` samples lies in the ``left`` first, ``[B, count]``."""
        place = hop * torch.arange(count, device=self.device)
        return (place[None] < left[:, None]).float()

    def _pitch(self, start: Tensor, speed: Tensor, frames: int, version: Tensor) -> Tensor:
        first = (start / F0_HOP_SAMPLES).floor()[:, None]
        step = (torch.arange(frames, device=self.device) + 0.5)[None] * speed[:, None] - 0.5
        place = (first + step).clamp(0, self.f0_hz.shape[1] - 2)
        left = place.floor().long()
        part = (place - left).float()
        row = version[:, None]
        low, high = self.f0_hz[row, left], self.f0_hz[row, left + 1]
        both = (low > 0) & (high > 0)
        nearest = torch.where(part < 0.5, low, high)
        return torch.where(both, low + (high - low) * part, nearest) * speed.float()[:, None]
