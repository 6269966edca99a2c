"""A long song under hard caps of GPU memory: what it takes, how it is cut, what that changes.

python -m benchmarks.vram [--caps 1G 2G 4G] [--minutes 10] [--device cuda:0] [--together]
python -m benchmarks.vram --stages [--device cuda:0]

Prints JSON. The first converts the demo song, repeated, without a cap and under each, every time in
a process of its own; differences are against the run without a cap, over all of the new vocal and
within 50 ms of the seams. Pieces that are cut elsewhere breathe with other noise, and their phases
drift apart: samples differ as much as those of two takes do, so mel spectra are compared as well,
and another take without a cap (``other_seed``) says what their differences mean. With
``--together`` these processes run side by side: what they took (``wall_s``) then says little, what
they kept as much as ever. The second measures what a pass of each stage takes, for the table of
``engine/memory.py``.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from autovoice.config import parse_bytes
from autovoice.types import FloatArray
from benchmarks.machine import about
from benchmarks.process import KIB, python
from benchmarks.songs import VOICE, repeated_demo

AROUND_S = 0.05
OTHER_TAKE = "other_seed"
BLOCK_FRAMES = 4_800
# Two lengths of sound for each stage: the line through them is the table's.
LENGTHS_S = {"Spleeter": (15.0, 45.0), "Vocoder": (4.0, 24.0), "ContentEncoder": (5.0, 20.0)}
STAGES = ("Spleeter", "SwiftF0Tracker", "ContentEncoder", "Converter", "Vocoder")
USUAL_LENGTHS_S = (10.0, 30.0)


def main(words: Sequence[str] | None = None) -> None:
    """Measure and print."""
    chosen = _parser().parse_args(words)
    if chosen.one is not None:
        found = _one(Path(chosen.one), chosen.cap, chosen.device, Path(chosen.out), chosen.seed)
        print(json.dumps(found))
    elif chosen.stage is not None:
        print(json.dumps(_pass_bytes(chosen.stage, chosen.seconds, chosen.device)))
    elif chosen.stages:
        print(json.dumps(_table(chosen.device), indent=2))
    else:
        print(
            json.dumps(_caps(chosen.caps, chosen.minutes, chosen.device, chosen.together), indent=2)
        )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.vram", description=__doc__)
    parser.add_argument("--caps", nargs="+", default=["1G", "2G", "4G"])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--together", action="store_true", help="all runs side by side")
    parser.add_argument("--stages", action="store_true")
    # What the processes are told that this one starts.
    for name in ("--one", "--cap", "--out", "--stage"):
        parser.add_argument(name, help=argparse.SUPPRESS)
    parser.add_argument("--seconds", type=float, help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, default=0, help=argparse.SUPPRESS)
    return parser


def _caps(caps: Sequence[str], minutes: float, device: str, together: bool) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        song = repeated_demo(folder / "long.flac", minutes)
        names = ["", OTHER_TAKE, *caps]
        with ThreadPoolExecutor(len(names) if together else 1) as pool:
            found = pool.map(lambda name: _child(song, name, device, folder), names)
            runs = dict(zip(names, found, strict=True))
        whole = np.load(folder / "whole.npy", mmap_mode="r")
        for name in names[1:]:
            other, seams_s = np.load(folder / f"{name}.npy", mmap_mode="r"), runs[name]["seams_s"]
            runs[name].update(differences(whole, other, seams_s, 24_000))
            runs[name].update(mel_differences(whole, other, seams_s))
        for cap in caps:
            runs[cap]["under_cap"] = runs[cap]["peak_reserved_bytes"] <= parse_bytes(cap)
    command = f"python -m benchmarks.vram --caps {' '.join(caps)} --minutes {minutes:g}"
    command += " --together" if together else ""
    first = {"uncapped": runs.pop(""), OTHER_TAKE: runs.pop(OTHER_TAKE)}
    return {"about": about(command), **first, "caps": runs}


def _child(song: Path, name: str, device: str, folder: Path) -> dict[str, Any]:
    out = folder / f"{name or 'whole'}.npy"
    words = ["--one", str(song), "--device", device, "--out", str(out)]
    if name == OTHER_TAKE:
        words += ["--seed", "1"]
    elif name:
        words += ["--cap", name]
    found: dict[str, Any] = json.loads(python("-m", "benchmarks.vram", *words).stdout)
    return found


def _one(song: Path, cap: str | None, device: str, out: Path, seed: int) -> dict[str, Any]:
    """Convert in this process; leave the new vocal as the decoder made it in ``out``."""
    from autovoice.engine import Engine
    from autovoice.engine.pipeline import Pipeline

    fractions: list[float] = []
    made: list[FloatArray] = []
    fill = Pipeline._fill

    def kept(pipeline: Pipeline, sound: FloatArray, *rest: Any) -> None:
        fractions.clear()
        fill(pipeline, sound, *rest)
        made[:] = [np.array(sound[0])]

    Pipeline._fill = kept  # type: ignore[assignment,method-assign]
    engine = Engine(device, cap)
    begin_s = time.perf_counter()
    done = engine.convert(
        song, VOICE, semitones=0, preset="best", seed=seed,
        progress=lambda told: fractions.append(told.fraction) if told.stage == "convert" else None,
    )  # fmt: skip
    wall_s = time.perf_counter() - begin_s
    np.save(out, made[0])
    seconds = len(made[0]) / 24_000
    stops_s = sorted({round(each * seconds, 1) for each in fractions if 0 < each < 1})
    edges_s = np.diff([0.0, *stops_s, seconds])
    separator = getattr(engine._stages.separator, "chunk_frames", None)
    return {
        "device": done.device,
        "seconds": round(seconds, 1),
        "wall_s": round(wall_s, 2),
        "longest_piece_s": round(float(edges_s.max()), 1),
        "pieces": len(edges_s),
        "separator_chunk_frames": separator,
        "seams_s": stops_s,
        "notes": list(done.notes),
        **_peaks(device),
    }


def _peaks(device: str) -> dict[str, int]:
    """Return the highest memory of this process, and of all that uses the GPU now."""
    if not device.startswith("cuda"):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KIB
        return {"peak_allocated_bytes": peak, "peak_reserved_bytes": peak}
    import torch

    free, total = torch.cuda.mem_get_info(device)
    return {
        "peak_allocated_bytes": torch.cuda.max_memory_allocated(device),
        "peak_reserved_bytes": torch.cuda.max_memory_reserved(device),
        "card_used_bytes": total - free,
    }


def differences(
    whole: FloatArray, other: FloatArray, seams_s: Sequence[float], rate_hz: int
) -> dict[str, float | None]:
    """Return how far a result is from another, in dB under it.

    Args:
        whole, other: ``[T]``.
        seams_s: where ``other`` was blended from pieces.
        rate_hz: of both.

    Returns:
        ``difference_db`` over everything; ``seams_db``: the worst of 50 ms to both sides of a seam,
        against the mean power of ``whole``; None where there is none.
    """
    power = float(np.mean(np.square(whole, dtype=np.float64))) + 1e-20

    def under(error: FloatArray) -> float:
        mean = float(np.mean(np.square(error, dtype=np.float64)))
        return round(10 * float(np.log10(mean / power + 1e-20)), 1)

    reach = round(AROUND_S * rate_hz)
    spans = [slice(max(0, round(at * rate_hz) - reach), round(at * rate_hz) + reach)
             for at in seams_s]  # fmt: skip
    seams = [under(whole[span] - other[span]) for span in spans]
    return {"difference_db": under(whole - other), "seams_db": max(seams, default=None)}


def mel_differences(
    whole: FloatArray, other: FloatArray, seams_s: Sequence[float]
) -> dict[str, float | None]:
    """Return how far the mel spectra of two results at 24 kHz are apart.

    Args:
        whole, other: ``[T]``.
        seams_s: where ``other`` was blended from pieces.

    Returns:
        ``mel_db``: mean over everything; ``seams_mel_db``: mean over 50 ms to both sides of all
        seams, ``worst_seam_mel_db`` of the worst one; None where there is none.
    """
    import torch

    from autovoice.bench.gate import mel_apart_db
    from autovoice.nn.mel24k import HOP_SAMPLES

    block = BLOCK_FRAMES * HOP_SAMPLES
    apart: list[FloatArray] = []
    with torch.inference_mode():
        for start in range(0, len(whole), block):
            pair = (np.array(each[None, start : start + block]) for each in (whole, other))
            apart.append(mel_apart_db(*map(torch.from_numpy, pair))[0].numpy())
    frames = np.concatenate(apart)
    per_s = 24_000 / HOP_SAMPLES
    reach = round(AROUND_S * per_s)
    seams = [
        float(frames[max(0, round(at * per_s) - reach) : round(at * per_s) + reach + 1].mean())
        for at in seams_s
    ]
    return {
        "mel_db": round(float(frames.mean()), 3),
        "seams_mel_db": round(float(np.mean(seams)), 3) if seams else None,
        "worst_seam_mel_db": round(max(seams), 3) if seams else None,
    }


def _table(device: str) -> dict[str, Any]:
    from autovoice.engine.memory import NEEDS

    found: dict[str, Any] = {}
    for stage in STAGES:
        lengths = LENGTHS_S.get(stage, USUAL_LENGTHS_S)
        words = ("-m", "benchmarks.vram", "--device", device, "--stage", stage, "--seconds")
        peaks = [json.loads(python(*words, str(each)).stdout) for each in lengths]
        bytes_per_s = (peaks[1] - peaks[0]) / (lengths[1] - lengths[0])
        found[stage] = {
            "bytes_per_s": round(bytes_per_s),
            "pass_bytes": max(0, round(peaks[0] - bytes_per_s * lengths[0])),
            "table_bytes_per_s": NEEDS[stage].bytes_per_s,
            "table_pass_bytes": NEEDS[stage].pass_bytes,
            "measured": dict(zip(map(str, lengths), peaks, strict=True)),
        }
    return {"about": about("python -m benchmarks.vram --stages"), "stages": found}


def _pass_bytes(name: str, seconds: float, device: str) -> int:
    """Return what one pass takes beyond what is loaded, in this process."""
    work = _passes(seconds, device)[name]()
    if not device.startswith("cuda"):
        with Path("/proc/self/statm").open() as handle:
            before = int(handle.read().split()[1]) * resource.getpagesize()
        work()
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KIB - before
    import torch

    torch.cuda.reset_peak_memory_stats(device)
    loaded = torch.cuda.memory_allocated(device)
    work()
    return torch.cuda.max_memory_allocated(device) - loaded


def _noise() -> Callable[..., FloatArray]:
    chance = np.random.default_rng(0)

    def noise(*shape: int) -> FloatArray:
        return (0.1 * chance.standard_normal(shape)).astype(np.float32)

    return noise


def _passes(seconds: float, device: str) -> dict[str, Callable[[], Callable[[], Any]]]:
    """Return for each stage what builds it and returns one pass over noise."""
    from autovoice.analyse.content import ContentEncoder
    from autovoice.analyse.pitch import SwiftF0Tracker
    from autovoice.convert import Converter, DecoderFeatures
    from autovoice.convert.converter import CONTENT_LAYERS
    from autovoice.separate.spleeter import RATE_HZ, Spleeter
    from autovoice.types import Analysis, Content, Curve, Pitch, Speaker
    from autovoice.vocode import Vocoder

    noise = _noise()
    heard = noise(round(16_000 * seconds))
    frames = round(40 * seconds)
    speaker = Speaker(noise(128), noise(256), 200.0, 100.0, 300.0)
    f0_hz = np.full(2 * frames, 150.0, np.float32)
    curve = Curve(noise(2 * frames), 1 / 80)
    features = DecoderFeatures(noise(512, frames), f0_hz, curve.values)
    content = Content(noise(2, round(50 * seconds), 512), CONTENT_LAYERS)
    analysis = Analysis(Pitch(f0_hz, f0_hz, 1 / 80), content, curve, curve, seconds)

    def separating() -> Callable[[], Any]:
        stage, cut = Spleeter(device=device), noise(2, round(RATE_HZ * seconds))
        return lambda: stage.tried(lambda: stage._run([(cut, 1.0)]))

    def tracking() -> Callable[[], Any]:
        stage = SwiftF0Tracker(device=device)
        return lambda: stage.tried(lambda: stage._run([heard]))

    def encoding() -> Callable[[], Any]:
        stage = ContentEncoder(device=device, window_s=min(30.0, max(seconds, 3.0)))
        return lambda: stage.encode(heard)

    def converting() -> Callable[[], Any]:
        stage = Converter(device=device)
        return lambda: stage.convert(analysis, speaker)

    def vocoding() -> Callable[[], Any]:
        stage = Vocoder(device=device)
        return lambda: stage.synthesise(features, speaker, seed=0)

    stages = (separating, tracking, encoding, converting, vocoding)
    return dict(zip(STAGES, stages, strict=True))


if __name__ == "__main__":
    main(sys.argv[1:])
