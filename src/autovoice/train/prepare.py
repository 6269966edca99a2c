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
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import soundfile
import soxr
import torch

from autovoice.analyse.pitch import SwiftF0Tracker, resample_pitch
from autovoice.errors import InputError
from autovoice.types import FloatArray

log = logging.getLogger(__name__)
F0_RATE_HZ = 80
Row = dict[str, str]
LEAST_S = 2.0
# Clips per speaker (longest first) by source; one long reader is capped. Of noisy rooms more than
# six a speaker add hours but no speaker, and a part too large to carry. The teacher's own sound is
# made anew in training.
LIMITS: Mapping[str, int] = {
    "speechocean762": 6, "festvox-ru": 60, "TSP subset": 60, "Kokoro-82M": 0,
}  # fmt: skip


def select(manifest: Path, limits: Mapping[str, int] = LIMITS) -> list[Row]:
    """Choose the clips to train on: at least 2 s each, a limit per speaker and source.

    Args:
        manifest: a CSV file with a row for each clip.
        limits: clips per speaker, by how the name of a source begins; no limit for others.

    Raises:
        InputError: a limit is for a source of which there is none.
    """
    groups: dict[tuple[str, str], list[Row]] = defaultdict(list)
    with manifest.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if float(row["seconds"]) >= LEAST_S:
                groups[row["source"], row["speaker"]].append(row)
    sources = sorted({source for source, _ in groups})
    for name in limits.keys() - LIMITS.keys():
        if not any(source.startswith(name) for source in sources):
            raise InputError(
                f"--clips: found {name!r}, expected the beginning of one of: {'; '.join(sources)}"
            )
    chosen: list[Row] = []
    for (source, _), rows in sorted(groups.items()):
        limit = next((n for name, n in limits.items() if source.startswith(name)), len(rows))
        rows.sort(key=lambda row: -float(row["seconds"]))
        chosen.extend(rows[:limit])
    return chosen


def pitch_of(samples: FloatArray, sample_rate_hz: int, tracker: SwiftF0Tracker) -> FloatArray:
    """Track F0 at 80 frames/s, frame ``k`` centred at ``(k + 0.5) / 80`` s."""
    audio = soxr.resample(samples, sample_rate_hz, 16_000).astype(np.float32)
    frames = int(len(samples) / sample_rate_hz * F0_RATE_HZ)
    pitch = resample_pitch(tracker.track(audio), 1 / F0_RATE_HZ, 0.5 / F0_RATE_HZ, frames)
    return pitch.f0_hz


def pack(
    corpus: Path, out: Path, tracker: SwiftF0Tracker, limits: Mapping[str, int] = LIMITS
) -> None:
    """Write ``corpus.zip`` and ``corpus.npz`` (f0, offsets, names, speakers, band_hz).

    Args:
        corpus: folder of ``manifest.csv`` and the archives that it names.
        out: made if need be.
        tracker: of pitch.
        limits: as :func:`select` takes them.

    Raises:
        InputError: as :func:`select`.
    """
    out.mkdir(parents=True, exist_ok=True)
    curves: list[FloatArray] = []
    names: list[str] = []
    speakers: list[str] = []
    bands: list[float] = []
    rows = select(corpus / "manifest.csv", limits)
    log.info("%d clips, %d speakers, %.2f h", len(rows), len({row["speaker"] for row in rows}),
             sum(float(row["seconds"]) for row in rows) / 3600)  # fmt: skip
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


def limit_of(word: str) -> tuple[str, int]:
    """Read ``SOURCE=N``.

    Raises:
        argparse.ArgumentTypeError: it is none.
    """
    source, equals, count = word.rpartition("=")
    if not equals or not source or not count.isdigit():
        raise argparse.ArgumentTypeError(f"found {word!r}, expected SOURCE=N, N clips a speaker")
    return source, int(count)


def main() -> None:
    """Run from the command line."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument(
        "--clips", type=limit_of, action="append", default=[], metavar="SOURCE=N",
        help="so many clips of each speaker of a source, by how its name begins",
    )  # fmt: skip
    arguments = parser.parse_args()
    # The tracker's network is so small that threads only wait for one another: on two busy cores
    # a clip took 3.6 s with PyTorch's default number of threads and 0.06 s with one.
    torch.set_num_threads(1)
    limits = {**LIMITS, **dict(arguments.clips)}
    pack(arguments.corpus, arguments.out, SwiftF0Tracker(), limits)


if __name__ == "__main__":
    main()
