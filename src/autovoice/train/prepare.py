"""Pack the training corpus: chosen clips in one zip, their pitch and names in one npz.

    python -m autovoice.train.prepare --corpus ../shared/corpus --out .carry

All that costs CPU time happens here, once, so that a GPU lease is spent on training alone.
"""

from __future__ import annotations

import argparse
import csv
import io
import logging
import zipfile
from collections import defaultdict
from pathlib import Path

import numpy as np
import soundfile
import soxr
import torch

from autovoice.analyse.pitch import SwiftF0Tracker, resample_pitch
from autovoice.types import FloatArray

log = logging.getLogger(__name__)
F0_RATE_HZ = 80
Row = dict[str, str]
# Clips per speaker (longest first) by source; noisy rooms weigh less, one long reader is capped.
_LIMITS = {"speechocean762": 3, "festvox-ru": 60, "TSP subset": 60, "Kokoro-82M": 0}


def select(manifest: Path) -> list[Row]:
    """Choose the clips to train on: at least 2 s each, a limit per speaker and source."""
    groups: dict[tuple[str, str], list[Row]] = defaultdict(list)
    with manifest.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if float(row["seconds"]) >= 2.0:
                groups[row["source"], row["speaker"]].append(row)
    chosen: list[Row] = []
    for (source, _), rows in sorted(groups.items()):
        limit = next((n for name, n in _LIMITS.items() if source.startswith(name)), 99)
        rows.sort(key=lambda row: -float(row["seconds"]))
        chosen.extend(rows[:limit])
    return chosen


def pitch_of(samples: FloatArray, sample_rate_hz: int, tracker: SwiftF0Tracker) -> FloatArray:
    """Track F0 at 80 frames/s, frame ``k`` centred at ``(k + 0.5) / 80`` s."""
    audio = soxr.resample(samples, sample_rate_hz, 16_000).astype(np.float32)
    frames = int(len(samples) / sample_rate_hz * F0_RATE_HZ)
    pitch = resample_pitch(tracker.track(audio), 1 / F0_RATE_HZ, 0.5 / F0_RATE_HZ, frames)
    return pitch.f0_hz


def pack(corpus: Path, out: Path, tracker: SwiftF0Tracker) -> None:
    """Write ``corpus.zip`` and ``corpus.npz`` (f0, offsets, names, speakers, band_hz)."""
    out.mkdir(parents=True, exist_ok=True)
    curves: list[FloatArray] = []
    names: list[str] = []
    speakers: list[str] = []
    bands: list[float] = []
    rows = select(corpus / "manifest.csv")
    archives = {row["shard"]: zipfile.ZipFile(corpus / row["shard"]) for row in rows}
    with zipfile.ZipFile(out / "corpus.zip", "w", zipfile.ZIP_STORED) as target:
        for index, row in enumerate(rows):
            data = archives[row["shard"]].read(row["file"])
            samples, rate = soundfile.read(io.BytesIO(data), dtype="float32")
            curves.append(pitch_of(samples, rate, tracker))
            names.append(f"{index:05d}.mp3")
            speakers.append(row["speaker"])
            bands.append(min(12_000.0, 0.95 * rate / 2))
            target.writestr(names[-1], data)
            if index % 100 == 0:
                log.info("%d of %d clips", index, len(rows))
    np.savez_compressed(
        out / "corpus.npz",
        f0=np.concatenate(curves).astype(np.float16),
        offsets=np.cumsum([0, *(len(curve) for curve in curves)]),
        names=np.array(names),
        speakers=np.array(speakers),
        band_hz=np.array(bands, dtype=np.float32),
    )


def main() -> None:
    """Run from the command line."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    # The tracker's network is so small that threads only wait for one another: on two busy cores
    # a clip took 3.6 s with PyTorch's default number of threads and 0.06 s with one.
    torch.set_num_threads(1)
    pack(arguments.corpus, arguments.out, SwiftF0Tracker())


if __name__ == "__main__":
    main()
