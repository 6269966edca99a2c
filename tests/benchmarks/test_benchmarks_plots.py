"""Plots are of the figures that lie beside them, to scale, and small."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from benchmarks.machine import ROOT

from benchmarks import plots

FOLDER = ROOT / "docs" / "benchmarks"
ABOUT = {"machine": "a CPU & more", "commit": "abc", "date": "2026-01-02"}
SVG = "{http://www.w3.org/2000/svg}"


def drawn(**results: object) -> dict[str, ElementTree.Element]:
    made = {plot.name: plot.svg() for plot in plots.plots(results)}  # type: ignore[arg-type]
    return {name: ElementTree.fromstring(text) for name, text in made.items()}


def widths(plot: ElementTree.Element) -> list[float]:
    return [float(each.attrib["width"]) for each in plot.iter(f"{SVG}rect")][1:]


def words(plot: ElementTree.Element) -> str:
    return " | ".join(each.text or "" for each in plot.iter(f"{SVG}text"))


def test_the_plots_in_the_docs_are_of_the_figures_in_the_docs() -> None:
    made = plots.draw(FOLDER)
    assert {"gpu-stages.svg", "gpu-kernels-1.svg", "demo-stages.svg"} <= set(made)
    for name, text in made.items():
        assert (FOLDER / name).read_text(encoding="utf-8") == text, "python -m benchmarks.plots"
        assert len(text) < 8_000
    page = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    assert [name for name in made if f"](benchmarks/{name})" not in page] == []


def test_bars_are_to_scale_and_say_what_they_are() -> None:
    stages = {"read": 1.0, "load": 50.0, "mix": 3.0, "dust": 0.001, "total": 4.0}
    song = {"seconds": 180.0, "stages_ms": stages}
    plot = drawn(gpu={"about": ABOUT, "song": song})["gpu-song"]
    read, mix, whole = widths(plot)
    assert mix == pytest.approx(3 * read, rel=0.01)
    assert whole == pytest.approx(4 * read, rel=0.01)
    assert "a CPU & more; commit abc, 2026-01-02" in words(plot)
    assert "read | 1 ms | mix | 3 ms | all | 4 ms" in words(plot)


def test_a_kernel_that_is_slower_has_another_colour() -> None:
    rows = [
        {"op": op, "batch": 1, "way": way, "p50_ms": spent}
        for op, way, spent in (("a", "kernel", 1.0), ("a", "eager", 3.0), ("b", "kernel", 2.0),
                               ("b", "torch.compile", 1.0), ("c", "eager", 1.0))
    ]  # fmt: skip
    plot = drawn(gpu={"about": ABOUT, "kernels": rows})["gpu-kernels-1"]
    assert "3.00 x eager (1e+03 us)" in words(plot)
    assert "0.50 x torch.compile" in words(plot)
    fills = [each.attrib["fill"] for each in plot.iter(f"{SVG}rect")][1:]
    assert len(fills) == len(set(fills)) == 2


def test_a_void_figure_is_called_void_and_one_that_is_missing_left_out() -> None:
    good, bad = {"held": True}, {"held": False}
    rows = [
        {"way": "engine", "batch": 2, "p50_ms": 3.0, "gate": bad},
        {"way": "eager", "batch": 1, "p50_ms": 9.0, "gate": good},
        {"way": "torch.compile max-autotune", "batch": 1, "skipped": "late"},
    ]
    plot = drawn(gpu={"about": ABOUT, "vocoder": rows})["gpu-vocoder"]
    assert "engine, batch 2 | 1.5 ms (void) | eager, batch 1 | 9 ms" in words(plot)
    assert "max-autotune" not in words(plot)


def test_the_fastest_run_is_drawn(tmp_path: Path) -> None:
    def run(wall_s: float) -> dict[str, object]:
        return {"wall_s": wall_s, "result": {"seconds": 10.0, "timings": {"total": wall_s}}}

    (tmp_path / "demo.json").write_text(json.dumps({"about": ABOUT, "runs": [run(5.0), run(4.0)]}))
    plots.main(["--folder", str(tmp_path)])
    assert "4 s</text>" in (tmp_path / "demo-stages.svg").read_text(encoding="utf-8")
