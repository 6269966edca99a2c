"""Convert whole songs through the command line: the demo song, and a long one made of it."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from autovoice.bench.tables import table
from benchmarks.page import Section, against
from benchmarks.process import Done, python

VOICE = "kumo"
DEMO_REALTIME = 3.0
DEMO_PEAK_GB = 2.5
LONG_PEAK_GB = 3.0


def demo(*, runs: int = 3, device: str = "cpu") -> Section:
    """Measure ``autovoice convert demo``: speed in all, each stage, memory.

    Args:
        runs: how often; the fastest is shown, and the time of all. Default 3.
        device: as for ``autovoice convert``. Default ``cpu``.
    """
    found = [_convert("demo", device) for _ in range(runs)]
    done, result = min(found, key=lambda one: one[0].wall_s)
    walls = ", ".join(f"{one.wall_s:.1f}" for one, _ in found)
    speed = against(done.wall_s / result["seconds"], DEMO_REALTIME, "{:.2f}")
    return Section(
        "demo",
        f"The demo song ({result['seconds']:.1f} s, mixed), file to file",
        f"Whole command, weights cached: {walls} s of wall time; the fastest run:\n\n"
        f"{_figures(done, result, speed, DEMO_PEAK_GB)}\n\n{_stages(done, result)}",
        {"runs": [{**_raw(one), "result": each} for one, each in found]},
    )


def long(*, minutes: float = 10.0, device: str = "cpu") -> Section:
    """Measure a song of ``minutes``, the demo song again and again: memory must not grow."""
    with tempfile.TemporaryDirectory() as folder:
        song = repeated_demo(Path(folder) / "long.flac", minutes)
        done, result = _convert(str(song), device)
    speed = (f"{done.wall_s / result['seconds']:.2f}", "-", "-")
    return Section(
        "long",
        f"A long song ({result['seconds'] / 60:.1f} minutes, mixed), file to file",
        f"{_figures(done, result, speed, LONG_PEAK_GB)}\n\n{_stages(done, result)}",
        {**_raw(done), "result": result},
    )


def repeated_demo(path: Path, minutes: float) -> Path:
    """Write the demo song over and over until ``minutes`` are full."""
    from autovoice import io, weights

    song = io.read(weights.file("demo-song", "audio_example.mp3"))
    left = round(minutes * 60 * song.sample_rate_hz)
    with io.Writer(path, song.sample_rate_hz, song.channels, subtype="PCM_16") as writer:
        while left > 0:
            piece = song.samples[:, :left]
            writer.write(piece)
            left -= piece.shape[1]
    return path


def _convert(song: str, device: str) -> tuple[Done, dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        out = str(Path(folder) / "cover.wav")
        words = ("convert", song, "--voice", VOICE, "-o", out, "--device", device, "--json")
        done = python("-m", "autovoice", *words)
    result: dict[str, Any] = json.loads(done.stdout)
    del result["output"]  # a path of this machine
    return done, result


def _raw(done: Done) -> dict[str, float]:
    return {"wall_s": done.wall_s, "cpu_s": done.cpu_s, "peak_bytes": done.peak_bytes}


def _figures(done: Done, result: Mapping[str, Any], speed: tuple[str, ...], peak_gb: float) -> str:
    score = result["score"]
    rows: list[tuple[str, ...]] = [
        ("x real time, in all", *speed),
        ("peak memory, GB", *against(done.peak_bytes / 1e9, peak_gb, "{:.2f}")),
    ]
    for key, text in (
        ("pitch_error_cents", "pitch error, cents"),
        ("pitch_within_50_cents", "within 50 cents"),
        ("similarity_target", "similarity to the voice"),
        ("similarity_floor", "the same before"),
    ):
        if score.get(key) is not None:
            rows.append((text, f"{score[key]:.2f}", "-", "-"))
    return table(["", "measured", "goal", "reached"], rows)


def _stages(done: Done, result: Mapping[str, Any]) -> str:
    """Return seconds by stage; what no stage counts is the start of Python and writing files."""
    timings = {name: s for name, s in result["timings"].items() if name != "total"}
    rows = [(name, *_share(s, result)) for name, s in timings.items()]
    inside_s = result["timings"]["total"] + result["timings"].get("score", 0.0)
    rows.append(("start, writing", *_share(done.wall_s - inside_s, result)))
    rows.append(("in all", *_share(done.wall_s, result)))
    return table(["stage", "seconds", "x real time"], rows)


def _share(seconds: float, result: Mapping[str, Any]) -> tuple[str, str]:
    return f"{seconds:.2f}", f"{seconds / result['seconds']:.3f}"
