"""Train the voice model within a limit of time, resumably.

    autovoice train base --config frozen --data DATA --out OUT
    autovoice train base --config joint --data DATA --out OUT --resume DIR

On a machine that has PyTorch and little else, ``python -m autovoice.train.loop`` does the same
with a flag for each option (``Options``).

Phase ``frozen`` trains the speaker judge, then the content adapter and the style encoder through
the decoder as it is. Phase ``joint`` goes on with the decoder at a fraction of the learning rate,
against discriminators; every second step it also sings what the teacher made. Checkpoints
(``model-*``) are moving averages, written every minute; ``judge-*`` and ``critics/`` lie beside
them, since a run that goes on needs them and use does not.
"""

from __future__ import annotations

import argparse
import logging
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from autovoice.errors import InputError
from autovoice.train import checkpoint, schedule
from autovoice.train.judge_training import train_judge
from autovoice.train.losses import MelDistance
from autovoice.train.metrics import Metrics, Row
from autovoice.train.options import WEIGHTS, Moves, Options
from autovoice.train.pitch_loss import PitchLoss
from autovoice.train.ranks import join
from autovoice.train.setup import build
from autovoice.train.step_profile import Profile
from autovoice.train.steps import Judges
from autovoice.train.stock import Stock
from autovoice.train.synthetic import SyntheticPairs
from autovoice.train.trainer import Trainer

log = logging.getLogger(__name__)


def run(options: Options, listener: Callable[[Row], None] = lambda _row: None) -> Trainer:
    """Train as told.

    Args:
        options: what and how large.
        listener: is told every report.

    Raises:
        InputError: ``data`` or ``resume`` lacks what is needed, or a loss is not finite any more.
        KeyboardInterrupt: somebody stopped it; what was reached is saved.
    """
    ranks, device = join(_device(options.device))
    options = replace(options, device=device)
    facts = _facts(options)
    step = int(str(facts["step"])) if facts.get("phase") == options.phase else 0
    _seed(options.seed + step)  # what goes on draws anew
    _be_quick()
    started = time.monotonic()
    folder = options.out if ranks.first else options.out / f"process-{ranks.rank}"
    nets, corpus, teacher, pitch = build(
        options.data, options.device, options.frames, options.limit, options.resume,
        noisy_weight=options.noisy_weight,
    )  # fmt: skip
    if options.compile and options.device.startswith("cuda"):
        from autovoice.train.fused_activation import fuse  # only here: Triton wants a GPU

        fuse(nets.decoder)
    seed = options.seed + step + ranks.seed_offset
    chance = torch.Generator(options.device).manual_seed(seed)
    profile = Profile(options.profile, options.device)
    trainer = Trainer(
        options, nets, corpus, _stocked(teacher, options),
        MelDistance().to(options.device),
        _judges(pitch, options, profile).to(options.device), chance,
        np.random.default_rng(seed), Metrics(folder, listener), ranks, started,
        step=step, spent_s=schedule.spent_before(options, facts, step), profile=profile,
    )  # fmt: skip
    if options.resume is not None and step and trainer.go_on(options.resume):
        log.info("going on exactly from step %d", step)
    _seed(seed)  # networks that are alike on every process; what they see is not
    try:
        trainer.report("ready")
        if options.resume is None or not checkpoint.load(options.resume, "judge"):
            train_judge(trainer)
        nets.judge.requires_grad_(False).eval()
        trainer.train()
        ranks.close()
    finally:
        trainer.metrics.close()
    return trainer


def _device(wish: str) -> str:
    if wish != "auto":
        return wish
    return "cuda" if torch.cuda.is_available() else "cpu"


def _be_quick() -> None:
    """Let a GPU round products of float32, and try out its convolutions."""
    torch.backends.cuda.matmul.allow_tf32 = True
    torch.backends.cudnn.allow_tf32 = True
    torch.backends.cudnn.benchmark = True


def _seed(seed: int) -> None:
    """Seed every source of chance that a library may draw from."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def _stocked(teacher: SyntheticPairs, options: Options) -> SyntheticPairs | Stock:
    return Stock(teacher, options.stock, options.stock_renew) if options.stock else teacher


def _judges(pitch: PitchLoss, options: Options, profile: Profile) -> Judges:
    optional = {"power", "power_long", "valleys", "valleys_long", "consonants"}
    wanted = frozenset(name for name in optional if options.weights.get(name, 0.0) > 0)
    return Judges(pitch, wanted=wanted, moves=options.moves, profile=profile)


def _facts(options: Options) -> dict[str, object]:
    """Return what was written beside the checkpoint that is resumed; empty without one."""
    if options.resume is None:
        return {}
    if not (options.resume / "model-0.safetensors").is_file():
        raise InputError(
            f"{options.resume}: found no model-0.safetensors; expected a folder that training wrote"
        )
    return checkpoint.facts(options.resume, "model")


def _pairs(words: list[str], known: Mapping[str, float]) -> dict[str, float]:
    """Read ``NAME=VALUE`` words over the values that are known.

    Raises:
        InputError: a name is unknown, or a value is no number.
    """
    values = dict(known)
    for word in words:
        name, _, text = word.partition("=")
        try:
            values[name] = type(known[name])(text)
        except (KeyError, ValueError):
            raise InputError(
                f"found {word!r}, expected NAME=NUMBER with one of {', '.join(known)}"
            ) from None
    return values


def main() -> None:
    """Run from the command line."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--resume", type=Path)
    parser.add_argument("--phase", choices=["frozen", "joint"], default="frozen")
    for name, value in vars(Options(Path(), Path())).items():
        if isinstance(value, int | float) and not isinstance(value, bool):
            parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)
    parser.add_argument("--device", default="cuda")
    for name in ("--limit", "--steps", "--judge-steps"):
        parser.add_argument(name, type=int)
    parser.add_argument("--precision", choices=["bfloat16", "off"], default="bfloat16")
    parser.add_argument("--compile", action="store_true", help="fused kernels (CUDA only)")
    parser.add_argument("--clean-critics", action="store_true", help="see train/clean_sound.py")
    parser.add_argument("--graphs", action="store_true", help="replay steps as CUDA graphs")
    parser.add_argument("--total-seconds", type=float, help="of all calls that are one training")
    parser.add_argument("--no-state", dest="keep_state", action="store_false")
    parser.add_argument("--weights", nargs="*", default=[], metavar="NAME=VALUE")
    parser.add_argument("--moves", nargs="*", default=[], metavar="NAME=VALUE")
    given = vars(parser.parse_args())
    given["weights"] = _pairs(given["weights"], WEIGHTS)
    given["moves"] = Moves(**_pairs(given["moves"], vars(Moves())))  # type: ignore[arg-type]
    run(Options(**given))


if __name__ == "__main__":
    main()
