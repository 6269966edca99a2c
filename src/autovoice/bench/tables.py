"""Results as Markdown tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def tables(found: Mapping[str, Any]) -> str:
    """Return everything that was measured, for people."""
    parts = ["\n".join(f"- {key}: {value}" for key, value in found["about"].items())]
    if "pipeline" in found:
        parts.append(_pipelines("Whole pipeline, 1 s", found["pipeline"]))
    if "song" in found:
        parts.append(_pipelines("A whole song", [found["song"]]))
    if "vocoder" in found:
        parts.append(_vocoder(found["vocoder"]))
    if found.get("kernels"):
        parts.append(_kernels(found["kernels"]))
    return "\n\n".join(parts)


def _pipelines(title: str, rows: Sequence[Mapping[str, Any]]) -> str:
    heads = ("song", "separated", "p50 ms", "p95 ms", "p99 ms", "x real time", "GPU memory")
    cells = [
        (
            f"{row['seconds']:g} s",
            "yes" if row["separated"] else "no",
            *(f"{row[key]:.1f}" for key in ("p50_ms", "p95_ms", "p99_ms")),
            f"{row['x_real_time']:.3f}",
            "-" if row["peak_vram_bytes"] is None else f"{row['peak_vram_bytes'] / 2**30:.2f} GiB",
        )
        for row in rows
    ]
    stages = [
        ", ".join(f"{name} {value:.1f}" for name, value in row["stages_ms"].items()) for row in rows
    ]
    lines = "\n".join(f"Stages of the fastest run, ms: {line}" for line in stages)
    return f"### {title}\n\n{table(heads, cells)}\n\n{lines}"


def _vocoder(rows: Sequence[Mapping[str, Any]]) -> str:
    heads = ("way", "batch", "p50 ms", "p99 ms", "x eager", "mel dB", "pitch cents", "gate")
    eager = {row["batch"]: row["p50_ms"] for row in rows if row["way"] == "eager"}
    cells: list[Sequence[object]] = [
        (
            row["way"],
            row["batch"],
            f"{row['p50_ms']:.2f}",
            f"{row['p99_ms']:.2f}",
            f"{eager[row['batch']] / row['p50_ms']:.2f}",
            f"{row['gate']['mel_db']:.3f}",
            f"{row['gate']['pitch_cents']:.2f}",
            "held" if row["gate"]["held"] else "**void**",
        )
        for row in rows
        if "skipped" not in row
    ]
    left_out = [row for row in rows if "skipped" in row]
    cells += [(row["way"], row["batch"], *["-"] * 5, row["skipped"]) for row in left_out]
    return f"### Vocoder, 1 s per item\n\n{table(heads, cells)}"


def _kernels(rows: Sequence[Mapping[str, Any]]) -> str:
    best: dict[tuple[str, int], dict[str, float]] = {}
    for row in rows:
        best.setdefault((row["op"], row["batch"]), {})[row["way"]] = 1_000 * row["p50_ms"]
    heads = ("op", "batch", "kernel us", "eager us", "torch.compile us", "x the better of them")
    cells = []
    for (op, batch), ways in best.items():
        others = [ways[way] for way in ("eager", "torch.compile") if way in ways]
        gain = f"{min(others) / ways['kernel']:.2f}" if others and "kernel" in ways else "-"
        shown = (ways.get(way) for way in ("kernel", "eager", "torch.compile"))
        cells.append((op, batch, *("-" if x is None else f"{x:.1f}" for x in shown), gain))
    return f"### Kernels, one call inside a graph\n\n{table(heads, cells)}"


def table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a Markdown table."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(str(cell) for cell in line)} |" for line in lines)
