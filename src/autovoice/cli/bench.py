"""``autovoice bench``: how fast the engine is here, each figure beside its baseline."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

_FILE = click.Path(path_type=Path, dir_okay=False)
PARTS = ("pipeline", "song", "vocoder", "kernels")


@click.command()
@click.argument("parts", nargs=-1, type=click.Choice(PARTS))
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:N.")
@click.option("--runs", type=click.IntRange(1), default=200, show_default=True)
@click.option("--minutes", type=click.FloatRange(0.1), default=3.0, help="Length of the song.")
@click.option("--compile", "compiled", is_flag=True, help="Also time torch.compile (minutes).")
@click.option(
    "--compile-limit",
    type=click.FloatRange(1),
    default=150.0,
    show_default=True,
    help="Seconds for each mode of torch.compile; what takes longer is left out.",
)
@click.option(
    "--kernel", "only", multiple=True, metavar="NAME",
    help="Only kernels whose name begins so; repeatable.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
@click.option(
    "--history", type=click.Path(path_type=Path), help="Keep a line per commit and machine."
)
def bench(parts: tuple[str, ...], device: str, as_json: bool, **options: Any) -> None:
    """Measure on this machine: 1 s and a whole song, the vocoder and each kernel.

    PARTS are pipeline, song, vocoder and kernels (on a GPU); without any all are run. Every way of
    the vocoder is compared with float32 in eager PyTorch in the same run: where the sound differs,
    the figure is void.
    """
    from autovoice.bench.facts import facts
    from autovoice.bench.history import keep
    from autovoice.bench.tables import tables
    from autovoice.engine import Engine

    engine = Engine(device=device)
    found: dict[str, Any] = {"about": facts(engine.device)}
    for part in parts or PARTS:
        found[part] = _measured(part, engine, **options)
    history: Path | None = options["history"]
    if history is not None:
        keep(history, found)
    click.echo(json.dumps(found, indent=1) if as_json else tables(found))


def _measured(
    part: str,
    engine: Any,
    *,
    runs: int,
    minutes: float,
    compiled: bool,
    compile_limit: float,
    only: tuple[str, ...],
    **_: Any,
) -> Any:
    if part == "vocoder":
        from autovoice.bench.material import features
        from autovoice.bench.vocoder import vocoder

        batches = (1, 16, 64) if engine.device.startswith("cuda") else (1,)
        return vocoder(
            features(engine),
            engine.device,
            runs=runs,
            batches=batches,
            compile_s=compile_limit if compiled else 0.0,
        )
    if part == "kernels":
        from autovoice.bench.kernels import kernels

        if not engine.device.startswith("cuda"):
            return []
        return kernels(
            engine.device, runs=runs, compiled=compiled, only=only,
            told=lambda row: click.echo(json.dumps(row), err=True),
        )  # fmt: skip
    from autovoice.bench.pipeline import pipeline

    if part == "song":
        return pipeline(engine, 60 * minutes, runs=max(1, runs // 50))
    return [pipeline(engine, 1.0, runs=runs, mixed=mixed) for mixed in (True, False)]
