"""Mean of the weights of two checkpoints, by part, to go on from or to export.

    python -m autovoice.train.mean --old A --new B --out C --share 0.5 --share style=0

Source: means of weights (Wortsman et al. 2022).
"""

from __future__ import annotations

import argparse
import logging
import shutil
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from autovoice.errors import InputError
from autovoice.train import checkpoint

log = logging.getLogger(__name__)
PARTS = ("adapter", "style", "decoder")


def read(folder: Path) -> dict[str, Tensor]:
    """Read the trained weights of a checkpoint, or of the shipped model.

    Raises:
        InputError: the folder holds neither.
    """
    for name in ("model", "voice-model"):
        if found := checkpoint.load(folder, name):
            return {key: value.float() for key, value in found.items()}
    raise InputError(
        f"{folder}: found no model-*.safetensors; give a folder that training wrote, or the one of "
        "voice-model-*.safetensors"
    )


def mean(
    old: Mapping[str, Tensor], new: Mapping[str, Tensor], shares: Mapping[str, float]
) -> dict[str, Tensor]:
    """Blend weights: of each part so much of ``new``, the rest of ``old``.

    What only one of both holds is taken from there.

    Args:
        old, new: tensors by name; a name begins with its part.
        shares: by part, 0 to 1.
    """
    blended: dict[str, Tensor] = {}
    for name in sorted(old.keys() | new.keys()):
        if name in old and name in new:
            share = shares[name.split(".")[0]]
            blended[name] = torch.lerp(old[name], new[name], share)
        else:
            blended[name] = new[name] if name in new else old[name]
    return blended


def write(old: Path, new: Path, out: Path, shares: Mapping[str, float]) -> None:
    """Write the mean into ``out``, beside judge and critics of ``new``.

    Raises:
        InputError: a folder holds no weights, or ``out`` is one of them.
    """
    if out.resolve() in {old.resolve(), new.resolve()}:
        raise InputError(f"--out: found {out}, expected another folder than --old and --new")
    tensors = mean(read(old), read(new), shares)
    known = checkpoint.facts(new, "model")
    facts = {"phase": known.get("phase", "joint"), "step": known.get("step", 0)}
    whole = any(name.startswith("decoder.") for name in tensors)
    checkpoint.save(out, "model", checkpoint.pack(tensors, whole), facts)
    for source in (*sorted(new.glob("judge-*")), *sorted(new.glob("critics/critics-*"))):
        target = out / source.relative_to(new)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    log.info("%s: %d tensors", out, len(tensors))


def shares_of(words: list[str]) -> dict[str, float]:
    """Read ``0.5`` for all parts and ``style=0`` for one; later words win.

    Raises:
        InputError: a part is unknown, or a share is no number from 0 to 1.
    """
    shares = dict.fromkeys(PARTS, 0.5)
    for word in words:
        part, equals, text = word.rpartition("=")
        try:
            value = float(text)
        except ValueError:
            value = -1.0
        if not 0.0 <= value <= 1.0 or (equals and part not in PARTS):
            raise InputError(
                f"--share: found {word!r}, expected a number from 0 to 1, or one of "
                f"{', '.join(PARTS)} with it, as style=0.5"
            )
        shares.update({part: value} if equals else dict.fromkeys(PARTS, value))
    return shares


def main() -> None:
    """Run from the command line."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("--old", "--new", "--out"):
        parser.add_argument(name, type=Path, required=True)
    parser.add_argument("--share", action="append", default=[], help="of --new; PART=SHARE for one")
    arguments = parser.parse_args()
    write(arguments.old, arguments.new, arguments.out, shares_of(arguments.share))


if __name__ == "__main__":
    main()
