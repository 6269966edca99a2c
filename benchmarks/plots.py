"""Draw the figures of docs/benchmarks/*.json as bars, for docs/benchmarks.md.

python -m benchmarks.plots [--folder docs/benchmarks]

Each plot says of which commit and machine its figures are. Files are written by hand, not by a
library of plots: a few kilobytes of text whose changes can be read.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from benchmarks.machine import ROOT

WIDTH, LABEL, VALUE, ROW, HEAD = 760, 250, 150, 20, 62
COLOURS = {"kernel": "#0f766e", "engine": "#0f766e", "": "#0f766e", "torch.compile": "#b45309"}
OTHER = "#94a3b8"
BETWEEN = ("total", "load")
DRAWN = ("gpu", "demo", "long")


@dataclass(frozen=True)
class Bar:
    """One bar.

    Args:
        label: to its left.
        value: its length, in the unit of the plot.
        text: to its right.
        way: decides its colour.
    """

    label: str
    value: float
    text: str
    way: str = ""


@dataclass(frozen=True)
class Plot:
    """A plot: its file's name, what it shows, where that was measured, and the bars."""

    name: str
    title: str
    about: str
    bars: Sequence[Bar]

    def svg(self) -> str:
        """Return it as an SVG document."""
        height = HEAD + ROW * len(self.bars) + 14
        longest = max((bar.value for bar in self.bars), default=0.0) or 1.0
        room = WIDTH - LABEL - VALUE
        lines = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
            'font-family="DejaVu Sans, Helvetica, Arial, sans-serif" font-size="12" role="img" '
            'aria-labelledby="title">',
            f'<title id="title">{escape(self.title)}</title>',
            f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
            f'<text x="16" y="24" font-size="15" fill="#0f172a">{escape(self.title)}</text>',
            f'<text x="16" y="44" font-size="11" fill="#475569">{escape(self.about)}</text>',
        ]
        for index, bar in enumerate(self.bars):
            y, wide = HEAD + ROW * index, max(room * bar.value / longest, 1.0)
            colour = COLOURS.get(bar.way, OTHER)
            lines += [
                f'<text x="{LABEL - 8}" y="{y + 12}" text-anchor="end" fill="#0f172a">'
                f"{escape(bar.label)}</text>",
                f'<rect x="{LABEL}" y="{y}" width="{wide:.1f}" height="15" fill="{colour}"/>',
                f'<text x="{LABEL + wide + 6:.1f}" y="{y + 12}" fill="#0f172a">'
                f"{escape(bar.text)}</text>",
            ]
        return "\n".join([*lines, "</svg>"]) + "\n"


def plots(results: Mapping[str, Mapping[str, Any]]) -> Iterator[Plot]:
    """Yield what can be drawn.

    Args:
        results: what ``docs/benchmarks/NAME.json`` holds, by ``NAME``: ``gpu`` as ``autovoice bench
            --json`` prints it, ``demo`` and ``long`` as ``make bench`` writes them.
    """
    if "gpu" in results:
        yield from _gpu(results["gpu"])
    for name, title in (("demo", "The demo song on the CPU"), ("long", "A long song on the CPU")):
        if name in results:
            found = results[name]
            runs = found.get("runs", [found])
            best = min(runs, key=lambda run: run["wall_s"])["result"]
            stages = {stage: 1_000 * value for stage, value in best["timings"].items()}
            whole = f"{title}, {best['seconds']:.3g} s of sound: seconds by stage"
            yield Plot(f"{name}-stages", whole, _told(found["about"]), _stages(stages, 1_000, "s"))


def _gpu(found: Mapping[str, Any]) -> Iterator[Plot]:
    about = _told(found["about"])
    for row in found.get("pipeline", ())[:1]:
        title = "1 s of a mix on a GPU: milliseconds by stage, fastest run"
        yield Plot("gpu-stages", title, about, _stages(row["stages_ms"], 1, "ms"))
    if "song" in found:
        title = f"{found['song']['seconds']:g} s of a mix on a GPU: milliseconds by stage"
        yield Plot("gpu-song", title, about, _stages(found["song"]["stages_ms"], 1, "ms"))
    if "vocoder" in found:
        rows = [row for row in found["vocoder"] if "skipped" not in row]
        bars = [
            Bar(
                f"{row['way']}, batch {row['batch']}",
                row["p50_ms"] / row["batch"],
                f"{row['p50_ms'] / row['batch']:.3g} ms{'' if row['gate']['held'] else ' (void)'}",
                "torch.compile" if row["way"].startswith("torch.compile") else row["way"],
            )
            for row in rows
        ]
        yield Plot("gpu-vocoder", "The vocoder: milliseconds for each second", about, bars)
    for batch in sorted({row["batch"] for row in found.get("kernels", ())}):
        title = f"Kernels, batch {batch}: how many times as fast as PyTorch's layers"
        yield Plot(f"gpu-kernels-{batch}", title, about, _gains(found["kernels"], batch))


def _stages(spent_ms: Mapping[str, float], per: float, unit: str) -> list[Bar]:
    """Return a bar for each stage that takes a thousandth of all or more, and one for all."""
    whole = spent_ms["total"]
    names = [name for name in spent_ms if name not in BETWEEN and spent_ms[name] >= whole / 1_000]
    bars = [Bar(name, spent_ms[name], f"{spent_ms[name] / per:.3g} {unit}") for name in names]
    return [*bars, Bar("all", whole, f"{whole / per:.3g} {unit}", "all")]


def _gains(rows: Sequence[Mapping[str, Any]], batch: int) -> list[Bar]:
    """Return how much faster each kernel is than each other way."""
    spent = {(row["op"], row["way"]): row["p50_ms"] for row in rows if row["batch"] == batch}
    bars = []
    for (op, way), other_ms in spent.items():
        if way == "kernel" or (op, "kernel") not in spent:
            continue
        gain = other_ms / spent[op, "kernel"]
        text = f"{gain:.2f} x {way} ({1_000 * spent[op, 'kernel']:.3g} us)"
        bars.append(Bar(op, gain, text, "kernel" if gain > 1 else "slower"))
    return bars


def _told(about: Mapping[str, str]) -> str:
    machine = about.get("gpu") or about["machine"]
    return f"{machine}; commit {about.get('commit', 'unknown')}, {about['date']}"


def draw(folder: Path) -> dict[str, str]:
    """Return the plots of a folder's figures, by the names of their files."""
    files = {path.stem: path for path in sorted(folder.glob("*.json"))}
    known = {name: path for name, path in files.items() if name in DRAWN}
    results = {name: json.loads(path.read_text(encoding="utf-8")) for name, path in known.items()}
    return {f"{plot.name}.svg": plot.svg() for plot in plots(results)}


def main(words: Sequence[str] | None = None) -> None:
    """Draw all, and remove no plot."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.plots", description=__doc__)
    parser.add_argument("--folder", type=Path, default=ROOT / "docs" / "benchmarks")
    folder: Path = parser.parse_args(words).folder
    for name, text in draw(folder).items():
        (folder / name).write_text(text, encoding="utf-8")
        print(folder / name)


if __name__ == "__main__":
    main()
