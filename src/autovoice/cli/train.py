"""``autovoice train``: train the voice model itself, from which every voice is made."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

_FOLDER = click.Path(path_type=Path, file_okay=False)
_LABELS = ("phase", "at", "step", "seconds")


@click.group()
def train() -> None:
    """Train the voice model itself."""


@train.command()
@click.option(
    "--config", required=True, metavar="FILE", help="TOML, or one of: frozen, joint, toy."
)
@click.option("--data", required=True, type=_FOLDER, help="Packed corpus and phonemes.")
@click.option("--out", required=True, type=_FOLDER, help="Checkpoints and metrics; made.")
@click.option("--resume", type=_FOLDER, help="Checkpoint to go on from.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Change one value.")
@click.option("--seconds", type=click.FloatRange(min=0.0), help="Stop after so many seconds.")
@click.option(
    "--steps",
    type=click.IntRange(min=1),
    help="Stop at this step; without --seconds the time is then not limited.",
)
@click.option("--seed", type=click.IntRange(min=0), help="Of every draw.")
@click.option("--device", metavar="auto|cpu|cuda[:N]")
@click.option("--precision", metavar="bfloat16|off", help="Mixed precision.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def base(  # noqa: PLR0917 - one argument for each option
    config: str,
    data: Path,
    out: Path,
    resume: Path | None,
    settings: tuple[str, ...],
    as_json: bool,
    **flags: Any,
) -> None:
    """Train the base voice model. Ctrl-C saves; --resume goes on."""
    from dataclasses import replace

    from autovoice.train.config import changes_of, read

    given = {key: value for key, value in flags.items() if value is not None}
    changes = {**changes_of(settings), **given}
    if "steps" in given:
        changes.setdefault("seconds", float("inf"))
    options = read(config, changes).options(data, out, resume)

    from autovoice.engine import devices
    from autovoice.train.loop import run
    from autovoice.train.setup import check

    check(data)
    options = replace(options, device=devices.choose(options.device).device)
    try:
        trainer = run(options, _tell)
    except KeyboardInterrupt:
        if (out / "model-0.safetensors").is_file():
            click.echo(f"training is saved: --resume {out} goes on", err=True)
        raise
    if as_json:
        record = {
            "out": str(out),
            "phase": options.phase,
            "steps": trainer.step,
            "resumed_at": trainer.begin,
            "seconds": round(trainer.elapsed, 1),
            "device": options.device,
            "seed": options.seed,
            "losses": losses_of(trainer.metrics.last),
        }
        click.echo(json.dumps(record))
        return
    click.echo(f"{options.phase}: step {trainer.step}, {trainer.elapsed:.0f} s; kept in {out}")


def losses_of(row: Mapping[str, Any]) -> dict[str, float]:
    """Take the figures of a report without its labels."""
    return {name: value for name, value in row.items() if name not in _LABELS}


def _tell(row: Mapping[str, Any]) -> None:
    """Write a report to stderr in one line."""
    figures = "  ".join(f"{name} {value:.3f}" for name, value in losses_of(row).items())
    head = f"{row['phase']} {row['at']}: step {row['step']}, {row['seconds']:.0f} s"
    click.echo(f"{head}{': ' if figures else ''}{figures}", err=True)
