"""Measure on this machine and write docs/benchmarks.md.

python -m benchmarks [demo] [startup] [long] [speech] [spoken] [sung] [protocol]

Without names all are run; ``spoken``, ``sung`` and ``protocol`` need the evaluation audio.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks import page, protocol, songs, speech, spoken, startup, sung
from benchmarks.machine import ROOT, about, use_cores

log = logging.getLogger("benchmarks")
Benchmark = Callable[[argparse.Namespace], page.Section]
# Beside the repository; by default, as it may be anywhere (``--eval-folder``).
EVAL_FOLDER = ROOT.parent / "shared" / "eval"


def _protocol(chosen: argparse.Namespace) -> page.Section:
    return protocol.protocol(
        chosen.eval_folder,
        chosen.out,
        pairs=chosen.pairs,
        device=chosen.device,
        resume=chosen.resume,
    )


BENCHMARKS: dict[str, Benchmark] = {
    "demo": lambda chosen: songs.demo(runs=chosen.runs, device=chosen.device),
    "startup": lambda _: startup.startup(),
    "long": lambda chosen: songs.long(minutes=chosen.minutes, device=chosen.device),
    "speech": lambda chosen: speech.speech(threads=chosen.cores),
    "spoken": lambda chosen: spoken.spoken(chosen.eval_folder, device=chosen.device),
    "sung": lambda chosen: sung.sung(
        chosen.eval_folder, chosen.out, device=chosen.device, resume=chosen.resume
    ),
    "protocol": _protocol,
}

NEED_AUDIO = ("spoken", "sung", "protocol")
OPTIONS = ("runs", "minutes", "cores", "device", "pairs")


def arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = _parser()
    chosen = parser.parse_args(words)
    unknown = sorted(set(chosen.names) - set(BENCHMARKS))
    if unknown:
        parser.error(f"found {', '.join(unknown)}, expected {', '.join(BENCHMARKS)}")
    return chosen


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--runs", type=int, default=3, help="of the demo song")
    parser.add_argument("--minutes", type=float, default=10.0, help="length of the long song")
    parser.add_argument("--cores", type=int, default=2, help="use at most so many")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--pairs", choices=["quick", "full"], default="quick")
    parser.add_argument(
        "--resume", action="store_true", help="go on with sung or protocol, cut off"
    )
    parser.add_argument("--eval-folder", type=Path, default=EVAL_FOLDER)
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "protocol")
    parser.add_argument("--page", type=Path, default=ROOT / "docs" / "benchmarks.md")
    return parser


def main(words: Sequence[str] | None = None) -> None:
    """Run what was asked for, writing each section as soon as it is known."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    chosen = arguments(words)
    use_cores(chosen.cores)
    for name in chosen.names or BENCHMARKS:
        if name in NEED_AUDIO and not chosen.eval_folder.is_dir():
            log.warning("%s: left out, as %s is not there", name, chosen.eval_folder)
            continue
        log.info("%s: measuring", name)
        section = BENCHMARKS[name](chosen)
        page.write(section, about(command(name, chosen)), chosen.page)
        log.info("%s\n\n%s\n", section.title, section.body.strip())


def command(name: str, chosen: argparse.Namespace) -> str:
    """Return what repeats a benchmark: the options that change it, and no path of this machine."""
    words = ["python -m benchmarks", name]
    for option in OPTIONS:
        value = getattr(chosen, option)
        if value != _parser().get_default(option):
            words.append(f"--{option} {value}")
    return " ".join(words)


if __name__ == "__main__":
    main()
